package archive

import (
	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// finish makes the links, takes note of what only now is final, and brings
// everything to the disk with one syncfs(2): an fsync for each of 9,000 files
// would take longer than all the rest.
func (t *tree) finish() error {
	for _, l := range t.links {
		if err := t.link(l); err != nil {
			return err
		}
	}
	for i := range t.files {
		if err := t.settle(&t.files[i]); err != nil {
			return err
		}
	}
	if err := t.settleRoot(); err != nil {
		return err
	}
	top, err := t.root.Open(".")
	if err != nil {
		return err
	}
	defer top.Close()
	return unix.Syncfs(int(top.Fd()))
}

// link makes one link. A hard link changes the ctime of a file that was
// written long before, so that one has to be looked at again.
func (t *tree) link(l link) error {
	f := &t.files[l.file]
	if !l.hard {
		return t.root.Symlink(f.Target, f.Path)
	}
	to := &t.files[t.first[l.file]]
	f.SHA256 = to.SHA256
	to.Inode = 0
	return t.root.Link(to.Path, f.Path)
}

// settle gives directories and links their owner, and looks at what has no
// inode yet: what the writers have not made, or not alone.
func (t *tree) settle(f *host.UnpackedFile) error {
	if f.IsRegular() && f.Inode != 0 {
		return nil
	}
	if !f.IsRegular() {
		if err := t.root.Lchown(f.Path, t.a.UID, t.a.GID); err != nil {
			return err
		}
	}
	if f.IsDir() { // against the umask
		if err := t.root.Chmod(f.Path, 0o755); err != nil {
			return err
		}
	}
	info, err := t.root.Lstat(f.Path)
	if err != nil {
		return err
	}
	f.Info = infoOf(info)
	return nil
}

func (t *tree) settleRoot() error {
	if err := t.root.Lchown(".", t.a.UID, t.a.GID); err != nil {
		return err
	}
	return t.root.Chmod(".", 0o755)
}
