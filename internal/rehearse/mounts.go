package rehearse

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// localTypes are the file systems on local disks that an overlay can lie over.
// vfat (/boot/efi) is none: overlayfs refuses names that ignore case.
var localTypes = []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs"}

// A mount is a file system of this machine below its root.
type mount struct{ path, fstype string }

// remote reports whether it comes over a network or from a user's program, so
// that its owner may wonder where it is.
func (m mount) remote() bool {
	return strings.HasPrefix(m.fstype, "nfs") || strings.HasPrefix(m.fstype, "fuse") || m.fstype == "cifs"
}

// mounts reads /proc/self/mountinfo (proc(5)) and splits what is mounted below
// / into what a copy can carry and what it cannot, parents first.
func mounts() (carried, left []mount, err error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, nil, fmt.Errorf("cannot see what is mounted: %w", err)
	}
	carried, left = splitMounts(data)
	onFile := func(m mount) bool { info, err := os.Lstat(m.path); return err == nil && !info.IsDir() }
	return slices.DeleteFunc(carried, onFile), left, nil
}

func splitMounts(mountinfo []byte) (carried, left []mount) {
	last := map[string]mount{} // what is mounted later hides what was there
	for line := range bytes.Lines(mountinfo) {
		if m, ok := parseMount(string(line)); ok && m.path != "/" && !ofTheKernel(m.path) {
			last[m.path] = m
		}
	}
	for _, path := range slices.Sorted(maps.Keys(last)) {
		m := last[path]
		below := slices.ContainsFunc(left, func(l mount) bool { return within(path, l.path) })
		if below || !slices.Contains(localTypes, m.fstype) {
			left = append(left, m)
		} else {
			carried = append(carried, m)
		}
	}
	return carried, left
}

// ofTheKernel reports whether a path is mounted by the copy's own systemd.
func ofTheKernel(path string) bool {
	return slices.ContainsFunc([]string{"/proc", "/sys", "/dev", "/run"}, func(dir string) bool { return within(path, dir) })
}

// parseMount takes the mount point and the type out of a line: "36 35 98:0
// /root /point options optional... - type source options".
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	fields, rest := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < 5 || len(rest) < 1 {
		return mount{}, false
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	return mount{unescape.Replace(fields[4]), rest[0]}, true
}
