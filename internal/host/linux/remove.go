package linux

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// mostRemoved bounds a removal from a directory that somebody fills meanwhile.
const mostRemoved = 10_000_000

// RemoveBelow deletes the file or tree dir/name.
func (m *Machine) RemoveBelow(ctx context.Context, dir, name string) error {
	parent, base, err := split(name)
	if err != nil {
		return err
	}
	m.before("rename", path.Join(dir, name))
	f, err := m.openBelow(dir, parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := &removal{ctx: ctx, top: f}
	base = r.setAside(base)
	m.before("remove", path.Join(dir, name))
	if err := r.entry(f, base, 0); err != nil {
		return fmt.Errorf("cannot remove %s: %w", path.Join(dir, name), err)
	}
	return nil
}

// A removal is one RemoveBelow on its way.
type removal struct {
	ctx   context.Context
	top   *os.File // where what is too deep is hung
	count int
}

// setAside gives a directory a name that nobody looks for, so that no job finds
// half of it. Where that cannot be, as in the lower layer of an overlay, it is
// deleted where it is.
func (r *removal) setAside(base string) string {
	var st unix.Stat_t
	if strings.HasPrefix(base, host.GonePrefix) || statAt(r.top, base, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return base
	}
	aside := goneName()
	if r.rename(r.top, base, r.top, aside) != nil {
		return base
	}
	return aside
}

// goneName cannot be guessed, so that nobody is there before us.
func goneName() string { return host.GonePrefix + strings.ToLower(rand.Text()) }

func (r *removal) rename(from *os.File, old string, to *os.File, new string) error {
	return unix.Renameat2(int(from.Fd()), old, int(to.Fd()), new, unix.RENAME_NOREPLACE)
}

// entry deletes a name of an open directory, and what lies below it first.
func (r *removal) entry(dir *os.File, name string, depth int) error {
	if r.count++; r.count > mostRemoved {
		return fmt.Errorf("%d files are gone and there is no end to them; end what writes there", mostRemoved)
	}
	if err := r.ctx.Err(); err != nil {
		return fmt.Errorf("interrupted (%w); the next apply goes on", err)
	}
	fd := int(dir.Fd())
	err := unix.Unlinkat(fd, name, 0)
	if err == unix.EISDIR || err == unix.EPERM { // EPERM is POSIX's word for a directory
		err = unix.Unlinkat(fd, name, unix.AT_REMOVEDIR)
	}
	switch err {
	case nil, unix.ENOENT:
		return nil
	case unix.EBUSY:
		return mounted(name)
	case unix.ENOTEMPTY, unix.EEXIST:
		return r.directory(dir, name, depth)
	}
	return fmt.Errorf("%q: %w", name, err)
}

func mounted(name string) error {
	return fmt.Errorf("something is mounted at %q; unmount it first", name)
}

// directory empties a directory and deletes it. One that lies too deep for one
// more open file is hung at the top, where the removal comes by again.
func (r *removal) directory(dir *os.File, name string, depth int) error {
	if depth == deepest {
		return r.rename(dir, name, r.top, goneName())
	}
	f, err := openDir(int(dir.Fd()), name, sameDisk)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, unix.EXDEV):
		return mounted(name)
	case err != nil:
		return fmt.Errorf("%q: %w", name, err)
	}
	defer f.Close()
	if depth == 0 {
		r.top = f
	}
	if err := r.empty(f, depth); err != nil {
		return err
	}
	if err := unix.Unlinkat(int(dir.Fd()), name, unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT {
		return fmt.Errorf("%q: %w", name, err)
	}
	return nil
}

// empty deletes all that is in a directory. Deleting while reading skips names,
// so it reads until there are none. What cannot be deleted keeps nothing else.
func (r *removal) empty(dir *os.File, depth int) error {
	for {
		names, failed := 0, error(nil)
		err := batch(dir, func(name string) error {
			err := r.entry(dir, name, depth+1)
			if names++; err != nil && failed == nil {
				failed = err
			}
			return r.ctx.Err()
		})
		switch {
		case failed != nil:
			return failed
		case err != nil || names == 0:
			return err
		}
		if _, err := dir.Seek(0, 0); err != nil {
			return bare(err)
		}
	}
}
