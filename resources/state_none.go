package resources

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// stateDir is benchctl's memory, root's alone.
const stateDir = "/var/lib/benchctl"

// noState is benchctl's own memory, which goes last, since all else is found by
// it. What benchctl had moved out of its way goes back where it was.
type noState struct {
	*Setup
	purge bool
}

var _ reconcile.Dependent = noState{}

func (noState) ID() reconcile.ID { return reconcile.ID{Kind: "state"} }

// Needs lists everything: what failed will be tried again, and needs its notes.
func (noState) Needs() []string { return everything }

func (s noState) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	moved, _, err := movedAside(r)
	if err != nil {
		return nil, err
	}
	var changes []reconcile.Change
	for _, p := range moved {
		changes = append(changes, reconcile.Change{Field: plain(p), Have: "moved aside by benchctl", Want: "put back"})
	}
	files, err := s.files(r)
	return append(changes, going(files, nil)...), err
}

// files are the notes that go, and the rest that has no kind of its own.
func (s noState) files(r host.Reader) ([]string, error) {
	all := s.parents(r)
	if s.metrics != "" {
		there, err := found(s.metrics)(r)
		if err != nil {
			return nil, err
		}
		all = append(all, there...)
	}
	names, err := r.ReadDir(stateDir)
	if err != nil {
		return all, nil
	}
	kept, err := s.kept(r)
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		return append(all, stateDir), nil
	}
	for _, name := range names {
		if p := stateDir + "/" + name; !slices.Contains(kept, p) {
			all = append(all, p)
		}
	}
	return all, nil
}

// kept are the notes that are still needed: what benchctl brought and a purge
// would remove, originals of knobs that are not there now, and what was moved
// aside and cannot go back.
func (s noState) kept(r host.Reader) ([]string, error) {
	var kept []string
	if there, err := s.stays(r); err != nil {
		return nil, err
	} else if there && !s.purge {
		kept = append(kept, broughtFile)
	}
	book, err := originals.Load(r)
	if err != nil {
		return nil, err
	}
	for p, o := range book {
		if have, err := expect.Value(r, p); err != nil || have != o.Value {
			kept = append(kept, originals.File)
			break
		}
	}
	back, stuck, err := movedAside(r)
	if len(back)+len(stuck) > 0 {
		kept = append(kept, asideDir)
	}
	return kept, err
}

// stays reports whether something is there that only a purge removes.
func (s noState) stays(r host.Reader) (bool, error) {
	packages, err := NewApt().there(r, s.brought.Packages)
	if err != nil {
		return false, err
	}
	trees, err := left(r, s.brought.Trees)
	return len(packages)+len(trees) > 0 || s.accountThere(r), err
}

// movedAside lists the paths that things were moved away from: those where
// there is nothing now, and those where something else is. Units of runners
// that benchctl itself retired are not among them.
func movedAside(r host.Reader) (back, stuck []string, err error) {
	var walk func(dir string) error
	walk = func(dir string) error {
		names, err := r.ReadDir(dir)
		for _, name := range names {
			p := dir + "/" + name
			if isDir(r, p) {
				if err := walk(p); err != nil {
					return err
				}
				continue
			}
			if text, err := r.ReadFile(p); err == nil && strings.Contains(string(text), "\nRunnerTemplate=") {
				continue
			}
			place := strings.TrimPrefix(p, asideDir)
			there, err := exists(r, place)
			if err != nil {
				return err
			}
			if there {
				stuck = append(stuck, place)
			} else {
				back = append(back, place)
			}
		}
		return err
	}
	if !isDir(r, asideDir) {
		return nil, nil, nil
	}
	if err := walk(asideDir); err != nil {
		return nil, nil, fmt.Errorf("cannot see what benchctl moved aside: %w", err)
	}
	return back, stuck, nil
}

// Apply puts back what was moved aside and removes the notes.
func (s noState) Apply(ctx context.Context, h host.Host) error {
	back, _, err := movedAside(h)
	if err != nil {
		return err
	}
	for _, place := range back {
		reconcile.Progress(ctx)("putting " + plain(place) + " back")
		if err := putBack(h, place); err != nil {
			return fmt.Errorf("cannot put %s back: %w; it is kept in %s", place, err, asideDir)
		}
	}
	if len(back) > 0 {
		if err := h.Systemd().Reload(ctx); err != nil {
			return err
		}
	}
	files, err := s.files(h)
	if err != nil {
		return err
	}
	if !slices.Contains(files, stateDir) { // the next benchctl there may be the operator's own
		if err := bring(h, func(b *brought) { b.Binary = "" }); err != nil {
			return err
		}
	}
	return removeAll(h, files)
}

// putBack undoes setAside.
func putBack(h host.Host, place string) error {
	from := asideDir + place
	info, err := h.Lstat(from)
	if err != nil {
		return err
	}
	if there, err := exists(h, path.Dir(place)); err != nil {
		return err
	} else if !there {
		if err := h.Mkdir(path.Dir(place), host.Perm{Mode: 0o755}); err != nil {
			return err
		}
	}
	if info.IsLink() {
		target, err := h.Readlink(from)
		if err == nil {
			err = h.Symlink(target, place)
		}
		if err != nil {
			return err
		}
		return h.Remove(from)
	}
	text, err := h.ReadFile(from)
	if err == nil {
		err = h.Replace(place, text, info.Perm)
	}
	if err != nil {
		return err
	}
	return h.Remove(from)
}
