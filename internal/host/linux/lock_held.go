package linux

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Unlocked returns an error that wraps [ErrLocked] while a benchctl is changing
// the host. It asks the kernel (proc_locks(5)) rather than the lock: who tries
// to take that, if only for a moment, may turn an apply away.
func (m *Machine) Unlocked() error {
	path := m.at(LockFile)
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return nil // nobody has ever locked the host since it booted
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return fmt.Errorf("cannot tell whether another benchctl is at work: %w", err)
	}
	inode := fmt.Sprintf(" %02x:%02x:%d ", unix.Major(stat.Dev), unix.Minor(stat.Dev), stat.Ino)
	for line := range strings.Lines(string(locks)) {
		if strings.Contains(line, "FLOCK") && strings.Contains(line, inode) {
			who := unsigned
			if f, err := os.Open(path); err == nil {
				who = holder(f)
				f.Close()
			}
			return fmt.Errorf("%w: %s", ErrLocked, who)
		}
	}
	return nil
}
