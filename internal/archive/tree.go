package archive

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A tree is the third stage: it reads the tar stream, decides what each entry
// may become, and gives regular files to the writers. It knows every path that
// is there, so nothing is ever made twice or below something that is no
// directory. Links wait until the end: while files are written there is none.
type tree struct {
	root   *os.Root
	a      host.Archive
	limits Limits
	out    *writers

	files []host.UnpackedFile
	index map[string]int // path to its place in files
	links []link
	first map[int]int // of hard links, the file that all of them are
	bytes int64       // of regular files
	names int64       // of paths
}

type link struct {
	file int // its place in files
	hard bool
}

func newTree(root *os.Root, a host.Archive, limits Limits) *tree {
	return &tree{root: root, a: a, limits: limits, index: map[string]int{}, first: map[int]int{}}
}

// read unpacks everything but links.
func (t *tree) read(in *pipe) error {
	defer in.leave()
	t.out = newWriters(t.root, t.a.UID, t.a.GID)
	err := t.entries(in)
	written, writeErr := t.out.wait()
	if writeErr != nil {
		return writeErr
	}
	for _, w := range written {
		t.files[w.file].Info, t.files[w.file].SHA256 = w.info, w.sha256
	}
	return err
}

func (t *tree) entries(in *pipe) error {
	tr := tar.NewReader(in)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return rest(in)
		}
		if err != nil {
			return asUnsound(err)
		}
		if err := t.entry(h, tr); err != nil {
			return err
		}
	}
}

// rest reads what follows the end of the archive: padding, or something else.
func rest(in *pipe) error {
	block := make([]byte, 32<<10)
	for {
		n, err := in.Read(block)
		for _, b := range block[:n] {
			if b != 0 {
				return unsound("something follows the end of it")
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return asUnsound(err)
		}
	}
}

// asUnsound keeps the disk's errors and the network's apart from tar's.
func asUnsound(err error) error {
	switch {
	case errors.Is(err, ErrUnsound):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return unsound("it ends too early")
	}
	return unsound("%w", err)
}

func (t *tree) entry(h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	at, err := entryPath(h.Name, t.a.Strip, t.limits.Path)
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		return t.dir(at)
	}
	if at == "" {
		return unsound("%q lies outside the directory that is to be unpacked", h.Name)
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return t.regular(at, h, r)
	case tar.TypeSymlink:
		return t.symlink(at, h.Linkname)
	case tar.TypeLink:
		return t.hardlink(at, h.Linkname)
	}
	return unsound("%q is of a kind (%q) that has no place in it", h.Name, h.Typeflag)
}

// add takes note of a path that must be new, and makes its parents.
func (t *tree) add(at string, kind fs.FileMode) (int, error) {
	if i, ok := t.index[at]; ok {
		return 0, unsound("%q is in it twice, also as %q", at, t.files[i].Path)
	}
	if parent := path.Dir(at); parent != "." {
		if err := t.dir(parent); err != nil {
			return 0, err
		}
	}
	t.names += int64(len(at))
	if len(t.files) >= t.limits.Entries || t.names > t.limits.Names {
		return 0, unsound("it holds more than %d files, or their names more than %d bytes", t.limits.Entries, t.limits.Names)
	}
	t.files = append(t.files, host.UnpackedFile{Path: at, Info: host.Info{Type: kind}})
	t.index[at] = len(t.files) - 1
	return len(t.files) - 1, nil
}

func (t *tree) dir(at string) error {
	if at == "" {
		return nil
	}
	if i, ok := t.index[at]; ok {
		if !t.files[i].IsDir() {
			return unsound("something in it lies below %q, which is no directory", at)
		}
		return nil
	}
	if _, err := t.add(at, fs.ModeDir); err != nil {
		return err
	}
	return t.root.Mkdir(at, 0o755)
}

func (t *tree) regular(at string, h *tar.Header, r io.Reader) error {
	t.bytes += h.Size
	if h.Size < 0 || t.bytes > t.limits.Bytes {
		return unsound("its files hold more than %d bytes", t.limits.Bytes)
	}
	i, err := t.add(at, 0)
	if err != nil {
		return err
	}
	err = t.out.file(i, at, saneMode(h), h.Size, r)
	if errors.Is(err, errWriters) {
		return err
	}
	if err != nil {
		return asUnsound(err)
	}
	return nil
}

func (t *tree) symlink(at, target string) error {
	if err := checkTarget(at, target); err != nil {
		return err
	}
	i, err := t.add(at, fs.ModeSymlink)
	if err != nil {
		return err
	}
	t.files[i].Target = target
	t.links = append(t.links, link{file: i})
	return nil
}

func (t *tree) hardlink(at, name string) error {
	to, err := entryPath(name, t.a.Strip, t.limits.Path)
	if err != nil {
		return err
	}
	j, ok := t.index[to]
	if !ok || !t.files[j].IsRegular() {
		return unsound("the link %q leads to %q, which is no file before it in the archive", at, name)
	}
	i, err := t.add(at, 0)
	if err != nil {
		return err
	}
	if original, ok := t.first[j]; ok {
		j = original
	}
	t.first[i] = j
	t.links = append(t.links, link{file: i, hard: true})
	return nil
}
