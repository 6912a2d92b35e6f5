package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// longestList is how many altered files are named one by one.
const longestList = 20

// lookAtFiles compares what was unpacked with what lies there.
//
// A file whose size, mtime, ctime and inode are those of the manifest is
// unaltered: the kernel sets the ctime at each change, and nobody can set it
// back. One where they differ is read and hashed, so that a touch, a backup that
// was restored or a disk that was cloned is no alarm.
func (l *tarballLook) lookAtFiles(t *Tarball, r host.Reader) error {
	c := &comparison{l: l, t: t, r: r, distrust: map[string]bool{}}
	for _, f := range l.manifest.files {
		if err := c.file(f); err != nil {
			return err
		}
	}
	if len(c.stirred) > 0 {
		if err := c.listings(); err != nil {
			return err
		}
	}
	c.links()
	if more := len(l.tree) - longestList; more > 0 {
		l.tree = append(l.tree[:longestList:longestList],
			reconcile.Change{Field: "more files", Have: fmt.Sprintf("%d altered", more), Want: "as unpacked", Effects: restarts})
	}
	return nil
}

// A comparison goes through a manifest.
type comparison struct {
	l *tarballLook
	t *Tarball
	r host.Reader
	// distrust holds directories that are not root's alone: what is below
	// may be anything at any time, so it is not opened.
	distrust map[string]bool
	stirred  []string // directories in which something was made or removed
}

func (c *comparison) file(f host.UnpackedFile) error {
	if c.distrust[path.Dir(f.Path)] {
		c.distrust[f.Path] = true
		return nil
	}
	info, err := c.r.Lstat(c.t.Dir + "/" + f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.distrust[f.Path] = true
		c.l.altered(f.Path, "absent", "as unpacked")
		return nil
	case err != nil:
		return fmt.Errorf("cannot look at the runner's file %s: %w", f.Path, err)
	case info.Type != f.Type:
		c.distrust[f.Path] = true
		c.l.altered(f.Path, typeWord(info.Type), typeWord(f.Type))
		return nil
	}
	if info.UID != 0 || info.GID != 0 || info.Mode != f.Mode && !f.IsLink() {
		c.distrust[f.Path] = f.IsDir()
		c.owner(f, info)
	}
	return c.contents(f, info)
}

// owner notes a wrong owner or mode. What others could write they may have
// written, so that is unpacked anew.
func (c *comparison) owner(f host.UnpackedFile, info host.Info) {
	have := ownership(c.r, info.UID, info.GID) + " " + octal(info.Mode)
	want := ownership(c.r, 0, 0) + " " + octal(f.Mode)
	if f.IsLink() {
		c.l.altered(f.Path+" owner", have, want)
		return
	}
	if f.IsDir() && (info.UID != 0 || info.Mode&0o022 != 0) {
		c.l.altered(f.Path+" owner and mode", have, want)
		return
	}
	change := reconcile.Change{Field: f.Path + " owner and mode", Have: have, Want: want}
	c.l.perms = append(c.l.perms, permFix{c.t.Dir + "/" + f.Path, host.Perm{Mode: f.Mode}, change})
}

func (c *comparison) contents(f host.UnpackedFile, info host.Info) error {
	same := info.Inode == f.Inode && info.Ctime.Equal(f.Ctime) && info.Mtime.Equal(f.Mtime)
	switch {
	case f.IsDir():
		if !same && !c.distrust[f.Path] || c.t.Verify {
			c.stirred = append(c.stirred, f.Path)
		}
		return nil
	case f.IsLink():
		target, err := c.r.Readlink(c.t.Dir + "/" + f.Path)
		if err == nil && target != f.Target {
			c.l.altered(f.Path, "link to "+plain(target), "link to "+f.Target)
		}
		return err
	case info.Size != f.Size:
		c.l.altered(f.Path, fmt.Sprintf("size %d, changed %s", info.Size, when(info)), fmt.Sprintf("as unpacked, size %d", f.Size))
		return nil
	case same && !c.t.Verify:
		return nil
	}
	sum, err := digestOf(c.r, c.t.Dir+"/"+f.Path)
	if err != nil {
		return fmt.Errorf("cannot read the runner's file %s: %w", f.Path, err)
	}
	if sum != f.SHA256 {
		c.l.altered(f.Path, "sha256:"+sum[:12]+", changed "+when(info), "as unpacked, sha256:"+f.SHA256[:min(12, len(f.SHA256))])
	}
	return nil
}

// when is the time of a file's last change, as root cannot set it back.
func when(info host.Info) string { return info.Ctime.UTC().Format(time.RFC3339) }

// listings names what was put into a directory, taken out, or replaced there.
// That needs the whole manifest, which a pass reads only now.
func (c *comparison) listings() error {
	m := c.l.manifest
	if !m.whole {
		var err error
		if m, err = readManifest(c.r, c.t.Dir, true); err != nil || m == nil {
			return err
		}
	}
	children := map[string][]host.UnpackedFile{}
	for _, f := range m.files {
		children[path.Dir(f.Path)] = append(children[path.Dir(f.Path)], f)
	}
	for _, dir := range c.stirred {
		if err := c.listing(dir, children[dir], m.whole && c.l.manifest.whole); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) listing(dir string, children []host.UnpackedFile, seen bool) error {
	names, err := c.r.ReadDir(c.t.Dir + "/" + dir)
	if err != nil {
		return fmt.Errorf("cannot list the runner's directory %s: %w", dir, err)
	}
	for _, name := range names {
		at := dir + "/" + name
		if !slices.ContainsFunc(children, func(f host.UnpackedFile) bool { return f.Path == at }) {
			c.l.altered(plain(at), "present", "absent, it is not in the archive")
		}
	}
	for _, f := range children {
		if seen || watched(f) {
			continue // compared already
		}
		if err := c.file(f); err != nil {
			return err
		}
	}
	return nil
}

// links compares bin and externals, by which the runner finds itself.
func (c *comparison) links() {
	for _, name := range []string{"bin", "externals"} {
		want := name + "." + c.l.manifest.version
		if !slices.ContainsFunc(c.l.manifest.files, func(f host.UnpackedFile) bool { return f.Path == want }) {
			continue
		}
		info, err := c.r.Lstat(c.t.Dir + "/" + name)
		target, _ := c.r.Readlink(c.t.Dir + "/" + name)
		switch {
		case err != nil:
			c.l.altered(name, "absent", "link to "+want)
		case !info.IsLink():
			c.l.altered(name, typeWord(info.Type), "link to "+want)
		case target != want:
			c.l.altered(name, "link to "+plain(target), "link to "+want)
		case info.UID != 0:
			c.l.altered(name+" owner", fmt.Sprint(info.UID), "0")
		}
	}
}
