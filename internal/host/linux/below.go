package linux

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// What is below a directory of root's may change while it is looked at, by
// somebody who means harm. So every step is taken from an open directory, by a
// plain name, and the kernel is asked to follow no link (openat2(2)).
const (
	beneath  = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS
	sameDisk = beneath | unix.RESOLVE_NO_XDEV
)

// openDir opens a directory in an open one.
func openDir(at int, name string, resolve uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: resolve}
	for {
		fd, err := unix.Openat2(at, name, &how)
		if err == unix.ENOSYS {
			fd, err = openSteps(at, name, resolve)
		}
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), name), nil
		case unix.EINTR, unix.EAGAIN:
		case unix.ELOOP, unix.ENOTDIR:
			return nil, host.ErrNoDir
		default:
			return nil, err
		}
	}
}

// openBelow opens the directory dir/name. name may lie on another file system:
// a directory for work can be a disk of its own.
func (m *Machine) openBelow(dir, name string) (*os.File, error) {
	base, err := unix.Open(m.at(dir), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(base)
		var f *os.File
		if f, err = openDir(base, path.Clean(name), beneath); err == nil {
			return f, nil
		}
	}
	return nil, fmt.Errorf("cannot open %s: %w", path.Join(dir, name), err)
}

// mostListed bounds a list of a hostile directory: who fills one with millions of
// names must not fill our memory.
const mostListed = 50_000

// errEnough ends a list that is as long as it may be.
var errEnough = errors.New("enough")

// ListBelow returns what is in the directory dir/name.
func (m *Machine) ListBelow(dir, name string) ([]host.Entry, error) {
	f, err := m.openBelow(dir, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var entries []host.Entry
	err = batch(f, func(name string) error {
		if len(entries) == mostListed {
			return errEnough
		}
		var st unix.Stat_t
		if err := statAt(f, name, &st); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		entries = append(entries, host.Entry{Name: name, Info: infoOf(&st)})
		return nil
	})
	if err != nil && err != errEnough {
		return nil, fmt.Errorf("cannot list %s: %w", path.Join(dir, name), err)
	}
	slices.SortFunc(entries, func(a, b host.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

func statAt(dir *os.File, name string, st *unix.Stat_t) error {
	return unix.Fstatat(int(dir.Fd()), name, st, unix.AT_SYMLINK_NOFOLLOW)
}

// split takes a name apart into the directory and what lies in it.
func split(name string) (parent, base string, err error) {
	parent, base = path.Split(path.Clean(name))
	if base == "." || base == ".." || strings.HasPrefix(name, "/") {
		return "", "", fmt.Errorf("%q names nothing below a directory", name)
	}
	return path.Clean(parent), base, nil
}

// batch calls do for each name that is left in an open directory, and stops at
// the first error. It holds few names at a time, however many there are.
func batch(dir *os.File, do func(name string) error) error {
	for {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			if err := do(name); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return bare(err)
		}
	}
}
