package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Replace swaps a file's contents whole.
func (m *Machine) Replace(path string, data []byte, perm host.Perm) error {
	m.before("replace", path)
	lock, err := beside(m.at(path), data, perm, true)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, bare(err))
	}
	defer lock.Close()
	m.before("rename", path)
	if err := os.Rename(lock.Name(), m.at(path)); err != nil {
		os.Remove(lock.Name())
		return fmt.Errorf("cannot replace %s: %w", path, bare(err))
	}
	return syncDir(filepath.Dir(m.at(path)))
}

// syncDir makes a rename in a directory last through a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("cannot sync %s: %w", dir, bare(err))
	}
	return nil
}

// Poke writes to a kernel file in one write(2) and never creates it. It truncates
// as a shell does, which a kernel file does not mind, and a plain file in the
// place of one needs.
func (m *Machine) Poke(path, value string) error {
	m.before("poke", path)
	f, err := os.OpenFile(m.at(path), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// Mkdir makes a directory, and its parents as root's 0755.
func (m *Machine) Mkdir(path string, perm host.Perm) error {
	m.before("mkdir", path)
	at := m.at(path)
	if err := makeAll(filepath.Dir(at)); err != nil {
		return err
	}
	if err := os.Mkdir(at, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return setPerm(at, perm, unix.O_DIRECTORY)
}

// makeAll makes a directory and its parents, those that are missing, with mode
// 0755 whatever the umask of who called us: the runner's user has to get through.
func makeAll(at string) error {
	if info, err := os.Stat(at); err == nil && info.IsDir() {
		return nil
	}
	if err := makeAll(filepath.Dir(at)); err != nil {
		return err
	}
	if err := os.Mkdir(at, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil // somebody was faster, or it is no directory: what follows says so
		}
		return err
	}
	return os.Chmod(at, 0o755)
}

// SetPerm gives an existing file or directory its owner and mode.
func (m *Machine) SetPerm(path string, perm host.Perm) error {
	m.before("setperm", path)
	return setPerm(m.at(path), perm, 0)
}

// setPerm works on an open file, so that no link can be put in its place.
func setPerm(at string, perm host.Perm, flags int) error {
	f, err := os.OpenFile(at, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|flags, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if perm.UID != 0 {
		if err := refuseHardLink(f); err != nil {
			return err
		}
	}
	return give(f, perm)
}

// give gives an open file its owner, and then its mode: chown clears set-id bits,
// and nobody may read early. What has its owner is not given it again, which the
// agent's sandbox would refuse.
func give(f *os.File, perm host.Perm) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != perm.UID || int(st.Gid) != perm.GID {
		if err := f.Chown(perm.UID, perm.GID); err != nil {
			return err
		}
	}
	return f.Chmod(perm.Mode)
}

// refuseHardLink keeps root from giving a user a file that has another name:
// that name may be /etc/shadow.
func refuseHardLink(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1 {
		return fmt.Errorf("%s has %d names: %w", f.Name(), st.Nlink, host.ErrHostile)
	}
	return nil
}

// Symlink makes path a link to target, replacing a link atomically.
func (m *Machine) Symlink(target, path string) error {
	m.before("symlink", path)
	at := m.at(path)
	sweepBeside(at)
	tmp := besideName(at)
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, at); err != nil {
		os.Remove(tmp)
		return err
	}
	return syncDir(filepath.Dir(at))
}

// Rename moves a file or directory and makes that last.
func (m *Machine) Rename(from, to string) error {
	m.before("rename", to)
	if err := os.Rename(m.at(from), m.at(to)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(m.at(to)))
}

// Remove deletes a file or an empty directory.
func (m *Machine) Remove(path string) error {
	m.before("remove", path)
	if err := os.Remove(m.at(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// RemoveAll deletes a tree.
func (m *Machine) RemoveAll(path string) error {
	m.before("remove", path)
	return os.RemoveAll(m.at(path))
}

// bare takes the path off an error whose sentence names the file already.
func bare(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}
