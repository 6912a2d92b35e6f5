package resources

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// specFile is where the agent reads its spec. A spec that was applied from
// elsewhere is copied there, whole and as it is, unless it is fetched.
const specFile = "/etc/benchctl/runner.yaml"

// agentNotesFile is what is remembered for the agent. Losing it is harmless: a
// copy is then taken for the operator's own, and the agent starts anew once.
const agentNotesFile = "/var/lib/benchctl/agent.json"

// agentNotes are the contents of agentNotesFile.
type agentNotes struct {
	// Copied is the SHA-256 of the spec that benchctl copied; a file with any
	// other is the operator's.
	Copied string `json:"copied,omitempty"`
	// Mended counts how often somebody had changed how the agent runs. It is
	// part of the revision, so that the one that was started so gives way.
	Mended int `json:"mended,omitempty"`
}

// readAgentNotes never fails: notes that cannot be read are none.
func readAgentNotes(r host.Reader) (n agentNotes) {
	if text, err := r.ReadBelow(path.Dir(agentNotesFile), path.Base(agentNotesFile)); err != nil || json.Unmarshal(text, &n) != nil {
		return agentNotes{}
	}
	return n
}

func (n agentNotes) write(h host.Host) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := h.Mkdir(path.Dir(agentNotesFile), host.Perm{Mode: 0o700}); err != nil {
		return err
	}
	return h.Replace(agentNotesFile, append(text, '\n'), host.Perm{Mode: 0o600})
}

// inPlace reports whether the spec is the one in specFile, rather than one to be
// copied there. The agent knows no other.
func (a agent) inPlace() bool { return a.unattended || path.Clean(a.spec.File) == specFile }

// diffSpec compares the copy. Of an operator's own file it asks only that it be
// root's, since whoever writes it is root by way of the agent.
func (a agent) diffSpec(r host.Reader) ([]reconcile.Change, error) {
	if err := checkRoots(r, path.Dir(specFile)); err != nil {
		return nil, fmt.Errorf("cannot have the agent read %s: %w; give it to root", specFile, err)
	}
	if len(a.sources) > 0 {
		return a.diffSources(r)
	}
	if !a.inPlace() {
		return ownFile{specFile, string(a.spec.Text), 0o644}.diff(r)
	}
	info, err := r.Lstat(specFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && a.unattended: // a pass with the last good spec
		return nil, nil
	case err != nil:
		return nil, err
	case info.IsLink():
		return []reconcile.Change{{Field: specFile, Have: "a link", Want: "a plain file with the same text"}}, nil
	case info.UID != 0 || info.Mode.Perm()&0o022 != 0:
		have := fmt.Sprintf("%d:%d %04o", info.UID, info.GID, info.Mode.Perm())
		return []reconcile.Change{{Field: specFile + " owner and mode", Have: have, Want: "0:0 0644"}}, nil
	}
	return nil, nil
}

// putSpec makes the spec what diffSpec wants. What the operator had there is
// moved aside, never lost.
func (a agent) putSpec(ctx context.Context, h host.Host) error {
	changes, err := a.diffSpec(h)
	if err != nil || len(changes) == 0 {
		return err
	}
	if len(a.sources) > 0 {
		return a.dropSpec(ctx, h)
	}
	have, err := h.ReadFile(specFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read %s: %w", specFile, err)
	}
	want := a.spec.Text
	if a.inPlace() {
		want = have
	} else if err != nil || !bytes.Equal(have, want) {
		if err := a.replaceSpec(ctx, h, have); err != nil {
			return err
		}
	}
	return ownFile{specFile, string(want), 0o644}.write(h)
}

// replaceSpec makes way for a copy of another text. The note comes before the
// copy, which would be taken for the operator's without it.
func (a agent) replaceSpec(ctx context.Context, h host.Host, have []byte) error {
	notes := readAgentNotes(h)
	there, err := exists(h, specFile)
	if err != nil {
		return err
	}
	if there && sum(have) != notes.Copied {
		reconcile.Progress(ctx)("moving " + specFile + " to " + asideDir)
		if err := setAside(h, specFile); err != nil {
			return err
		}
	}
	notes.Copied = sum(a.spec.Text)
	return notes.write(h)
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}
