package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// An ownUnit is a unit of benchctl's: its file, and that systemd has it in
// force as it is written.
type ownUnit struct {
	name    string
	file    ownFile
	enabled bool               // it is started at boot, rather than by something else
	effects []reconcile.Effect // of a change to what the unit does
}

// newOwnUnit is a unit with this text, in the directory for those of the host.
// What the text says of its installation decides whether it is enabled.
func newOwnUnit(name, text string) ownUnit {
	return ownUnit{name: name, file: ownFile{unitDir + "/" + name, text, 0o644}, enabled: strings.Contains(text, "\n[Install]\n")}
}

// ownHeader begins every unit that benchctl writes. Of one that it did not write
// no directive is worth a line: all of it goes.
const ownHeader = "# Written by benchctl"

// diffFile compares the unit file directive by directive.
func (o ownUnit) diffFile(r host.Reader) ([]reconcile.Change, error) {
	changes, err := o.file.diff(r)
	if err != nil {
		return nil, err
	}
	text, err := r.ReadFile(o.file.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if i := slices.IndexFunc(changes, func(c reconcile.Change) bool { return c.Field == o.file.path }); i >= 0 && len(text) > 0 {
		parts := diffDirectives(string(text), o.file.text)
		if !strings.HasPrefix(string(text), ownHeader) {
			parts = []reconcile.Change{{Field: o.file.path, Have: fmt.Sprintf("somebody else's, with %d settings that differ", len(parts)), Want: "benchctl's"}}
		}
		if parts != nil {
			changes = slices.Replace(changes, i, i+1, parts...)
		}
	}
	for i := range changes {
		changes[i].Effects = o.effects
	}
	return changes, nil
}

// diffInForce compares what systemd has loaded with the file that is ours. The
// error, if it wraps [reconcile.ErrUnknown], comes with changes.
func (o ownUnit) diffInForce(r host.Reader, u host.Unit) ([]reconcile.Change, error) {
	changes := o.diffLoaded(u)
	aside, left, err := foreignDropIns(r, u)
	if err != nil {
		return changes, err
	}
	for _, path := range aside {
		changes = append(changes, reconcile.Change{Field: "drop-in", Have: path, Want: "moved to " + asideDir + path, Effects: o.effects})
	}
	return changes, sayLeft(u.Name, left)
}

func (o ownUnit) diffLoaded(u host.Unit) []reconcile.Change {
	var changes []reconcile.Change
	differs := func(field, have, want string, effects ...reconcile.Effect) {
		changes = append(changes, reconcile.Change{Field: field, Have: have, Want: want, Effects: effects})
	}
	switch {
	case u.LoadState == "not-found":
		if o.enabled {
			differs("enabled", "no", "yes")
		}
		return changes
	case isMasked(u):
		differs("mask", "masked", "not masked", o.effects...)
	case u.FragmentPath != o.file.path:
		differs("unit in force", u.FragmentPath, o.file.path, o.effects...)
	}
	if u.NeedReload {
		differs("daemon-reload", "needed", "done")
	}
	if o.enabled && u.UnitFileState != "enabled" && !isMasked(u) {
		differs("enabled", orNone(u.UnitFileState), "enabled")
	}
	return changes
}

func isMasked(u host.Unit) bool {
	return u.LoadState == "masked" || strings.HasPrefix(u.UnitFileState, "masked")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// diffDirectives names the directives in which two unit files differ; nil means
// that they differ in comments or order alone.
func diffDirectives(have, want string) []reconcile.Change {
	h, w := directivesOf(have), directivesOf(want)
	var changes []reconcile.Change
	for _, key := range keysOf(h, w) {
		hv, inFile := h[key]
		wv, wanted := w[key]
		if hv != wv || inFile != wanted {
			changes = append(changes, reconcile.Change{Field: key, Have: shown(hv, inFile), Want: shown(wv, wanted)})
		}
	}
	return changes
}

// directivesOf reads a unit file: the values by "[Section] Key", those of a key
// given more than once joined.
func directivesOf(text string) map[string]string {
	directives := map[string]string{}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			section = line
		case ok:
			key = section + " " + key
			if before, again := directives[key]; again {
				value = before + "; " + value
			}
			directives[key] = value
		default: // the rest of a continued line, or nonsense
			directives[section+" "+line] = ""
		}
	}
	return directives
}
