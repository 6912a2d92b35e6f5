package resources

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Released is a knob that the spec no longer asks for. It is in step when the
// kernel has its original back, or never had anything else.
type Released struct{ knob }

var _ reconcile.Resource = Released{}

// ID names the knob.
func (k Released) ID() reconcile.ID { return k.id }

// Diff looks for originals that were not given back. A file that is not there
// now, such as that of an unplugged CPU, has nothing to be given back to; its
// original is kept until it has.
func (k Released) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	book, err := originals.Load(r)
	if err != nil {
		return nil, err
	}
	here, absent := k.paths(r, book)
	var changes []reconcile.Change
	for _, path := range here {
		have, err := expect.Value(r, path)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s, whose original was %s: %w", path, book[path].Value, err)
		}
		if have != book[path].Value {
			changes = append(changes, reconcile.Change{Field: k.field(path), Have: have, Want: book[path].Value + " (its original)"})
		}
	}
	if len(absent) > 0 {
		err = reconcile.Tolerate(fmt.Errorf("%w: the original of %s is kept until it is there again", reconcile.ErrUnknown, strings.Join(absent, ", ")))
	}
	return changes, err
}

// paths are the files whose originals the knob left, by whether they have a
// value now.
func (k Released) paths(r host.Reader, book originals.Book) (here, absent []string) {
	for _, path := range book.Of(k.id.String()) {
		if _, err := expect.Value(r, path); expect.IsAbsent(err) {
			absent = append(absent, path)
		} else {
			here = append(here, path)
		}
	}
	return here, absent
}

// Apply gives the originals back.
func (k Released) Apply(_ context.Context, h host.Host) error {
	release, err := originals.Guard(h)
	if err != nil {
		return err
	}
	defer release()
	book, err := originals.Load(h)
	if err != nil {
		return err
	}
	here, _ := k.paths(h, book)
	_, err = restore(h, book, here)
	return err
}

// RestoreKnobs gives back every knob that has an original, whatever the spec
// says. In the changes, Have is benchctl's value and Want what was before it.
func RestoreKnobs(h host.Host) ([]reconcile.Outcome, error) {
	release, err := originals.Guard(h)
	if err != nil {
		return nil, err
	}
	defer release()
	book, err := originals.Load(h)
	if err != nil {
		return nil, err
	}
	var outcomes []reconcile.Outcome
	for _, kind := range book.Kinds() {
		outcomes = append(outcomes, restored(h, book, kind))
	}
	return outcomes, nil
}

func restored(h host.Host, book originals.Book, kind string) reconcile.Outcome {
	var id reconcile.ID
	_ = id.UnmarshalText([]byte(kind)) // it never fails
	o := reconcile.Outcome{ID: id, Kind: id.Kind, Status: reconcile.Unchanged}
	o.Changes, o.Err = restore(h, book, book.Of(kind))
	if len(o.Changes) > 0 {
		o.Status = reconcile.Changed
	}
	if o.Err != nil {
		o.Status, o.Error = reconcile.Failed, o.Err.Error()
	}
	return o
}

// restore works from the book alone, so that a knob that left the spec is given
// back too. An original is forgotten only after it was read back.
func restore(h host.Host, book originals.Book, paths []string) ([]reconcile.Change, error) {
	var changes []reconcile.Change
	var errs []error
	for _, path := range paths {
		change, err := restoreFile(h, path, book[path].Value)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		changes = append(changes, change...)
		errs = append(errs, originals.Forget(h, path))
	}
	return changes, errors.Join(errs...)
}

func restoreFile(h host.Host, path, original string) ([]reconcile.Change, error) {
	fail := func(why any) error {
		return fmt.Errorf("cannot give %s its original %s back: %v", path, original, why)
	}
	have, err := expect.Value(h, path)
	if err != nil {
		return nil, fail(err)
	}
	if have == original {
		return nil, nil
	}
	if err := h.Poke(path, original); err != nil {
		return nil, fail(err)
	}
	if now, err := expect.Value(h, path); err != nil || now != original {
		return nil, fail(fmt.Sprintf("it reads %q afterwards", now))
	}
	return []reconcile.Change{{Field: path, Have: have, Want: original}}, nil
}
