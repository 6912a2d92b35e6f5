package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// cleanup removes what jobs and the runner left behind, where the spec names an
// age or the space that must be free. It needs nothing, so that a full disk,
// which other kinds fail on, is made free again.
//
// All that it looks at belongs to the runner's user, who may lie about the age
// of a file: that costs the liar's own jobs a directory sooner or later.
type cleanup struct {
	spec *spec.Spec
	now  func() time.Time
}

// cleanupOf is what of a clean-up a spec asks for. Processes come first, since
// they could write to what goes.
func cleanupOf(s *spec.Spec) []reconcile.Resource {
	if s.Cleanup == nil {
		return nil
	}
	all := []reconcile.Resource{cleanup{s, time.Now}}
	if s.Cleanup.Processes == spec.End {
		all = slices.Insert(all, 0, reconcile.Resource(survivors{s}))
	}
	return all
}

func (c cleanup) ID() reconcile.ID { return reconcile.ID{Kind: "cleanup"} }

// Diff lists what goes, each with how long it was of no use and its size.
func (c cleanup) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	found, err := c.look(ctx, r)
	return goes(found), err
}

// mostRounds bounds how often an Apply looks again: when less became free than
// was promised, or when there is more than one look lists.
const mostRounds = 10

// Apply removes it. What cannot be removed keeps nothing else.
func (c cleanup) Apply(ctx context.Context, h host.Host) error {
	for range mostRounds {
		found, err := c.look(ctx, h)
		if len(found) == 0 {
			if errors.Is(err, reconcile.ErrUnknown) {
				err = nil // the look that follows says so
			}
			return err
		}
		if err := remove(ctx, h, found); err != nil {
			return err
		}
	}
	return nil
}

func remove(ctx context.Context, h host.Host, found []leaving) error {
	var failed error
	for _, l := range found {
		reconcile.Progress(ctx)("removing " + plain(l.field) + " (" + l.amount() + ")")
		for _, p := range l.places {
			if err := ctx.Err(); err != nil {
				return errors.Join(failed, fmt.Errorf("interrupted (%w); the next apply goes on", err))
			}
			if err := h.RemoveBelow(ctx, p.root, p.name); err != nil {
				failed = errors.Join(failed, err)
			}
		}
	}
	return failed
}

// look finds all that goes. An error that is not unknown comes alone: it is
// about what would be left to do, and nothing is.
func (c cleanup) look(ctx context.Context, r host.Reader) ([]leaving, error) {
	top, err := c.workPlace(r)
	if err != nil {
		return nil, err
	}
	var found []leaving
	var unseen, short error
	for _, part := range []func(context.Context, host.Reader, place) ([]leaving, error){c.work, c.tools, c.diag} {
		some, err := part(ctx, r, top)
		found = append(found, some...)
		switch {
		case errors.Is(err, errShort):
			short = err
		case err != nil:
			unseen = errors.Join(unseen, err)
		}
	}
	if ctx.Err() != nil {
		return found, ctx.Err()
	}
	if len(found) == 0 && short != nil {
		return nil, errors.Join(short, unseen)
	}
	return found, unseen
}

// workPlace is where jobs work. Nobody but root may be able to put another
// directory in the place of the one above it.
func (c cleanup) workPlace(r host.Reader) (place, error) {
	key, dir := "installDir", c.spec.InstallDir
	at := place{dir, c.spec.Runner.WorkDir}
	if path.IsAbs(c.spec.Runner.WorkDir) {
		key, dir = "runner.workDir", c.spec.Runner.WorkDir
		at = place{path.Dir(dir), path.Base(dir)}
	}
	if err := (user{c.spec}).checkAbove(r, key, dir); err != nil {
		return place{}, fmt.Errorf("cannot clean up: %w", err)
	}
	return at, nil
}

// A place is a file or directory where the runner's user may do as it likes,
// below a directory where it may not.
type place struct{ root, name string }

func (p place) in(name string) place { return place{p.root, p.name + "/" + name} }

func (p place) path() string { return p.root + "/" + p.name }

// list returns what is in a place. What is not there, or is no directory of its
// own, holds nothing; where there should be one, kind tarball says so.
func (p place) list(r host.Reader) ([]host.Entry, error) {
	all, err := r.ListBelow(p.root, p.name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, host.ErrNoDir) {
		return nil, nil
	}
	return all, unseen(err)
}

// unseen makes an error one of those that let a pass go on. A cancelled context
// is no answer.
func unseen(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", reconcile.ErrUnknown, err)
}
