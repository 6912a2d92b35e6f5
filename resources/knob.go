package resources

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/host"
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
	// atMost: a number below the wanted one will do as well.
	atMost bool
	// offered, if set, is the file beside each one that lists what it takes.
	offered string
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
	settings, err := k.expected().Settings(r)
	if err != nil {
		return nil, err
	}
	if len(settings) == 0 {
		return nil, k.unsupported("there is no " + k.files)
	}
	var changes []reconcile.Change
	for _, s := range settings {
		if k.expected().Suffices(s.Value) {
			continue
		}
		if err := k.takes(r, s.Path); err != nil {
			return nil, err
		}
		changes = append(changes, reconcile.Change{Field: k.field(s.Path), Have: s.Value, Want: k.Want})
	}
	return changes, nil
}

// Apply writes each file that differs, its original kept first.
func (k Knob) Apply(_ context.Context, h host.Host) error { return k.expected().Set(h) }

// expected is the knob in the words of the gate, which compares and sets.
func (k Knob) expected() expect.Knob {
	return expect.Knob{ID: k.id.String(), Files: k.files, Want: k.Want, AtMost: k.atMost, Offered: k.offered, Optional: k.Skip}
}

// takes says so when the kernel does not offer the wanted word.
func (k Knob) takes(r host.Reader, path string) error {
	words, err := k.expected().Offers(r, path)
	if err != nil || words == nil || slices.Contains(words, k.Want) {
		return err
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
