package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A cell is a private mount namespace and a cgroup, held by a watcher that
// waits for the end of a pipe. When we close the pipe, or die in whatever way,
// the watcher kills all processes of the cgroup and removes it, and with the
// last process the kernel drops the namespace and all of its mounts.
type cell struct {
	watcher *exec.Cmd
	pipe    io.Closer
	cgroups []string // its directory in each hierarchy; the first can kill
	stage   string   // an empty directory, on which the cell mounts what it needs
}

// watch is the watcher's script; its arguments are the cell's stage and cgroups.
const watch = `stage=$1; shift
echo ready; cat >/dev/null
echo 1 >"$1/cgroup.kill"
while grep -q "populated 1" "$1/cgroup.events"; do sleep 0.02; done
for dir; do find "$dir" -depth -type d -exec rmdir {} \; ; done
umount -l "$stage" 2>/dev/null
rmdir "$stage"`

var cells atomic.Int64

func newCell() (*cell, error) {
	hierarchies, err := cgroupMounts()
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("benchctl-lab-%d-%d", os.Getpid(), cells.Add(1))
	c := &cell{stage: "/run/" + name}
	for _, mount := range hierarchies {
		dir := filepath.Join(mount, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		c.cgroups = append(c.cgroups, dir)
	}
	if err := os.MkdirAll(c.stage, 0o755); err != nil {
		return nil, err
	}
	if err := c.startWatcher(); err != nil {
		for _, dir := range append(c.cgroups, c.stage) {
			os.Remove(dir)
		}
		return nil, fmt.Errorf("its watcher did not start: %w", err)
	}
	return c, nil
}

func (c *cell) startWatcher() error {
	args := append([]string{"--mount", "--propagation", "private", "sh", "-c", watch, "benchctl-lab", c.stage}, c.cgroups...)
	c.watcher = exec.Command("unshare", args...)
	c.watcher.Env = environ()
	c.watcher.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt at the terminal is not for it
	pipe, err := c.watcher.StdinPipe()
	if err != nil {
		return err
	}
	c.pipe = pipe
	out, err := c.watcher.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.watcher.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		return errors.Join(err, c.close())
	}
	return nil
}

// command prepares a program that runs in the cell and ends with it.
func (c *cell) command(ctx context.Context, argv ...string) *exec.Cmd {
	const join = `while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"`
	args := []string{"--mount=" + c.proc("ns/mnt"), "--", "sh", "-c", join, "benchctl-lab"}
	args = append(append(append(args, c.cgroups...), "--"), argv...)
	cmd := exec.CommandContext(ctx, "nsenter", args...)
	cmd.Env = environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// run runs a program in the cell to its end.
func (c *cell) run(ctx context.Context, argv ...string) error {
	_, err := finish(c.command(ctx, argv...))
	return err
}

// path is how a path in the cell's mount namespace is reached from outside.
func (c *cell) path(path string) string { return c.proc("root" + path) }

func (c *cell) proc(name string) string {
	return fmt.Sprintf("/proc/%d/%s", c.watcher.Process.Pid, name)
}

// kill ends every process in the cell and waits until they are gone. The cell
// and its mounts stay.
func (c *cell) kill() error {
	if err := os.WriteFile(filepath.Join(c.cgroups[0], "cgroup.kill"), []byte("1"), 0); err != nil {
		return err
	}
	for {
		events, err := os.ReadFile(filepath.Join(c.cgroups[0], "cgroup.events"))
		if err != nil {
			return err
		}
		if bytes.Contains(events, []byte("populated 0")) {
			return c.renew()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// renew makes the cgroups anew. Linux counts since 2025 how often one was killed,
// and ends each process that is begun in another one with another count
// (CLONE_INTO_CGROUP), as newer versions of systemd begin all services.
func (c *cell) renew() error {
	for _, root := range c.cgroups {
		var dirs []string
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		})
		for _, dir := range slices.Backward(dirs) {
			err = errors.Join(err, syscall.Rmdir(dir))
		}
		if err = errors.Join(err, os.Mkdir(root, 0o755)); err != nil {
			return fmt.Errorf("cannot make %s anew: %w", root, err)
		}
	}
	return nil
}

// close ends the cell: processes, cgroup and mounts.
func (c *cell) close() error {
	c.pipe.Close()
	if err := c.watcher.Wait(); err != nil {
		return fmt.Errorf("cannot clear a lab machine away: %w", err)
	}
	return nil
}

// cgroupMounts returns where processes are grouped on this machine: the
// unified hierarchy, and systemd's own where there is still the old kind.
func cgroupMounts() ([]string, error) {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var unified, named []string
	for line := range bytes.Lines(data) {
		f := strings.Fields(string(line))
		switch {
		case f[2] == "cgroup2":
			unified = append(unified, f[1])
		case f[2] == "cgroup" && strings.Contains(f[3], "name=systemd"):
			named = append(named, f[1])
		}
	}
	if unified == nil {
		return nil, errors.New("this machine mounts no cgroup2 file system; boot it with a unified or hybrid hierarchy")
	}
	return append(unified[:1], named...), nil
}
