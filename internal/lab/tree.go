package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A Tree is what a machine keeps over a reboot, by absolute path.
type Tree map[string]Entry

// Entry is one file, directory or link of a [Tree].
type Entry struct {
	Mode     fs.FileMode // with the type
	UID, GID uint32
	Size     int64  // of a regular file, in bytes
	Content  string // a file's SHA-256, a link's target
	Mtime    time.Time
}

// volatile is what a host changes by itself, whatever benchctl does: kernel
// file systems and those in memory, the journal, who logged in when, and when
// a timer last went off.
var volatile = []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/var/log/journal",
	"/var/log/wtmp", "/var/log/lastlog", "/var/lib/systemd/timers", "/var/lib/systemd/random-seed"}

// HashTree reads all that the machine keeps, except below the given paths and
// below those that a host changes by itself.
func (m *Machine) HashTree(ctx context.Context, except ...string) (Tree, error) {
	tree, err := hashTree(ctx, m.Path("/"), slices.Concat(volatile, except))
	if err != nil {
		return nil, fmt.Errorf("cannot read the tree of %s: %w", m.opt.Hostname, err)
	}
	return tree, nil
}

// Changed lists what differs between a tree and a later one, one line for each
// path, sorted. Times are not compared.
func (t Tree) Changed(later Tree) []string {
	return t.compare(later, func(e Entry) Entry { e.Mtime = time.Time{}; return e })
}

// Touched is Changed with the times of files compared as well: it also lists
// what was written anew with the same content.
func (t Tree) Touched(later Tree) []string {
	return t.compare(later, func(e Entry) Entry { return e })
}

func (t Tree) compare(later Tree, view func(Entry) Entry) []string {
	var lines []string
	for path, was := range t {
		is, ok := later[path]
		switch was, is := view(was), view(is); {
		case !ok:
			lines = append(lines, path+": removed")
		case was != is:
			lines = append(lines, fmt.Sprintf("%s: was %s, is %s", path, was, is))
		}
	}
	for path, is := range later {
		if _, ok := t[path]; !ok {
			lines = append(lines, fmt.Sprintf("%s: added, %s", path, view(is)))
		}
	}
	return slices.Sorted(slices.Values(lines))
}

// String describes an entry in a few words.
func (e Entry) String() string {
	s := fmt.Sprintf("%s %d:%d", e.Mode, e.UID, e.GID)
	if e.Mode.IsRegular() {
		s += fmt.Sprintf(" %d bytes %.8s", e.Size, e.Content)
	} else if e.Content != "" {
		s += " -> " + e.Content
	}
	if !e.Mtime.IsZero() {
		s += " of " + e.Mtime.Format(time.RFC3339Nano)
	}
	return s
}

// hashTree reads a directory tree; the digests are computed on all CPUs.
func hashTree(ctx context.Context, root string, except []string) (Tree, error) {
	tree, err := listTree(ctx, root, except)
	if err != nil {
		return nil, err
	}
	paths := make(chan string)
	var (
		group  sync.WaitGroup
		mu     sync.Mutex
		failed error
	)
	var files []string
	for path, entry := range tree {
		if entry.Mode.IsRegular() {
			files = append(files, path)
		}
	}
	for range runtime.NumCPU() {
		group.Go(func() {
			for path := range paths {
				digest, err := hashFile(filepath.Join(root, path))
				mu.Lock()
				if errors.Is(err, fs.ErrNotExist) {
					delete(tree, path) // a temporary file that is gone again
				} else {
					entry := tree[path]
					entry.Content = digest
					tree[path], failed = entry, errors.Join(failed, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, path := range files {
		if ctx.Err() == nil {
			paths <- path
		}
	}
	close(paths)
	group.Wait()
	return tree, errors.Join(failed, ctx.Err())
}

// listTree reads all of a tree but the content of its files.
func listTree(ctx context.Context, root string, except []string) (Tree, error) {
	tree := Tree{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went away while we looked
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		path := filepath.Clean("/" + name[len(filepath.Clean(root)):])
		if slices.Contains(except, path) {
			return skip(d)
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		owner := info.Sys().(*syscall.Stat_t)
		entry := Entry{Mode: info.Mode(), UID: owner.Uid, GID: owner.Gid}
		switch {
		case info.Mode().IsRegular():
			entry.Size, entry.Mtime = info.Size(), info.ModTime()
		case info.Mode()&fs.ModeSymlink != 0:
			entry.Content, err = os.Readlink(name)
		}
		tree[path] = entry
		return err
	})
	return tree, err
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
