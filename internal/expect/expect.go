// Package expect is what a host must be for a job's numbers to count, compiled
// from the spec into one small file. The gate compares the host with it around
// each job, and `benchctl ready` at every start of the runner's service: without
// the spec, without a lock, without the network and, for the gate, without root.
package expect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
)

// Schema names the shape of an [Expected] in JSON.
const Schema = "benchctl/expected/v1"

const (
	// Kept is the compiled expectation. It is root's, 0644, and outlives a
	// reboot, since the first start after one needs it before any pass ran.
	Kept = "/usr/local/lib/benchctl/expected.json"
	// Current is the copy that the gate reads. /run is empty after a boot, so
	// its being there says that this host was made ready since.
	Current = "/run/benchctl/expected.json"
)

// Expected is what a host must be. It holds no secret: anyone may read it. What
// follows for a job from a host that is otherwise is not here but in the hooks,
// which have to know it without this file, too.
type Expected struct {
	Schema      string  `json:"schema"`
	Revision    string  `json:"revision"` // of the runner's service: of unit, env, hooks and runner version
	Knobs       []Knob  `json:"knobs"`
	JavaHome    string  `json:"java_home,omitempty"`    // "" where the spec asks for no JDK
	JavaVersion string  `json:"java_version,omitempty"` // its major version, such as 21
	MaxLoad     float64 `json:"max_load"`               // before a job, in CPUs
	Runner      Runner  `json:"runner"`
}

// A Runner is whose start [Ready] prepares.
type Runner struct {
	User string `json:"user"`
	Unit string `json:"unit"`
	Dir  string `json:"dir"`
}

// Encode is the file's text.
func (e *Expected) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the expectation: %w", err)
	}
	return append(text, '\n'), nil
}

// missing is a file that no apply has written yet.
type missing string

func (m missing) Error() string      { return "there is no " + string(m) }
func (missing) Is(target error) bool { return target == fs.ErrNotExist }

// Load reads an expectation from path, which is [Kept] or [Current]. A file
// that is not root's, or that others may write, is refused: it decides what is
// written to the kernel.
func Load(r host.Reader, path string) (*Expected, error) {
	info, err := r.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot tell what this host must be: %w; run benchctl apply", missing(path))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what this host must be: %w; run benchctl apply", err)
	}
	if !info.IsRegular() || info.UID != 0 || info.Mode.Perm()&0o022 != 0 {
		return nil, fmt.Errorf("cannot trust %s: it is not a plain file that only root can write; run benchctl apply", path)
	}
	text, err := r.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read what this host must be: %w", err)
	}
	e := &Expected{}
	if err := json.Unmarshal(text, e); err != nil {
		return nil, fmt.Errorf("cannot understand %s: %w; run benchctl apply", path, err)
	}
	if e.Schema != Schema {
		return nil, fmt.Errorf("cannot understand %s: its schema is %q, and this benchctl knows %q; run benchctl apply", path, e.Schema, Schema)
	}
	return e, nil
}

// ReleaseKnobs takes the knobs out of what [Ready] sets and the gate compares
// with. A host that was never told what it must be has nothing to release.
func ReleaseKnobs(h host.Host) error {
	release, err := originals.Guard(h)
	if err != nil {
		return err
	}
	defer release()
	for _, path := range []string{Kept, Current} {
		e, err := Load(h, path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(e.Knobs) == 0 {
			continue
		}
		if err != nil {
			return err
		}
		e.Knobs = nil
		text, err := e.Encode()
		if err != nil {
			return err
		}
		if err := h.Replace(path, text, host.Perm{Mode: 0o644}); err != nil {
			return err
		}
	}
	return nil
}
