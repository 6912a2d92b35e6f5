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

// Lock makes this process the one writer of the host (flock(2)), or says who
// is. The lock ends with the process, however that ends. Whoever can open the
// file can lock it, so it is root's alone.
func (m *Machine) Lock(_ context.Context, verb string) (release func(), err error) {
	path := m.at(filepath.Join(runDir, "lock"))
	if err := makeAll(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("cannot lock the host: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err == nil {
		err = f.Chmod(0o600) // one that an earlier version made
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock the host: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		holder, _ := io.ReadAll(io.LimitReader(f, 256))
		return nil, fmt.Errorf("%w: %s; wait for it to end, or end it", ErrLocked, strings.TrimSpace(string(holder)))
	}
	_ = f.Truncate(0)
	_, _ = fmt.Fprintf(f, "benchctl %s, process %d, since %s\n", verb, os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	return func() { f.Close() }, nil
}
