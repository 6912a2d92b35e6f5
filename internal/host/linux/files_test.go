package linux

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// own is a Perm that any user may give to their own files.
func own(mode fs.FileMode) host.Perm {
	return host.Perm{Mode: mode, UID: os.Getuid(), GID: os.Getgid()}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Nobody waits at what a hand put in the place of a file, or reads it for ever.
func TestReadingRefusesWhatHasNoEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := &Machine{Root: dir}
	write(t, dir+"/file", "text")
	err := syscall.Mkfifo(dir+"/fifo", 0o600)
	for name, target := range map[string]string{"link": "file", "to-fifo": "fifo", "zero": "/dev/zero", "masked": "/dev/null"} {
		err = errors.Join(err, os.Symlink(target, dir+"/"+name))
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, hostile := range map[string]bool{"/file": false, "/link": false, "/masked": false, "/fifo": true, "/to-fifo": true, "/zero": true} {
		data, err := m.ReadFile(name)
		f, err2 := m.Open(name)
		if errors.Is(err, host.ErrHostile) != hostile || errors.Is(err2, host.ErrHostile) != hostile || !hostile && errors.Join(err, err2) != nil {
			t.Errorf("%s: %q, %v, %v", name, data, err, err2)
		}
		if f != nil {
			f.Close()
		}
	}
}

func TestReplaceIsWholeAndIgnoresWhatIsInItsWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	write(t, victim, "precious")
	// The name that it had in earlier versions.
	if err := os.Symlink(victim, filepath.Join(dir, ".file.benchctl-new")); err != nil {
		t.Fatal(err)
	}
	m := &Machine{Root: dir}
	if err := m.Replace("/file", []byte("new"), own(0o640)); err != nil {
		t.Fatal(err)
	}
	if read(t, victim) != "precious" || read(t, filepath.Join(dir, "file")) != "new" {
		t.Error("the link was followed, or the file is not as wanted")
	}
	info, err := m.Lstat("/file")
	if err != nil || info.Mode != 0o640 {
		t.Errorf("mode %v, %v", info.Mode, err)
	}
	names, _ := m.ReadDir("/")
	if !slices.Equal(names, []string{"file", "victim"}) {
		t.Errorf("left behind: %v", names)
	}
}

func TestReplaceInAMissingDirectoryIsASentence(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	err := m.Replace("/no/such/file", nil, own(0o644))
	if err == nil || !strings.Contains(err.Error(), "cannot write /no/such/file: no such file or directory") {
		t.Errorf("got %v", err)
	}
}

func TestReplaceOnAFullDiskLeavesWhatWasThere(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a full disk is a small tmpfs here, and mounting takes root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	m := &Machine{Root: dir}
	if err := m.Replace("/file", []byte("old"), own(0o644)); err != nil {
		t.Fatal(err)
	}
	err := m.Replace("/file", make([]byte, 1<<20), own(0o644))
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	names, _ := m.ReadDir("/")
	if read(t, filepath.Join(dir, "file")) != "old" || len(names) != 1 {
		t.Errorf("the old file is not whole, or something was left: %v", names)
	}
}

