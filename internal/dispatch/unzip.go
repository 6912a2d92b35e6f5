package dispatch

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// bounds are what is unpacked of one artifact at most.
type bounds struct {
	files int
	bytes int64
}

var usualBounds = bounds{files: 100_000, bytes: 16 << 30}

// unpackAs unpacks a zip, in which nothing is trusted, into a new directory. It
// is there whole or not at all.
func unpackAs(from *os.File, dir string, most bounds) (files int, err error) {
	info, err := from.Stat()
	if err != nil {
		return 0, err
	}
	archive, err := zip.NewReader(from, info.Size())
	if err != nil {
		return 0, errors.New("it is no zip; look at it at GitHub")
	}
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

func unpack(archive *zip.Reader, root *os.Root, most bounds) (files int, err error) {
	if len(archive.File) > most.files {
		return 0, fmt.Errorf("it holds %d files, and %d are unpacked at most; fetch it at GitHub", len(archive.File), most.files)
	}
	left := most.bytes
	for _, f := range archive.File {
		name, err := entryName(f)
		if err != nil {
			return 0, err
		}
		if f.Mode().IsDir() {
			err = root.MkdirAll(name, 0o755)
		} else {
			var n int64
			n, err = entry(root, name, f, left)
			left -= n
			files++
		}
		if err != nil {
			return 0, err
		}
	}
	return files, nil
}

// entryName is where an entry belongs: a plain file or a directory, inside.
func entryName(f *zip.File) (string, error) {
	name := strings.TrimSuffix(f.Name, "/")
	switch mode := f.Mode(); {
	case !mode.IsRegular() && !mode.IsDir():
		return "", fmt.Errorf("%q in it is no plain file (%s); it was not made by a workflow's own step, look at it at GitHub", f.Name, mode.Type())
	case strings.ContainsAny(name, "\\\x00") || !filepath.IsLocal(name) || path.Clean(name) != name:
		return "", fmt.Errorf("%q in it leads out of its directory; it was not made by a workflow's own step, look at it at GitHub", f.Name)
	}
	return name, nil
}

var errBomb = errors.New("it unpacks to more than is taken; fetch it at GitHub")

// entry unpacks one file of at most most bytes.
func entry(root *os.Root, name string, f *zip.File, most int64) (n int64, err error) {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return 0, fmt.Errorf("cannot make %s: %w", dir, bare(err))
		}
	}
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
