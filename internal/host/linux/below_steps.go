package linux

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// openSteps opens a directory by a clean name as openat2(2) would, where there is
// no such call: seccomp cannot see into its arguments, so that a sandbox with
// RestrictSUIDSGID=, such as the agent's, does without. Each step is an openat(2)
// of a plain name that follows no link, and the mount that it leads to is
// compared where the disk has to stay the same.
func openSteps(at int, name string, resolve uint64) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	here := at
	for step := range strings.SplitSeq(name, "/") {
		fd := -1
		err := error(unix.EXDEV) // what openat2 says of a way out
		if step != ".." && step != "" {
			fd, err = unix.Openat(here, step, flags, 0)
		}
		if err == nil && resolve&unix.RESOLVE_NO_XDEV != 0 {
			err = sameMount(here, fd)
		}
		if here != at {
			unix.Close(here)
		}
		if err != nil {
			if fd >= 0 {
				unix.Close(fd)
			}
			return -1, err
		}
		here = fd
	}
	return here, nil
}

// sameMount refuses a step into another mount, of the same disk or not.
func sameMount(a, b int) error {
	var x, y unix.Statx_t
	const empty = unix.AT_EMPTY_PATH | unix.AT_STATX_DONT_SYNC
	if err := errors.Join(unix.Statx(a, "", empty, unix.STATX_MNT_ID, &x), unix.Statx(b, "", empty, unix.STATX_MNT_ID, &y)); err != nil {
		return err
	}
	if x.Mask&y.Mask&unix.STATX_MNT_ID == 0 || x.Mnt_id != y.Mnt_id {
		return unix.EXDEV
	}
	return nil
}
