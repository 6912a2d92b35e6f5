package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Bounds of a look into a hostile tree: who fills it must not keep us busy.
const (
	mostMeasured = 200_000 // entries
	deepest      = 128     // directories in each other, each an open file
)

// MeasureBelow returns what the file or directory dir/name holds in all.
func (m *Machine) MeasureBelow(ctx context.Context, dir, name string) (host.Tree, error) {
	parent, base, err := split(name)
	if err != nil {
		return host.Tree{}, err
	}
	f, err := m.openBelow(dir, parent)
	if err != nil {
		return host.Tree{}, err
	}
	defer f.Close()
	w := &measurement{ctx: ctx, seen: map[inode]bool{}}
	if err := w.entry(f, base, base, 0); err != nil {
		return w.tree, fmt.Errorf("cannot look into %s: %w", path.Join(dir, name), err)
	}
	if w.tree.Files == 0 {
		return w.tree, fmt.Errorf("cannot look into %s: %w", path.Join(dir, name), fs.ErrNotExist)
	}
	return w.tree, nil
}

// A measurement is one MeasureBelow on its way.
type measurement struct {
	ctx  context.Context
	tree host.Tree
	seen map[inode]bool // files with several names
}

type inode struct{ dev, ino uint64 }

// entry adds a name of an open directory, and what lies below it. What has gone
// meanwhile is not there.
func (w *measurement) entry(dir *os.File, name, at string, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := statAt(dir, name, &st); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if w.tree.Files == mostMeasured {
		w.tree.Partial = true
		return nil
	}
	w.add(&st)
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	if depth == deepest {
		w.tree.Partial = true
		return nil
	}
	return w.directory(dir, name, at, depth)
}

func (w *measurement) directory(parent *os.File, name, at string, depth int) error {
	f, err := openDir(int(parent.Fd()), name, sameDisk)
	switch {
	case errors.Is(err, unix.EXDEV):
		w.tree.Mounted = at
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, host.ErrNoDir):
		return nil // it was swapped just now
	case err != nil:
		return err
	}
	defer f.Close()
	return batch(f, func(name string) error { return w.entry(f, name, at+"/"+name, depth+1) })
}

func (w *measurement) add(st *unix.Stat_t) {
	w.tree.Files++
	info := infoOf(st)
	w.tree.Changed = later(w.tree.Changed, info.Changed())
	if info.IsRegular() {
		w.tree.Read = later(w.tree.Read, time.Unix(st.Atim.Unix()))
	}
	if st.Nlink > 1 && !info.IsDir() {
		id := inode{uint64(st.Dev), st.Ino}
		if w.seen[id] {
			return
		}
		w.seen[id] = true
	}
	const blockSize = 512 // of st_blocks, whatever the file system's own
	w.tree.Bytes += st.Blocks * blockSize
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
