package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// RootsAlone checks that a file or directory is root's and that nobody else may
// write to it; a link counts with where it leads. What is not there is no
// error: it is root's once root makes it.
func RootsAlone(r Reader, p string) error { return rootsAlone(r, p, 0) }

func rootsAlone(r Reader, p string, depth int) error {
	info, err := r.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.UID != 0 {
		return fmt.Errorf("%s belongs to uid %d, who could swap what lies there", p, info.UID)
	}
	if info.IsLink() {
		return linkAlone(r, p, depth)
	}
	if info.Mode.Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written by others than root (%s)", p, info.Mode)
	}
	return nil
}

// linkAlone checks all the way to where a link leads.
func linkAlone(r Reader, p string, depth int) error {
	const deepest = 8
	target, err := r.Readlink(p)
	if err != nil {
		return err
	}
	if depth == deepest {
		return fmt.Errorf("%s leads through too many links", p)
	}
	if !strings.HasPrefix(target, "/") {
		target = path.Join(path.Dir(p), target)
	}
	for q := path.Clean(target); q != "/"; q = path.Dir(q) {
		if err := rootsAlone(r, q, depth+1); err != nil {
			return err
		}
	}
	return nil
}
