package lab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Path returns where a path of the machine's own tree is found from outside,
// whether the machine is up or down. Links with an absolute target are not the
// machine's there, and what it mounts itself, such as /run, is not seen.
func (m *Machine) Path(path string) string {
	return m.cell.path(m.cell.merged() + filepath.Clean("/"+path))
}

// Read returns a file as the machine sees it.
func (m *Machine) Read(path string) ([]byte, error) {
	f, err := m.openIn(path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Put writes a file into the machine as root's, with its directories. A link
// in the way is replaced, never followed.
func (m *Machine) Put(path string, data []byte, mode fs.FileMode) error {
	return m.replace(path, data, mode)
}

func (m *Machine) replace(name string, data []byte, mode fs.FileMode) error {
	dir, err := m.mkdirIn(path.Dir(path.Clean("/" + name)))
	if err != nil {
		return err
	}
	defer dir.Close()
	base := path.Base(name)
	if err := unix.Unlinkat(int(dir.Fd()), base, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot replace %s: %w", name, err)
	}
	fd, err := unix.Openat(int(dir.Fd()), base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = f.Write(data)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

func (m *Machine) appendTo(path string, data []byte) error {
	f, err := m.openIn(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// openIn opens a path with the machine's root as root, so that no link leads
// out of it.
func (m *Machine) openIn(path string, flags int, mode uint64) (*os.File, error) {
	root, err := os.Open(m.view())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	fd, err := unix.Openat2(int(root.Fd()), path, &unix.OpenHow{
		Flags: uint64(flags) | unix.O_CLOEXEC, Mode: mode, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// mkdirIn opens a directory of the machine, made if need be.
func (m *Machine) mkdirIn(dir string) (*os.File, error) {
	f, err := m.openIn(dir, unix.O_DIRECTORY, 0)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	parent, err := m.mkdirIn(path.Dir(dir))
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	if err := unix.Mkdirat(int(parent.Fd()), path.Base(dir), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make %s: %w", dir, err)
	}
	return m.openIn(dir, unix.O_DIRECTORY, 0)
}

// view is the machine's root: as its init sees it while it is up, with all
// that is mounted, and its bare tree while it is down.
func (m *Machine) view() string {
	if pid, err := m.PID(); err == nil {
		return fmt.Sprintf("/proc/%d/root", pid)
	}
	return m.Path("/")
}
