package resources

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A Former is where a runner is that the spec wants in another directory: set up
// by hand in somebody's home, or by benchctl before installDir was changed. Its
// registration is taken along, so that GitHub sees the same runner; its program
// is unpacked anew, and what jobs left stays where it is.
type Former struct {
	Dir, User, Unit string
}

// placeField is what differs when the registration is somewhere else.
const placeField = "place of the registration"

// FormerOf finds the place by the units, which are root's, and by what `.runner`
// says there: that it is the runner of the spec. It is nil when there is none, and
// when a unit starts the runner where the spec wants it already: whatever else
// says that it is this runner is left from another time. Whoever can write that
// file can have their own registration taken along, under the name and to the
// place that the spec says, and no more.
func FormerOf(r host.Reader, s *spec.Spec) *Former {
	units := runnerUnits(r)
	if slices.ContainsFunc(units, func(u foundUnit) bool { return u.dir() == s.InstallDir }) {
		return nil
	}
	for _, u := range units {
		f := &Former{Dir: u.dir(), User: u.keys["User"], Unit: u.name}
		if !path.IsAbs(f.Dir) {
			continue
		}
		if l, _ := f.local(r); l != nil && sameURL(l.URL, s.Runner.URL.Text) && strings.EqualFold(l.Name, runnerName(r, s)) {
			return f
		}
	}
	return nil
}

// registered reports whether a registration is still there, or what a move that
// was cut off left of it.
func (f *Former) registered(r host.Reader) bool {
	if f == nil {
		return false
	}
	l, _ := f.local(r)
	return l != nil
}

// local is the registration there. It may come with an [unusable] error.
func (f *Former) local(r host.Reader) (*localConfig, error) { return readLocal(wary{r}, f.Dir) }

// note is what an operator should know before the runner moves.
func (f *Former) note(s *spec.Spec) string {
	return fmt.Sprintf("the runner moves from %s to %s: its registration (.runner, .credentials*) is taken along and given to %s; %s stays as it is otherwise (_work, _diag, the old program), and nothing uses it any more",
		plain(f.Dir), s.InstallDir, s.User.Name, plain(f.Dir))
}

// takeAlong brings the registration to the new place, `.runner` last: with it the
// runner counts as registered there. Then the old place is left.
func (c *Config) takeAlong(ctx context.Context, h host.Host, v *view) error {
	if there, err := readLocal(h, c.InstallDir); err != nil || there == nil {
		if err := c.copyFormer(h, v); err != nil {
			return err
		}
	}
	return c.leave(ctx, h)
}

func (c *Config) copyFormer(h host.Host, v *view) error {
	account, err := h.Account(c.User)
	if err != nil {
		return fmt.Errorf("cannot give the registration to %s: %w", c.User, err)
	}
	files, err := c.Former.files(h)
	if err != nil {
		return fmt.Errorf("cannot take the registration in %s along: %w; nothing was changed there", plain(c.Former.Dir), err)
	}
	if v.remote != nil { // what only `.runner` says is not written down as ours
		rec := record{URL: c.URL.Text, Name: c.Name, ID: v.remote.ID, Ours: true, Group: v.record.Group}
		if err := rec.write(h); err != nil {
			return err
		}
	}
	return c.writeLocal(h, files, &account)
}

// files reads the registration: plain files of JSON that belong to whom the
// runner there runs as, or to root. Anything else was put there to have something
// copied that is not theirs to read.
func (f *Former) files(r host.Reader) (map[string][]byte, error) {
	owner, err := r.Account(f.User)
	if err != nil && f.User != "" {
		return nil, err
	}
	base, rest := trusted(r, f.Dir)
	entries, err := r.ListBelow(base, rest)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if !contains(localFiles, e.Name) {
			continue
		}
		data, err := r.ReadBelow(base, path.Join(rest, e.Name))
		if err != nil {
			return nil, err
		}
		if e.UID != owner.UID && e.UID != 0 || !json.Valid(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))) {
			return nil, fmt.Errorf("%s is not what config.sh wrote as %s", e.Name, f.User)
		}
		files[e.Name] = data
	}
	return files, nil
}

// leave removes what the registration left in the old place, so that nobody
// starts the runner twice or finds its key there, and any unit that it had under
// another name. `.runner` is the last to go, since the place is known by it.
func (c *Config) leave(ctx context.Context, h host.Host) error {
	f := c.Former
	if f == nil {
		return nil
	}
	base, rest := trusted(h, f.Dir)
	for _, name := range slices.Backward(localFiles) {
		if err := h.RemoveBelow(ctx, base, path.Join(rest, name)); err != nil {
			return fmt.Errorf("cannot remove the registration from its old place %s: %w", plain(f.Dir), err)
		}
	}
	reconcile.Progress(ctx)("the registration has moved; nothing uses " + plain(f.Dir) + " any more: remove it when you need nothing of its _work")
	if f.Unit == unitName(c.URL, c.Name) {
		return nil // kind service writes it anew
	}
	return retireUnit(ctx, h, f.Unit)
}

// wary reads below a directory that may not be root's as it reads below one that
// is: no link is followed on the way to it, either.
type wary struct{ host.Reader }

// ReadBelow starts from where nobody but root can put a link.
func (w wary) ReadBelow(dir, name string) ([]byte, error) {
	base, rest := trusted(w.Reader, dir)
	return w.Reader.ReadBelow(base, path.Join(rest, name))
}

// Lstat says the same of a file behind a link as of one that is not there.
func (w wary) Lstat(p string) (host.Info, error) {
	base, rest := trusted(w.Reader, path.Dir(p))
	entries, err := w.ListBelow(base, rest)
	for _, e := range entries {
		if e.Name == path.Base(p) {
			return e.Info, nil
		}
	}
	if err == nil {
		err = fs.ErrNotExist
	}
	return host.Info{}, err
}

// trusted takes a directory apart into the part that nobody but root can change,
// and the rest of the way, "." when there is none.
func trusted(r host.Reader, dir string) (base, rest string) {
	base, rest = "/", strings.TrimPrefix(path.Clean(dir), "/")
	for rest != "" && rest != "." {
		next, left, _ := strings.Cut(rest, "/")
		p := path.Join(base, next)
		if info, err := r.Lstat(p); err != nil || !info.IsDir() && !info.IsLink() || host.RootsAlone(r, p) != nil {
			return base, rest
		}
		base, rest = p, left
	}
	return base, "."
}
