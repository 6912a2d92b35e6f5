package resources

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// aptLocks are the files that apt and dpkg lock while they change packages
// (apt.conf(5) DPkg::Lock::Timeout, dpkg's lib/dpkg/dbmodify.c).
var aptLocks = []string{
	"/var/lib/dpkg/lock-frontend",
	"/var/lib/dpkg/lock",
	"/var/lib/apt/lists/lock",
	"/var/cache/apt/archives/lock",
}

// A lockHolder is a process that has apt or dpkg locked.
type lockHolder struct {
	PID  string
	Name string // its command
}

func (l lockHolder) String() string { return fmt.Sprintf("%s (pid %s)", l.Name, l.PID) }

// aptLockedBy returns who holds a lock of apt or dpkg. Of those who hold a
// POSIX lock (/proc/locks, proc(5)), it is the one that has such a file open:
// inode numbers say nothing certain on an overlay or btrfs.
func aptLockedBy(r host.Reader) (lockHolder, bool) {
	locks, _ := r.ReadFile("/proc/locks")
	for line := range bytes.Lines(locks) {
		// 1: POSIX  ADVISORY  WRITE 4211 00:2d:8811 0 EOF
		fields := strings.Fields(string(line))
		if len(fields) < 5 || fields[1] != "POSIX" || fields[3] != "WRITE" {
			continue
		}
		if pid := fields[4]; hasAptLockOpen(r, pid) {
			return lockHolder{pid, commandOf(r, pid)}, true
		}
	}
	return lockHolder{}, false
}

func hasAptLockOpen(r host.Reader, pid string) bool {
	fds, _ := r.Glob("/proc/" + pid + "/fd/*")
	return slices.ContainsFunc(fds, func(fd string) bool {
		target, err := r.Readlink(fd)
		return err == nil && slices.Contains(aptLocks, target)
	})
}

// commandOf names a process by what it was started as: comm would call half of
// what runs apt "python3".
func commandOf(r host.Reader, pid string) string {
	cmdline, _ := r.ReadFile("/proc/" + pid + "/cmdline")
	args := strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	name := filepath.Base(args[0])
	if strings.HasPrefix(name, "python") && len(args) > 1 {
		name = filepath.Base(args[1])
	}
	if args[0] == "" {
		return "a process"
	}
	return name
}

// waitForLock waits until nobody has apt or dpkg locked, at most a.LockWait.
func (a *Apt) waitForLock(ctx context.Context, r host.Reader) error {
	began, told := time.Now(), time.Time{}
	for {
		holder, held := aptLockedBy(r)
		if !held {
			return nil
		}
		waited := time.Since(began).Round(time.Second)
		if waited >= a.lockWait {
			return fmt.Errorf("cannot change packages: %s has held apt's lock for more than %s; let it finish, or end it, and apply again", holder, waited)
		}
		if time.Since(told) >= 15*time.Second {
			told = time.Now()
			reconcile.Progress(ctx)(fmt.Sprintf("waiting for %s, which is changing packages", holder))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot change packages: %s holds apt's lock, and the wait was cut short (%w); apply again when it is done", holder, ctx.Err())
		case <-time.After(250 * time.Millisecond):
		}
	}
}
