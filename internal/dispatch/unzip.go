package dispatch

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// bounds are what is unpacked of one artifact at most.
type bounds struct {
	files   int // and directories
	bytes   int64
	listing int64 // bytes in which the zip says what it holds
}

var usualBounds = bounds{files: 100_000, bytes: 16 << 30, listing: 32 << 20}

// longestName is what Linux takes of a path at once (limits.h, PATH_MAX).
const longestName = 4095

// unpackAs unpacks a zip, in which nothing is trusted, into a new directory. It
// is there whole or not at all.
func unpackAs(from *os.File, dir string, most bounds) (files int, err error) {
	info, err := from.Stat()
	if err != nil {
		return 0, err
	}
	listing := &bounded{ReaderAt: from, left: most.listing}
	archive, err := zip.NewReader(listing, info.Size())
	switch {
	case listing.left < 0:
		return 0, errors.New("it only lists more than is taken; fetch it at GitHub")
	case err != nil:
		return 0, errors.New("it is no zip; look at it at GitHub")
	}
	listing.left = math.MaxInt64
	whole, err := os.MkdirTemp(filepath.Dir(dir), partial)
	if err != nil {
		return 0, bare(err)
	}
	defer os.RemoveAll(whole)
	if err := os.Chmod(whole, 0o755); err != nil {
		return 0, bare(err)
	}
	root, err := os.OpenRoot(whole)
	if err != nil {
		return 0, bare(err)
	}
	defer root.Close()
	if files, err = unpack(archive, root, most); err != nil {
		return 0, err
	}
	return files, os.Rename(whole, dir)
}

// bounded ends with an error once so many bytes were read: a zip's listing is
// held in memory, in ten times its size.
type bounded struct {
	io.ReaderAt
	left int64
}

// ReadAt reads what is left to be read.
func (b *bounded) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errBomb
	}
	return b.ReaderAt.ReadAt(p, off)
}

func unpack(archive *zip.Reader, root *os.Root, most bounds) (files int, err error) {
	if len(archive.File) > most.files {
		return 0, fmt.Errorf("it holds %d files, and %d are unpacked at most; fetch it at GitHub", len(archive.File), most.files)
	}
	left := most.bytes
	dirs := map[string]bool{".": true}
	for _, f := range archive.File {
		name, err := entryName(f)
		if err != nil {
			return 0, err
		}
		dir := name
		if !f.Mode().IsDir() {
			dir = path.Dir(name)
			files++
		}
		if err := makeDirs(root, dir, dirs, most.files-files); err != nil {
			return 0, err
		}
		if f.Mode().IsDir() {
			continue
		}
		n, err := entry(root, name, f, left)
		if err != nil {
			return 0, err
		}
		left -= n
	}
	return files, nil
}

// makeDirs makes a directory and those above it, unless they are too many: one
// name can ask for a thousand.
func makeDirs(root *os.Root, dir string, made map[string]bool, most int) error {
	if made[dir] {
		return nil
	}
	for p := dir; !made[p]; p = path.Dir(p) {
		made[p] = true
	}
	if len(made)-1 > most {
		return errBomb
	}
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", dir, bare(err))
	}
	return nil
}

// entryName is where an entry belongs: a plain file or a directory, inside.
func entryName(f *zip.File) (string, error) {
	name := strings.TrimSuffix(f.Name, "/")
	switch mode := f.Mode(); {
	case !mode.IsRegular() && !mode.IsDir():
		return "", fmt.Errorf("%q in it is no plain file (%s); it was not made by a workflow's own step, look at it at GitHub", f.Name, mode.Type())
	case len(name) > longestName:
		return "", fmt.Errorf("%q... in it has a name of %d bytes; it was not made by a workflow's own step, look at it at GitHub", cut(f.Name, 80), len(name))
	case strings.ContainsAny(name, "\\\x00") || !filepath.IsLocal(name) || path.Clean(name) != name:
		return "", fmt.Errorf("%q in it leads out of its directory; it was not made by a workflow's own step, look at it at GitHub", f.Name)
	}
	return name, nil
}

var errBomb = errors.New("it unpacks to more than is taken; fetch it at GitHub")

// entry unpacks one file of at most most bytes.
func entry(root *os.Root, name string, f *zip.File, most int64) (n int64, err error) {
	in, err := f.Open()
	if err != nil {
		return 0, fmt.Errorf("%q in it cannot be read: %w", f.Name, err)
	}
	defer in.Close()
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return 0, fmt.Errorf("%q is in it twice; look at it at GitHub", f.Name)
	}
	if err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", name, bare(err))
	}
	n, err = io.Copy(out, io.LimitReader(in, most+1))
	if err == nil && n > most {
		err = errBomb
	}
	if last := out.Close(); err == nil {
		err = last
	}
	return n, bare(err)
}
