package linux

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// ReadFile returns a whole file.
func (m *Machine) ReadFile(path string) ([]byte, error) {
	if err := m.refuseEndless(path); err != nil {
		return nil, err
	}
	return os.ReadFile(m.at(path))
}

// Open opens a file for reading.
func (m *Machine) Open(path string) (io.ReadCloser, error) {
	if err := m.refuseEndless(path); err != nil {
		return nil, err
	}
	return os.Open(m.at(path))
}

// refuseEndless refuses what a hand put in the place of a file, where a reader
// would wait for ever or read for ever: a fifo, a device other than /dev/null,
// which is how units are masked. That there is nothing is for who opens it to say.
func (m *Machine) refuseEndless(path string) error {
	var st unix.Stat_t
	if unix.Stat(m.at(path), &st) != nil {
		return nil
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFIFO, unix.S_IFBLK:
	case unix.S_IFCHR:
		if uint64(st.Rdev) == unix.Mkdev(1, 3) {
			return nil
		}
	default:
		return nil
	}
	return &fs.PathError{Op: "open", Path: path, Err: host.ErrHostile}
}

// Readlink returns what a link points to.
func (m *Machine) Readlink(path string) (string, error) { return os.Readlink(m.at(path)) }

// ReadDir returns the names in a directory, sorted.
func (m *Machine) ReadDir(path string) ([]string, error) {
	entries, err := os.ReadDir(m.at(path))
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Glob returns the paths that match a pattern, sorted.
func (m *Machine) Glob(pattern string) ([]string, error) {
	found, err := filepath.Glob(m.at(pattern))
	for i, path := range found {
		found[i] = strings.TrimPrefix(path, m.rooted())
	}
	return found, err
}

// ReadBelow reads dir/name as hostile input. os.Root keeps every step below
// dir, O_NONBLOCK keeps a fifo from holding us, and the file is looked at after
// it was opened, so that nothing can be swapped in between.
func (m *Machine) ReadBelow(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(m.at(dir))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := refuseLinks(root, name); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readPlain(f, filepath.Join(dir, name))
}

// refuseLinks looks at each directory on the way to name. A link that appears
// after the look still cannot lead out of root.
func refuseLinks(root *os.Root, name string) error {
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' {
			continue
		}
		info, err := root.Lstat(name[:i])
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("cannot read %s: it is a link: %w", name[:i], host.ErrHostile)
		}
	}
	return nil
}

func readPlain(f *os.File, path string) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > host.MaxHostile {
		return nil, fmt.Errorf("cannot read %s (%s, %d bytes): %w", path, info.Mode(), info.Size(), host.ErrHostile)
	}
	data, err := io.ReadAll(io.LimitReader(f, host.MaxHostile+1))
	if err == nil && len(data) > host.MaxHostile {
		err = fmt.Errorf("cannot read %s: it grows: %w", path, host.ErrHostile)
	}
	return data, err
}

// Lstat describes a file and never follows a link.
func (m *Machine) Lstat(path string) (host.Info, error) {
	var st unix.Stat_t
	if err := unix.Lstat(m.at(path), &st); err != nil {
		return host.Info{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return infoOf(&st), nil
}

func infoOf(st *unix.Stat_t) host.Info {
	mode := fileMode(st.Mode)
	return host.Info{
		Perm:  host.Perm{Mode: mode &^ fs.ModeType, UID: int(st.Uid), GID: int(st.Gid)},
		Type:  mode & fs.ModeType,
		Size:  st.Size,
		Inode: st.Ino,
		Mtime: time.Unix(st.Mtim.Unix()),
		Ctime: time.Unix(st.Ctim.Unix()),
	}
}

// fileMode turns st_mode into Go's notation (inode(7)).
func fileMode(st uint32) fs.FileMode {
	mode := fs.FileMode(st & 0o777)
	types := map[uint32]fs.FileMode{
		unix.S_IFDIR: fs.ModeDir, unix.S_IFLNK: fs.ModeSymlink, unix.S_IFIFO: fs.ModeNamedPipe,
		unix.S_IFSOCK: fs.ModeSocket, unix.S_IFBLK: fs.ModeDevice, unix.S_IFCHR: fs.ModeDevice | fs.ModeCharDevice,
	}
	mode |= types[st&unix.S_IFMT]
	for bit, m := range map[uint32]fs.FileMode{unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky} {
		if st&bit != 0 {
			mode |= m
		}
	}
	return mode
}

func firstLine(data []byte) string {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return strings.TrimSpace(string(line))
}
