package gate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// aptLocks are the files that apt and dpkg lock while they change packages
// (apt.conf(5) DPkg::Lock::Timeout, dpkg's lib/dpkg/dbmodify.c).
var aptLocks = []string{
	"/var/lib/dpkg/lock-frontend",
	"/var/lib/dpkg/lock",
	"/var/lib/apt/lists/lock",
	"/var/cache/apt/archives/lock",
}

// packages looks for a package manager at work. Who has the lock files open is
// hidden from a job, and it may not open them itself; but the kernel lists every
// lock with the file system and the inode of its file (/proc/locks, proc(5)).
func (g Gate) packages() []Finding {
	mounts, err := g.Host.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return []Finding{cannotSee(err)}
	}
	text, err := g.Host.ReadFile("/proc/locks")
	if err != nil {
		return []Finding{cannotSee(err)}
	}
	locks := writeLocks(text)
	for _, file := range aptLocks {
		info, err := g.Host.Lstat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // nobody ever locked it
		}
		if err != nil {
			return []Finding{cannotSee(err)}
		}
		if pid, held := locks[lockID{deviceOf(mounts, file), info.Inode}]; held {
			return []Finding{differs("packages are being changed: process %s holds %s", pid, file)}
		}
	}
	return []Finding{inStep("no package manager at work")}
}

// A lockID is a file as /proc/locks names one.
type lockID struct {
	device string // of its file system: MAJOR:MINOR, decimal
	inode  uint64
}

// writeLocks are the POSIX locks for writing, as fcntl(2) makes them, with the
// process that has each.
func writeLocks(text []byte) map[lockID]string {
	locks := map[lockID]string{}
	for line := range bytes.Lines(text) {
		// 1: POSIX  ADVISORY  WRITE 4211 00:2d:8811 0 EOF
		fields := strings.Fields(string(line))
		if len(fields) < 6 || fields[1] != "POSIX" || fields[3] != "WRITE" {
			continue
		}
		var major, minor uint
		var inode uint64
		if _, err := fmt.Sscanf(fields[5], "%x:%x:%d", &major, &minor, &inode); err == nil {
			locks[lockID{fmt.Sprintf("%d:%d", major, minor), inode}] = fields[4]
		}
	}
	return locks
}

// deviceOf is the device of the file system that a file lies on. What stat(2)
// says will not do: on btrfs and overlayfs it is another one than in /proc/locks,
// while /proc/self/mountinfo agrees with that.
func deviceOf(mounts []byte, file string) string {
	device, longest := "", -1
	for line := range bytes.Lines(mounts) {
		// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
		fields := strings.Fields(string(line))
		if len(fields) < 5 {
			continue
		}
		point := strings.TrimSuffix(unescaped(fields[4]), "/")
		// Of two mounts at one place, the later one hides the other.
		if strings.HasPrefix(file, point+"/") && len(point) >= longest {
			device, longest = fields[2], len(point)
		}
	}
	return device
}

// unescaped undoes how mountinfo writes spaces: \040.
func unescaped(path string) string {
	if !strings.Contains(path, `\`) {
		return path
	}
	if text, err := strconv.Unquote(`"` + strings.ReplaceAll(path, `"`, `\"`) + `"`); err == nil {
		return text
	}
	return path
}