func TestPokeNeverCreates(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	if err := m.Poke("/sys/knob", "1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestReadBelowTrustsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	for _, d := range []string{home, filepath.Join(home, "sub")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "secret"), "secret")
	write(t, filepath.Join(home, "good"), "good")
	write(t, filepath.Join(home, "sub", "good"), "good")
	write(t, filepath.Join(home, "big"), strings.Repeat("x", host.MaxHostile+1))
	for link, target := range map[string]string{
		"out": "../secret", "abs": "/etc/passwd", "in": "good", "dir": "sub", "up": "..",
	} {
		if err := os.Symlink(target, filepath.Join(home, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(home, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := &Machine{Root: dir}
	for name, ok := range map[string]bool{
		"good": true, "sub/good": true,
		"out": false, "abs": false, "in": false, "dir/good": false, "up/secret": false,
		"../secret": false, "big": false, "fifo": false, "sub": false, "": false, "/etc/passwd": false,
	} {
		data, err := m.ReadBelow("/home", name)
		if (err == nil) != ok {
			t.Errorf("%q: %q, %v", name, data, err)
		}
	}
}

func TestSymlinkReplacesALink(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	for _, target := range []string{"bin.1", "bin.2"} {
		if err := m.Symlink(target, "/bin"); err != nil {
			t.Fatal(err)
		}
		if got, err := m.Readlink("/bin"); err != nil || got != target {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestSetPermNeverFollowsALink(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	write(t, m.at("/file"), "")
	if err := os.Symlink("file", m.at("/link")); err != nil {
		t.Fatal(err)
	}
	if err := m.SetPerm("/link", own(0o600)); err == nil {
		t.Error("the link was followed")
	}
}

func TestBeforeHearsOfEveryChange(t *testing.T) {
	t.Parallel()
	var heard []string
	m := &Machine{Root: t.TempDir(), Before: func(op, path string) { heard = append(heard, op+" "+path) }}
	_ = m.Mkdir("/d", own(0o755))
	_ = m.Replace("/d/f", nil, own(0o644))
	_ = m.Symlink("f", "/d/l")
	_ = m.SetPerm("/d/f", own(0o600))
	_ = m.Rename("/d/f", "/d/g")
	_ = m.Poke("/d/g", "1")
	_ = m.Remove("/d/g")
	_ = m.Record("/d/r", nil, own(0o600))
	_ = m.AppendLine("/d/r", nil, own(0o600))
	_ = m.RemoveAll("/d")
	want := "mkdir /d,replace /d/f,rename /d/f,symlink /d/l,setperm /d/f,rename /d/g,poke /d/g,remove /d/g,record /d/r,record /d/r,remove /d"
	if got := strings.Join(heard, ","); got != want {
		t.Errorf("heard %s\nwant  %s", got, want)
	}
}

// Root's umask is 077 on many a hardened host; the runner's user has to get
// through all the same.
func TestMkdirIgnoresTheUmask(t *testing.T) {
	m := &Machine{Root: t.TempDir()}
	before := syscall.Umask(0o077)
	defer syscall.Umask(before)
	if err := m.Mkdir("/srv/bench/home", own(fs.ModeSticky|0o770)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{"/srv": 0o755, "/srv/bench": 0o755, "/srv/bench/home": fs.ModeSticky | 0o770} {
		if info, err := m.Lstat(path); err != nil || info.Mode != want {
			t.Errorf("%s: %v, %v", path, info.Mode, err)
		}
	}
	write(t, m.at("/srv/file"), "")
	if err := m.Mkdir("/srv/file/below/here", host.Perm{Mode: 0o755}); err == nil {
		t.Error("made a directory below a file")
	}
}

// Two processes may replace the same file: ready waits for no apply. Each of them
// writes it whole, whatever the other sweeps up meanwhile.
func TestReplaceByManyAtOnce(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	texts := []string{strings.Repeat("a", 1<<16), strings.Repeat("b", 1<<16), strings.Repeat("c", 1<<16)}
	var all sync.WaitGroup
	for _, text := range texts {
		all.Go(func() {
			for range 100 {
				if err := m.Replace("/file", []byte(text), own(0o644)); err != nil {
					t.Error(err)
					return
				}
				if got := read(t, m.at("/file")); !slices.Contains(texts, got) {
					t.Errorf("half a file: %d bytes, from %.1q on", len(got), got)
				}
			}
		})
	}
	all.Wait()
	if names, _ := m.ReadDir("/"); !slices.Equal(names, []string{"file"}) {
		t.Errorf("left behind: %q", names)
	}
}

func TestReplaceSweepsUpWhatAKillLeft(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	at := m.at("/file")
	stale, busy, others := besideName(at), besideName(at), besideName(at+".more")
	for _, path := range []string{stale, busy, others, m.at("/.file.benchctl-new")} {
		write(t, path, "half")
	}
	if err := os.Symlink("nowhere", besideName(at)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(busy)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := m.Replace("/file", nil, own(0o644)); err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Base(busy), filepath.Base(others), "file"}
	slices.Sort(want)
	if names, _ := m.ReadDir("/"); !slices.Equal(names, want) {
		t.Errorf("there is %q, want %q", names, want)
	}
}

// A program that was just put in its place can be started at once.
func TestAReplacedProgramStarts(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	lock, err := beside(m.at("/program"), []byte("#!/bin/sh\n"), own(0o755), true)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	f, err := os.OpenFile(lock.Name(), os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// A lease to read is refused while anybody has the file open for writing (fcntl(2)).
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		t.Errorf("it is still open for writing: %v", err)
	}
}
