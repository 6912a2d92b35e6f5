package linux

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another benchctl is changing this host.
var ErrLocked = errors.New("another benchctl is at work on this host")

// A LockedError is an [ErrLocked] that says by whom.
type LockedError struct {
	Holder string // as it signed: "benchctl VERB, process N, since TIME"
}

func (e LockedError) Error() string {
	return fmt.Sprintf("%v: %s; wait for it to end, or end it", ErrLocked, e.Holder)
}

// Is makes it an [ErrLocked].
func (LockedError) Is(target error) bool { return target == ErrLocked }

// LockFile is what [Machine.Lock] locks.
const LockFile = runDir + "/lock"

// Lock makes this process the one writer of the host (flock(2)), or says who
// is. The lock ends with the process, however that ends.
func (m *Machine) Lock(_ context.Context, verb string) (release func(), err error) {
	release, err = m.tryLock("lock", "benchctl "+verb)
	if err != nil && !errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("cannot lock the host: %w", err)
	}
	return release, err
}

// Bounds of waiting for what takes another process a moment.
const (
	maxExclusive   = 20 * time.Second
	exclusivePause = 10 * time.Millisecond
)

// Exclusive waits until no other process holds the same name.
func (m *Machine) Exclusive(name string) (release func(), err error) {
	for begun := time.Now(); ; time.Sleep(exclusivePause) {
		release, err := m.tryLock(name+".lock", filepath.Base(os.Args[0]))
		var locked LockedError
		switch {
		case err == nil:
			return release, nil
		case !errors.As(err, &locked):
			return nil, fmt.Errorf("cannot lock the %s: %w", name, err)
		case time.Since(begun) > maxExclusive:
			return nil, fmt.Errorf("cannot lock the %s within %s; held by %s: wait for it to end, or end it", name, maxExclusive, locked.Holder)
		}
	}
}

// tryLock takes a lock and signs it, or returns a [LockedError]. A file that was
// removed before it was locked, as by the end of a removal, keeps nobody out any
// more: then the one in its place is taken.
func (m *Machine) tryLock(name, who string) (release func(), err error) {
	for range mostVanished {
		f, err := m.openLock(name)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && inPlace(f) {
			sign(f, who)
			return func() { letGo(f) }, nil
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = LockedError{holder(f)}
		}
		if f.Close(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s was removed each time it was locked; see what does that, and try again", name)
}

// mostVanished is how often a lock may be removed under our hands.
const mostVanished = 100

// inPlace reports whether an open file is still the one of its name.
func inPlace(f *os.File) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(open, there)
}

// letGo ends a lock at once. To close its file would leave it to a child that is
// between fork and exec, for as long as that takes (flock(2)).
func letGo(f *os.File) {
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
	f.Close()
}

// openLock opens a lock's file. Whoever can open it can lock it, so it is
// root's alone.
func (m *Machine) openLock(name string) (*os.File, error) {
	path := m.at(filepath.Join(runDir, name))
	if err := makeAll(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil { // one that an earlier version made
		f.Close()
		return nil, err
	}
	return f, nil
}

// sign says in a lock's file who has it.
func sign(f *os.File, who string) {
	_ = f.Truncate(0)
	_, _ = fmt.Fprintf(f, "%s, process %d, since %s\n", who, os.Getpid(), time.Now().UTC().Format(time.RFC3339))
}

// unsigned is whoever holds a lock and has not said so.
const unsigned = "a process that has not said who it is"

// holder is who signed a lock. In the moment before one has, and where there is no
// room to, it is not known.
func holder(f *os.File) string {
	text, _ := io.ReadAll(io.LimitReader(f, 256))
	return cmp.Or(strings.TrimSpace(string(text)), unsigned)
}
