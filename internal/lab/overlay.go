package lab

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
)

// merged is where a machine's tree is mounted in its cell.
const merged = stage + "/root"

// layer mounts the machine's tree in the cell: the lower directories with a
// layer over them that takes every write, in memory or on a disk. Each of
// mounts is a file system of its own below the last lower directory and gets a
// layer too, for an overlay does not look across mounts.
func (c *cell) layer(ctx context.Context, opt Options, disk string) error {
	// The size is what the machine believes to have, and a runner's host must
	// have 20 GiB; memory is taken for what is written alone.
	steps := [][]string{{"mount", "-t", "tmpfs", "-o", "mode=0755,size=64g", "benchctl-lab", stage}}
	if disk != "" {
		steps[0] = []string{"mount", "--bind", disk, stage}
	}
	steps = append(steps, []string{"mkdir", merged})
	last := opt.Lower[len(opt.Lower)-1]
	for i, at := range append([]string{"/"}, opt.Mounts...) {
		lower := opt.Lower
		if i > 0 {
			lower = []string{path.Join(last, at)}
		}
		if strings.ContainsAny(strings.Join(lower, ""), `:,\`) {
			return fmt.Errorf("cannot layer over %s: its name holds a character that overlayfs gives a meaning", lower)
		}
		upper, work := fmt.Sprintf("%s/upper%d", stage, i), fmt.Sprintf("%s/work%d", stage, i)
		steps = append(steps,
			[]string{"mkdir", upper, work},
			[]string{"chmod", "--reference=" + lower[0], upper},
			[]string{"mount", "-t", "overlay", "-o",
				"lowerdir=" + strings.Join(lower, ":") + ",upperdir=" + upper + ",workdir=" + work, "benchctl-lab", merged + at})
	}
	for _, argv := range steps {
		if err := c.run(ctx, argv...); err != nil {
			return err
		}
	}
	return nil
}

// diskDir makes the directory that takes a machine's writes when they are to
// go to a disk.
func diskDir(opt Options) (string, error) {
	if opt.Disk == "" {
		return "", nil
	}
	return os.MkdirTemp(opt.Disk, "benchctl-lab-")
}
