package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// merged is where a machine's tree is mounted in its cell.
func (c *cell) merged() string { return c.stage + "/root" }

// layer mounts the machine's tree in the cell: the lower directories with a
// layer over them that takes every write, in memory or on a disk. Each of
// mounts is a file system of its own below the last lower directory and gets a
// layer too, for an overlay does not look across mounts.
func (c *cell) layer(ctx context.Context, opt Options, disk string) error {
	// The size is what the machine believes to have, and a runner's host must
	// have 20 GiB; memory is taken for what is written alone.
	first := []string{"mount", "-t", "tmpfs", "-o", "mode=0755,size=64g", "benchctl-lab", c.stage}
	if disk != "" {
		first = []string{"mount", "--bind", disk, c.stage}
	}
	if err := c.runAll(ctx, first, []string{"mkdir", c.merged()}); err != nil {
		return err
	}
	last := opt.Lower[len(opt.Lower)-1]
	for i, at := range append([]string{"/"}, opt.Mounts...) {
		lower := opt.Lower
		if i > 0 {
			lower = []string{path.Join(last, at)}
		}
		if err := c.overlay(ctx, i, lower, at, hidden(opt, at)); err != nil {
			return err
		}
	}
	return nil
}

// overlay mounts one file system of the machine, its number i.
func (c *cell) overlay(ctx context.Context, i int, lower []string, at string, hide []string) error {
	if strings.ContainsAny(strings.Join(lower, ""), `:,\`) {
		return fmt.Errorf("cannot layer over %s: its name holds a character that overlayfs gives a meaning", lower)
	}
	upper, work := fmt.Sprintf("%s/upper%d", c.stage, i), fmt.Sprintf("%s/work%d", c.stage, i)
	if err := c.runAll(ctx, []string{"mkdir", upper, work}, []string{"chmod", "--reference=" + lower[0], upper}); err != nil {
		return err
	}
	for _, dir := range hide {
		if err := c.empty(lower[len(lower)-1], upper, dir); err != nil {
			return fmt.Errorf("cannot hide %s: %w", at+dir, err)
		}
	}
	return c.run(ctx, "mount", "-t", "overlay", "-o",
		"lowerdir="+strings.Join(lower, ":")+",upperdir="+upper+",workdir="+work, "benchctl-lab", c.merged()+at)
}

func (c *cell) runAll(ctx context.Context, commands ...[]string) error {
	for _, argv := range commands {
		if err := c.run(ctx, argv...); err != nil {
			return err
		}
	}
	return nil
}

// empty makes a directory empty in the machine, whatever is below it: the one
// in the upper layer is opaque. See Documentation/filesystems/overlayfs.rst,
// "whiteouts and opaque directories".
func (c *cell) empty(lower, upper, dir string) error {
	if info, err := os.Lstat(lower + dir); err != nil || !info.IsDir() {
		return nil
	}
	// The directories on the way stand for those below, and look like them.
	for i := 1; i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		if err := mkdirLike(lower+dir[:i], c.path(upper+dir[:i])); err != nil {
			return err
		}
	}
	return syscall.Setxattr(c.path(upper+dir), "trusted.overlay.opaque", []byte("y"), 0)
}

// mkdirLike makes a directory with the owner and mode of another, unless it is
// there.
func mkdirLike(model, dir string) error {
	info, err := os.Stat(model)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return errors.Join(os.Lchown(dir, int(owner.Uid), int(owner.Gid)), os.Chmod(dir, info.Mode()))
}

// hidden lists what of opt.Hide lies on the file system mounted at a path,
// relative to it and parents first.
func hidden(opt Options, at string) []string {
	var dirs []string
	for _, dir := range opt.Hide {
		on := "/"
		for _, m := range opt.Mounts {
			if dir == m || strings.HasPrefix(dir, m+"/") {
				on = max(on, m)
			}
		}
		if on == at && dir != at {
			dirs = append(dirs, strings.TrimPrefix(dir, strings.TrimSuffix(at, "/")))
		}
	}
	slices.Sort(dirs)
	return dirs
}

// diskDir makes the directory that takes a machine's writes when they are to
// go to a disk.
func diskDir(opt Options) (string, error) {
	if opt.Disk == "" {
		return "", nil
	}
	return os.MkdirTemp(opt.Disk, "benchctl-lab-")
}
