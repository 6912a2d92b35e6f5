package resources

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// An ownFile is a file where only root can write.
type ownFile struct {
	path, text string
	mode       fs.FileMode
}

func (f ownFile) diff(r host.Reader) ([]reconcile.Change, error) {
	info, err := r.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return []reconcile.Change{{Field: f.path, Have: "absent", Want: "present"}}, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.IsRegular() {
		return []reconcile.Change{{Field: f.path, Have: "no plain file", Want: "a plain file"}}, nil
	}
	text, err := r.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", f.path, err)
	}
	var changes []reconcile.Change
	if string(text) != f.text {
		changes = append(changes, reconcile.Change{Field: f.path, Have: "other text (" + digest(string(text)) + ")", Want: digest(f.text)})
	}
	if have, want, differ := ownerAndMode(r, info, f.mode); differ {
		changes = append(changes, reconcile.Change{Field: f.path + " owner and mode", Have: have, Want: want})
	}
	return changes, nil
}

// write replaces the file, with its directory made if need be.
func (f ownFile) write(h host.Host) error {
	if _, err := h.Lstat(filepath.Dir(f.path)); errors.Is(err, fs.ErrNotExist) {
		if err := h.Mkdir(filepath.Dir(f.path), host.Perm{Mode: 0o755}); err != nil {
			return fmt.Errorf("cannot make %s: %w", filepath.Dir(f.path), err)
		}
	}
	return h.Replace(f.path, []byte(f.text), host.Perm{Mode: f.mode})
}

// ownerAndMode compares a file's with root and a mode, and says both in words.
func ownerAndMode(r host.Reader, info host.Info, mode fs.FileMode) (have, want string, differ bool) {
	if info.UID == 0 && info.GID == 0 && info.Mode.Perm() == mode {
		return "", "", false
	}
	return ownership(r, info.UID, info.GID) + " " + octal(info.Mode.Perm()), ownership(r, 0, 0) + " " + octal(mode), true
}

// A launchFile is a file of the runner's directory with the text it must have.
type launchFile struct {
	name, text string
	// parts takes a text apart into the fields of a report.
	parts   func(text string) map[string]string
	effects []reconcile.Effect
}

var restarts = []reconcile.Effect{reconcile.Restart}

// diff compares a file in a directory where the runner's user can write.
func (f launchFile) diff(r host.Reader, dir string) ([]reconcile.Change, error) {
	text, err := r.ReadBelow(dir, f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = nil
	case errors.Is(err, host.ErrHostile):
		return []reconcile.Change{f.change("", "no plain file", "a plain file")}, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read %s/%s: %w", dir, f.name, err)
	}
	changes := f.compare(string(text))
	if err == nil {
		found, err := f.ownership(r, dir)
		if err != nil {
			return nil, err
		}
		changes = append(changes, found...)
	}
	return changes, nil
}

func (f launchFile) compare(text string) []reconcile.Change {
	if text == f.text {
		return nil
	}
	have, want := f.parts(text), f.parts(f.text)
	var changes []reconcile.Change
	for _, name := range keysOf(have, want) {
		h, inFile := have[name]
		w, wanted := want[name]
		if h != w || inFile != wanted {
			h, w = discreet(name, h, w)
			changes = append(changes, f.change(name, shown(h, inFile && text != ""), shown(w, wanted)))
		}
	}
	if changes == nil { // an order, a repetition, a line that is no variable
		changes = append(changes, f.change("", "other lines", "exactly the spec's"))
	}
	return changes
}

func (f launchFile) ownership(r host.Reader, dir string) ([]reconcile.Change, error) {
	info, err := r.Lstat(dir + "/" + f.name)
	if err != nil {
		return nil, err
	}
	if have, want, differ := ownerAndMode(r, info, 0o644); differ {
		return []reconcile.Change{f.change("owner and mode", have, want)}, nil
	}
	return nil, nil
}

func (f launchFile) change(part, have, want string) reconcile.Change {
	field := strings.TrimSpace(f.name + " " + part)
	return reconcile.Change{Field: field, Have: have, Want: want, Effects: f.effects}
}

// whole is a text that is one field.
func whole(text string) map[string]string {
	return map[string]string{"": strings.TrimSuffix(text, "\n")}
}

// variables reads NAME=VALUE lines; the last of a name counts, as in the runner.
func variables(text string) map[string]string {
	vars := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			vars[name] = value
		}
	}
	return vars
}

// shown is a value that may be hostile text or missing.
func shown(value string, present bool) string {
	if !present {
		return "absent"
	}
	return plain(value)
}

// plain makes text from outside fit for a terminal: control characters are
// escaped, and what is longer than a screen line or two is cut.
func plain(text string) string {
	const longest = 240
	quoted := strconv.QuoteToGraphic(text)
	text = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "…"
	}
	return text
}

// write replaces a file in a directory where the runner's user can write. A
// directory put in its place goes; a link is replaced, not followed.
func (f launchFile) write(h host.Host, dir string) error {
	path := dir + "/" + f.name
	if info, err := h.Lstat(path); err == nil && info.IsDir() {
		if err := h.RemoveAll(path); err != nil {
			return fmt.Errorf("cannot remove the directory %s: %w", path, err)
		}
	}
	return h.Replace(path, []byte(f.text), host.Perm{Mode: 0o644})
}

// keysOf returns the keys of both maps, sorted.
func keysOf(a, b map[string]string) []string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return slices.Sorted(maps.Keys(both))
}

// digest names a text in a report.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])[:12]
}
