package expect

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
)

// A Knob is a kernel setting with the value that it must have. It is the one
// way in which a kernel file is compared and set: by apply, by [Ready], by the
// gate.
type Knob struct {
	ID    string `json:"id"`    // of the resource, such as cpufreq
	Files string `json:"files"` // a pattern; each file that it matches counts
	Want  string `json:"want"`
	// AtMost: a number below Want will do as well.
	AtMost bool `json:"at_most,omitempty"`
	// Offered is the name of a file beside each one that lists the words it
	// takes; "" where the kernel has no such list.
	Offered string `json:"offered,omitempty"`
	// Optional: a host without such files, or one that refuses the value, passes.
	Optional bool `json:"optional,omitempty"`
}

// A Setting is one file of a knob.
type Setting struct{ Path, Value string }

// Settings reads every file of the knob that has a value; see [IsAbsent].
func (k Knob) Settings(r host.Reader) ([]Setting, error) {
	paths, err := r.Glob(k.Files)
	if err != nil {
		return nil, fmt.Errorf("cannot look for %s: %w", k.Files, err)
	}
	var settings []Setting
	for _, file := range paths {
		value, err := Value(r, file)
		if IsAbsent(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the knob %s: %w", k.ID, err)
		}
		settings = append(settings, Setting{file, value})
	}
	return settings, nil
}

// Value reads one kernel file; of "always [madvise] never" the choice counts.
func Value(r host.Reader, path string) (string, error) {
	text, err := r.ReadFile(path)
	return chosen(string(text)), err
}

// IsAbsent reports whether a kernel file has no value to be wrong: a policy
// whose CPUs are all unplugged answers EBUSY, or is gone in mid-look.
func IsAbsent(err error) bool {
	return errors.Is(err, syscall.EBUSY) || errors.Is(err, fs.ErrNotExist)
}

func chosen(text string) string {
	if _, rest, ok := strings.Cut(text, "["); ok {
		if word, _, ok := strings.Cut(rest, "]"); ok {
			return word
		}
	}
	return strings.TrimSpace(text)
}

// Suffices reports whether a value that was found will do.
func (k Knob) Suffices(have string) bool {
	if have == k.Want {
		return true
	}
	h, err1 := strconv.Atoi(have)
	w, err2 := strconv.Atoi(k.Want)
	return k.AtMost && err1 == nil && err2 == nil && h < w
}

// Offers returns the words that the kernel takes for a file of the knob, or nil
// where it does not say.
func (k Knob) Offers(r host.Reader, file string) ([]string, error) {
	if k.Offered == "" {
		return nil, nil
	}
	data, err := r.ReadFile(path.Join(path.Dir(file), k.Offered))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(data)), err
}

// Set writes each file that differs, its original kept first.
func (k Knob) Set(h host.Host) error {
	release, err := originals.Guard(h)
	if err != nil {
		return err
	}
	defer release()
	return k.set(h)
}

// set is Set for those who have the knobs to themselves.
func (k Knob) set(h host.Host) error {
	settings, err := k.Settings(h)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range settings {
		if k.Suffices(s.Value) {
			continue
		}
		if err := originals.Keep(h, k.ID, s.Path, s.Value, time.Now()); err != nil {
			return err
		}
		if err := h.Poke(s.Path, k.Want); err != nil {
			errs = append(errs, fmt.Errorf("cannot set %s to %s: %w", s.Path, k.Want, err))
		}
	}
	return errors.Join(errs...)
}
