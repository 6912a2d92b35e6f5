package rehearse

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

// localTypes are the file systems that carry a system on local disks. What
// comes over a network or from a user's program is left out of the copy.
var localTypes = []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs", "overlay", "vfat"}

// A mount is a file system that the copy should have, or should not.
type mount struct{ path, fstype string }

// mounts reads /proc/self/mountinfo (proc(5)) and splits what is mounted below
// / into what a copy carries and what it leaves out, parents first.
func mounts() (carried, left []mount, err error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, nil, fmt.Errorf("cannot see what is mounted: %w", err)
	}
	carried, left = splitMounts(data)
	return carried, left, nil
}

func splitMounts(mountinfo []byte) (carried, left []mount) {
	for line := range bytes.Lines(mountinfo) {
		m, ok := parseMount(string(line))
		if !ok || m.path == "/" || !wanted(m.path) {
			continue
		}
		if slices.Contains(localTypes, m.fstype) {
			carried = append(carried, m)
		} else if strings.Contains(m.fstype, "nfs") || strings.HasPrefix(m.fstype, "fuse") || m.fstype == "cifs" {
			left = append(left, m)
		}
	}
	byPath := func(a, b mount) int { return strings.Compare(a.path, b.path) }
	slices.SortFunc(carried, byPath)
	slices.SortFunc(left, byPath)
	return slices.Compact(carried), slices.Compact(left)
}

// wanted leaves out what the copy's own systemd mounts, and media that no
// system lives on.
func wanted(path string) bool {
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/media", "/mnt"} {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return false
		}
	}
	return true
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
