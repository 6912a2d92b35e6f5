package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// hostile is a directory of root's with a work directory that somebody else
// filled, and something precious beside it.
func hostile(t *testing.T) (m *Machine, work string) {
	t.Helper()
	m = &Machine{Root: t.TempDir()}
	for _, dir := range []string{"/dir/work/repo/repo/.git", "/precious/deep"} {
		if err := os.MkdirAll(m.at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, m.at("/precious/deep/file"), "precious")
	return m, m.at("/dir/work")
}

func (m *Machine) wantPrecious(t *testing.T) {
	t.Helper()
	if read(t, m.at("/precious/deep/file")) != "precious" {
		t.Error("what a link led to was touched")
	}
}

func gone(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in %s: %v, %v", dir, left, err)
	}
}

func TestRemoveBelowWhateverIsThere(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]func(t *testing.T, m *Machine, repo string){
		"names that are hard to print": func(t *testing.T, _ *Machine, repo string) {
			for _, name := range []string{"a\nb", "\x1b[2J", "-rf", " ", "\xff\xfe", "…", strings.Repeat("x", 255), host.GonePrefix + "1"} {
				write(t, filepath.Join(repo, name), "x")
				if err := os.MkdirAll(filepath.Join(repo, "dir"+name[:1], name, "below"), 0); err != nil {
					t.Fatal(err)
				}
			}
		},
		"links that lead out": func(t *testing.T, m *Machine, repo string) {
			for name, target := range map[string]string{"file": m.at("/precious/deep/file"), "dir": m.at("/precious"), "up": "../../../precious", "loop": "loop", "none": "/no/such"} {
				if err := os.Symlink(target, filepath.Join(repo, name)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Link(m.at("/precious/deep/file"), filepath.Join(repo, "hard")); err != nil {
				t.Fatal(err)
			}
		},
		"fifos and sockets": func(t *testing.T, _ *Machine, repo string) {
			if err := syscall.Mkfifo(filepath.Join(repo, "fifo"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"many files": func(t *testing.T, _ *Machine, repo string) {
			for i := range 5000 {
				write(t, filepath.Join(repo, fmt.Sprint(i)), "")
			}
		},
		"deeper than a path can say": func(t *testing.T, _ *Machine, repo string) { dig(t, repo, 3000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, work := hostile(t)
			fill(t, m, filepath.Join(work, "repo", "repo"))
			if err := m.RemoveBelow(t.Context(), "/dir", "work/repo"); err != nil {
				t.Fatal(err)
			}
			gone(t, work)
			m.wantPrecious(t)
			if err := m.RemoveBelow(t.Context(), "/dir", "work/repo"); err != nil {
				t.Errorf("what is not there: %v", err)
			}
		})
	}
}

// dig makes directories in each other, whose path the kernel would not take.
func dig(t *testing.T, dir string, depth int) {
	t.Helper()
	at, err := os.Open(dir)
	for range depth {
		if err != nil {
			t.Fatal(err)
		}
		fd := int(at.Fd())
		var next *os.File
		if err = unix.Mkdirat(fd, "deeper", 0o700); err == nil {
			next, err = openDir(fd, "deeper", beneath)
		}
		at.Close()
		at = next
	}
	if err != nil {
		t.Fatal(err)
	}
	at.Close()
}

// A directory on the way that is a link, whoever put it there, is not gone
// through.
func TestBelowFollowsNoLink(t *testing.T) {
	t.Parallel()
	m, work := hostile(t)
	if err := os.RemoveAll(work); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(m.at("/precious"), work); err != nil {
		t.Fatal(err)
	}
	if _, err := m.ListBelow("/dir", "work"); !errors.Is(err, host.ErrNoDir) {
		t.Errorf("listed: %v", err)
	}
	if _, err := m.MeasureBelow(t.Context(), "/dir", "work/deep"); !errors.Is(err, host.ErrNoDir) {
		t.Errorf("measured: %v", err)
	}
	if err := m.RemoveBelow(t.Context(), "/dir", "work/deep"); !errors.Is(err, host.ErrNoDir) {
		t.Errorf("removed: %v", err)
	}
	for _, name := range []string{"..", "../precious", "work/../../precious/deep", "/precious", ".", ""} {
		if err := m.RemoveBelow(t.Context(), "/dir", name); err == nil {
			t.Errorf("%q was removed", name)
		}
	}
	m.wantPrecious(t)
	if err := m.RemoveBelow(t.Context(), "/dir", "work"); err != nil {
		t.Error(err)
	}
	gone(t, m.at("/dir"))
	m.wantPrecious(t)
}

// Somebody swaps directories for links, back and forth, while they are removed.
func TestRemoveBelowWhileItIsSwapped(t *testing.T) {
	t.Parallel()
	m, work := hostile(t)
	var attacks sync.WaitGroup
	const rounds = 60
	attacked := make(chan struct{})
	attacks.Go(func() {
		defer close(attacked)
		for range rounds {
			attack(t, work, m.at("/precious"))
		}
	})
	for over := false; !over; {
		m.MeasureBelow(t.Context(), "/dir", "work/repo/deep")
		all, _ := m.ListBelow("/dir", "work")
		for _, e := range all {
			if e.Name != "new" {
				m.RemoveBelow(t.Context(), "/dir", "work/"+e.Name)
			}
		}
		select {
		case <-attacked:
			over = true
		default:
		}
	}
	attacks.Wait()
	m.wantPrecious(t)
}

// attack puts work/repo there, with a directory that turns into a link to target
// and back for as long as work/repo is not removed. It works on open
// directories, so as not to walk into its own trap.
func attack(t *testing.T, work, target string) {
	top, err := os.Open(work)
	if err != nil {
		t.Error(err)
		return
	}
	defer top.Close()
	fd := int(top.Fd())
	unix.Mkdirat(fd, "new", 0o755)
	repo, err := openDir(fd, "new", beneath)
	if err != nil {
		t.Error(err)
		return
	}
	defer repo.Close()
	inside := int(repo.Fd())
	unix.Symlinkat(target, fd, "link")
	for {
		unix.Renameat2(fd, "new", fd, "repo", unix.RENAME_NOREPLACE)
		if err := unix.Mkdirat(inside, "deep", 0o755); err == unix.ENOENT {
			return
		}
		unix.Mkdirat(inside, "deep/deep", 0o755)
		unix.Symlinkat(target, inside, "link")
		for range 20 {
			unix.Renameat2(inside, "deep", inside, "link", unix.RENAME_EXCHANGE)
		}
		unix.Renameat2(fd, "repo", fd, "link", unix.RENAME_EXCHANGE)
	}
}

// What is mounted in a tree is neither measured nor emptied, a bind mount of the
// same file system included.
func TestBelowEntersNoMount(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("mounting takes root")
	}
	m, work := hostile(t)
	at := filepath.Join(work, "repo", "repo")
	if err := syscall.Mount(m.at("/precious"), at, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() {
		found, _ := filepath.Glob(filepath.Join(work, "*", "repo"))
		for _, at := range found { // its directory may have been set aside
			syscall.Unmount(at, syscall.MNT_DETACH)
		}
	})
	tree, err := m.MeasureBelow(t.Context(), "/dir", "work/repo")
	if err != nil || tree.Mounted != "repo/repo" || tree.Files != 2 {
		t.Errorf("%+v, %v", tree, err)
	}
	err = m.RemoveBelow(t.Context(), "/dir", "work/repo")
	if err == nil || !strings.Contains(err.Error(), `something is mounted at "repo"; unmount it first`) {
		t.Errorf("removed: %v", err)
	}
	m.wantPrecious(t)
}

func TestMeasureBelow(t *testing.T) {
	t.Parallel()
	m, work := hostile(t)
	repo := filepath.Join(work, "repo")
	write(t, filepath.Join(repo, "a"), strings.Repeat("x", 8192))
	if err := errors.Join(os.Link(filepath.Join(repo, "a"), filepath.Join(repo, "b")), os.Symlink("/", filepath.Join(repo, "c"))); err != nil {
		t.Fatal(err)
	}
	then, read := time.Now().Add(-100*time.Hour).Truncate(time.Second), time.Now().Add(-50*time.Hour).Truncate(time.Second)
	old := func(name string) {
		times := []unix.Timespec{unix.NsecToTimespec(read.UnixNano()), unix.NsecToTimespec(then.UnixNano())}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, name, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "c", "repo/.git", "repo", ""} {
		old(filepath.Join(repo, name))
	}
	tree, err := m.MeasureBelow(t.Context(), "/dir", "work/repo")
	if err != nil || tree.Files != 6 || tree.Bytes < 8192 || tree.Bytes > 8192+5*8192 || !tree.Changed.Equal(then) || !tree.Read.Equal(read) || tree.Partial || tree.Mounted != "" {
		t.Errorf("%+v, %v", tree, err)
	}
	// A file that claims to be from the future is as old as the kernel says.
	soon := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(repo, "a"), soon, soon); err != nil {
		t.Fatal(err)
	}
	if tree, err = m.MeasureBelow(t.Context(), "/dir", "work/repo"); err != nil || tree.Changed.After(time.Now()) || tree.Changed.Equal(then) {
		t.Errorf("%+v, %v", tree, err)
	}
	dig(t, repo, 200)
	if tree, err = m.MeasureBelow(t.Context(), "/dir", "work/repo"); err != nil || !tree.Partial {
		t.Errorf("%+v, %v", tree, err)
	}
	if _, err := m.MeasureBelow(t.Context(), "/dir", "work/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}

// A directory of millions of names is a list of some.
func TestListBelowIsBounded(t *testing.T) {
	t.Parallel()
	m, work := hostile(t)
	for i := range mostListed + 10 {
		if err := os.Symlink("nowhere", fmt.Sprintf("%s/%d", work, i)); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := m.ListBelow("/dir", "work"); err != nil || len(all) != mostListed {
		t.Errorf("%d entries, %v", len(all), err)
	}
}

func TestListBelow(t *testing.T) {
	t.Parallel()
	m, work := hostile(t)
	write(t, filepath.Join(work, "a\nb"), "text")
	if err := os.Symlink("/etc", filepath.Join(work, "link")); err != nil {
		t.Fatal(err)
	}
	all, err := m.ListBelow("/dir", "work")
	if err != nil || len(all) != 3 || all[0].Name != "a\nb" || all[0].Size != 4 || !all[1].IsLink() || !all[2].IsDir() {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := m.ListBelow("/dir", "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	if all, err := m.ListBelow("/dir/work", "."); err != nil || len(all) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
}

// A removal that is interrupted leaves a name that says so, and nothing under
// the old one.
func TestRemoveBelowIsInterrupted(t *testing.T) {
	t.Parallel()
	m, work := hostile(t)
	ctx, cancel := context.WithCancel(t.Context())
	m.Before = func(op, _ string) {
		if op == "remove" {
			cancel()
		}
	}
	err := m.RemoveBelow(ctx, "/dir", "work/repo")
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the next apply goes on") {
		t.Errorf("got %v", err)
	}
	left, _ := os.ReadDir(work)
	if len(left) != 1 || !strings.HasPrefix(left[0].Name(), host.GonePrefix) {
		t.Fatalf("left: %v", left)
	}
	m.Before = nil
	if err := m.RemoveBelow(t.Context(), "/dir", "work/"+left[0].Name()); err != nil {
		t.Error(err)
	}
	gone(t, work)
}
