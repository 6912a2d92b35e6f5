package linux

import (
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
	f, err := m.openLock("lock")
	if err != nil {
		return nil, fmt.Errorf("cannot lock the host: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		return nil, LockedError{holder(f)}
	}
	sign(f, "benchctl "+verb)
	return func() { letGo(f) }, nil
}

// Bounds of waiting for what takes another process a moment.
const (
	maxExclusive   = 20 * time.Second
	exclusivePause = 10 * time.Millisecond
)

// Exclusive waits until no other process holds the same name.
func (m *Machine) Exclusive(name string) (release func(), err error) {
	f, err := m.openLock(name + ".lock")
	if err != nil {
		return nil, fmt.Errorf("cannot lock the %s: %w", name, err)
	}
	for begun := time.Now(); ; time.Sleep(exclusivePause) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			sign(f, filepath.Base(os.Args[0]))
			return func() { letGo(f) }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Since(begun) > maxExclusive {
			defer f.Close()
			return nil, fmt.Errorf("cannot lock the %s: %w; held by %s: wait for it to end, or end it", name, err, holder(f))
		}
	}
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

func holder(f *os.File) string {
	text, _ := io.ReadAll(io.LimitReader(f, 256))
	return strings.TrimSpace(string(text))
}
