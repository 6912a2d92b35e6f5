package rehearse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// scratchDir holds what a rehearsal needs outside of the copy, up to a whole
// runner: it is on a disk, and hidden from the copy.
const scratchDir = "/var/tmp"

const scratchPrefix = "benchctl-rehearsal-"

// scratch makes a directory for one rehearsal. Its lock ends with the process,
// however that ends, so that the next rehearsal knows what a killed one left,
// and clears it away.
func scratch() (dir string, remove func(), err error) {
	if err := sweep(scratchDir); err != nil {
		return "", nil, err
	}
	for {
		if dir, err = os.MkdirTemp(scratchDir, fmt.Sprintf("%s%d-", scratchPrefix, os.Getpid())); err != nil {
			return "", nil, err
		}
		lock, err := claim(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EWOULDBLOCK) {
			continue // somebody swept it up before it was locked
		}
		if err != nil {
			return "", nil, err
		}
		return dir, func() { os.RemoveAll(dir); lock.Close() }, nil
	}
}

// sweep removes what killed rehearsals left in a directory where anybody may
// write: only what is root's, and what nobody holds.
func sweep(in string) error {
	left, err := filepath.Glob(filepath.Join(in, scratchPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range left {
		lock, err := claim(dir)
		if err != nil {
			continue
		}
		err = os.RemoveAll(dir)
		lock.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// claim locks a directory of root's that is still where it was.
func claim(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var opened, there unix.Stat_t
	err = errors.Join(unix.Fstat(int(f.Fd()), &opened), unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB))
	if err == nil {
		err = unix.Lstat(dir, &there)
	}
	if err == nil && (there.Ino != opened.Ino || there.Uid != uint32(os.Geteuid())) {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
