package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A knob is a kernel setting: a row in a table. The same mechanism serves all
// of them: compare, keep the original, write, and let the engine look again.
type knob struct {
	id reconcile.ID
	// files is a pattern; every file that it matches has to have the value.
	files string
	// field names one matched file in a report.
	field func(path string) string
	// enough reports whether a value found will do; nil is equality.
	enough func(have, want string) bool
	// offered, if set, returns the words that the kernel takes for a file, or
	// nil where it does not say.
	offered func(r host.Reader, path string) ([]string, error)
}

// A Knob is a knob with the value that the spec wants.
type Knob struct {
	knob
	Want string
	// Skip lets a host that lacks the knob pass.
	Skip bool
}

var _ reconcile.Resource = Knob{}

// ID names the knob.
func (k Knob) ID() reconcile.ID { return k.id }

// Diff compares every file of the knob.
func (k Knob) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	values, err := k.values(r)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, k.unsupported("there is no " + k.files)
	}
	var changes []reconcile.Change
	for _, v := range values {
		if k.suffices(v.text) {
			continue
		}
		if err := k.takes(r, v.path); err != nil {
			return nil, err
		}
		changes = append(changes, reconcile.Change{Field: k.field(v.path), Have: v.text, Want: k.Want})
	}
	return changes, nil
}

// Apply writes each file that differs, its original kept first.
func (k Knob) Apply(_ context.Context, h host.Host) error {
	values, err := k.values(h)
	if err != nil {
		return err
	}
	for _, v := range values {
		if k.suffices(v.text) {
			continue
		}
		if err := originals.Keep(h, k.id.String(), v.path, v.text, time.Now()); err != nil {
			return err
		}
		if err := h.Poke(v.path, k.Want); err != nil {
			return fmt.Errorf("cannot set %s to %s: %w", v.path, k.Want, err)
		}
	}
	return nil
}

// A knobValue is what one file of a knob says.
type knobValue struct{ path, text string }

// values reads every file of the knob. A policy whose CPUs are all unplugged
// answers EBUSY or is gone in mid-look; it has no value to be wrong.
func (k Knob) values(r host.Reader) ([]knobValue, error) {
	paths, err := r.Glob(k.files)
	if err != nil {
		return nil, err
	}
	var values []knobValue
	for _, path := range paths {
		text, err := readKnob(r, path)
		switch {
		case errors.Is(err, syscall.EBUSY), errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("cannot read %s: %w", path, err)
		}
		values = append(values, knobValue{path, text})
	}
	return values, nil
}

// readKnob reads one kernel file; of "always [madvise] never" the choice counts.
func readKnob(r host.Reader, path string) (string, error) {
	data, err := r.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(data))
	if _, rest, ok := strings.Cut(text, "["); ok {
		if word, _, ok := strings.Cut(rest, "]"); ok {
			return word, nil
		}
	}
	return text, nil
}

func (k Knob) suffices(have string) bool {
	if k.enough != nil {
		return k.enough(have, k.Want)
	}
	return have == k.Want
}

// takes says so when the kernel does not offer the wanted word.
func (k Knob) takes(r host.Reader, path string) error {
	if k.offered == nil {
		return nil
	}
	words, err := k.offered(r, path)
	if err != nil || words == nil {
		return err
	}
	for _, w := range words {
		if w == k.Want {
			return nil
		}
	}
	return k.unsupported(fmt.Sprintf("%s offers only %s; choose one of these in the spec, or another driver at boot",
		k.field(path), strings.Join(words, ", ")))
}

func (k Knob) unsupported(why string) error {
	err := fmt.Errorf("%w: cannot set %s to %s: %s", reconcile.ErrUnsupported, k.id, k.Want, why)
	if k.Skip {
		return reconcile.Tolerate(err)
	}
	return err
}
