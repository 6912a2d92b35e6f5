package linux

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Step by step, the same opens and the same is refused as by openat2, which the
// agent's sandbox has not.
func TestOpenStepsIsOpenat2(t *testing.T) {
	t.Parallel()
	m, work := hostile(t)
	for name, target := range map[string]string{"out": m.at("/precious"), "up": "../../precious", "in": "repo", "loop": "loop", "root": "/"} {
		if err := os.Symlink(target, filepath.Join(work, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(work, "file"), "x")
	if err := syscall.Mkfifo(filepath.Join(work, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	mounted := filepath.Join(work, "repo", "mounted")
	if err := os.Mkdir(mounted, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // a bind mount of the same disk
		if err := syscall.Mount(m.at("/precious"), mounted, "", syscall.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(mounted, 0) })
	}
	at, err := unix.Open(work, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(at)
	for _, name := range []string{".", "repo", "repo/repo", "repo/repo/.git", "out", "up", "in", "in/repo", "out/deep", "loop", "root", "root/etc",
		"file", "file/x", "fifo", "none", "none/x", "..", "../../precious", "/", "repo/mounted", "repo/mounted/deep"} {
		for _, resolve := range []uint64{beneath, sameDisk} {
			one, err1 := openDirBy(at, name, resolve, func(at int, name string, resolve uint64) (int, error) {
				return unix.Openat2(at, name, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: resolve})
			})
			other, err2 := openDirBy(at, name, resolve, openSteps)
			if one != other || (err1 == nil) != (err2 == nil) {
				t.Errorf("%q (%x): openat2 gives %q, %v; step by step it is %q, %v", name, resolve, one, err1, other, err2)
			}
		}
	}
}

// openDirBy is where a way of opening leads.
func openDirBy(at int, name string, resolve uint64, open func(int, string, uint64) (int, error)) (string, error) {
	fd, err := open(at, name, resolve)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return os.Readlink(filepath.Join("/proc/self/fd", strconv.Itoa(fd)))
}
