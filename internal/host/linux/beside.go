package linux

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// besideSuffix ends the name of what will take a file's place. Between it and
// the file's name stands one that nobody can guess: two processes never write
// to the same file, and nobody can be there before us.
const besideSuffix = ".benchctl-new"

func besideName(at string) string {
	dir, name := filepath.Split(at)
	return dir + "." + name + "." + strings.ToLower(rand.Text()) + besideSuffix
}

// beside makes a new file in the directory of at, which is to take its place,
// and returns its lock: until that is closed nobody takes it for a leftover.
// Synced, it is on the disk by then. It is not open for writing any more, which
// would keep a program from being started.
func beside(at string, data []byte, perm host.Perm, synced bool) (lock *os.File, err error) {
	sweepBeside(at)
	var f *os.File
	for lock == nil && err == nil {
		f, lock, err = claimBeside(at)
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(fill(f, data, perm, synced), f.Close()); err != nil {
		os.Remove(lock.Name())
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// claimBeside makes an empty file and locks it. In the moment between the two
// another process may sweep it up: then there is neither.
func claimBeside(at string) (f, lock *os.File, err error) {
	name := besideName(at)
	f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, err
	}
	var st unix.Stat_t
	if lock, err = os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW, 0); err == nil {
		err = errors.Join(unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.Fstat(int(lock.Fd()), &st))
	}
	if err == nil && st.Nlink == 1 {
		return f, lock, nil
	}
	os.Remove(name)
	f.Close()
	lock.Close()
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil, nil
	}
	return nil, nil, err
}

func fill(f *os.File, data []byte, perm host.Perm, synced bool) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := give(f, perm); err != nil || !synced {
		return err
	}
	return f.Sync()
}

// sweepBeside removes what killed processes left beside a file. That it cannot
// be seen or removed is no reason not to write the file.
func sweepBeside(at string) {
	dir, name := filepath.Split(at)
	entries, _ := names(dir, mostBeside)
	for _, entry := range entries {
		middle, ours := strings.CutPrefix(entry, "."+name)
		middle, isNew := strings.CutSuffix(middle, besideSuffix)
		if ours && isNew && (middle == "" || len(middle) == len("."+rand.Text()) && middle[0] == '.') {
			removeStale(dir + entry)
		}
	}
}

// mostBeside bounds the look at a directory, which may be one that the runner's
// user fills.
const mostBeside = 10_000

func names(dir string, most int) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(most)
}

// removeStale removes a link or a plain file of ours that no process writes to.
func removeStale(path string) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || int(st.Uid) != os.Geteuid() {
		return
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK: // made by apply alone, of which there is one
		os.Remove(path)
	case unix.S_IFREG:
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return
		}
		defer f.Close()
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.Remove(path)
		}
	}
}
