package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// make has the lab make something, and counts how often it had to.
func (l *Lab) make(t *testing.T, name string, made *int) string {
	t.Helper()
	dir, err := l.cached(t.Context(), name, func(tmp string) error {
		*made++
		return os.WriteFile(tmp+"/made", nil, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func backdate(t *testing.T, dir string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	if err := os.Chtimes(dir, then, then); err != nil {
		t.Fatal(err)
	}
}

func TestCacheSweepsUpWhatNobodyAsksFor(t *testing.T) {
	t.Parallel()
	l := &Lab{Cache: t.TempDir()}
	made := 0
	ages := map[string]time.Duration{
		"young": time.Hour, "past": rootLife + time.Hour, "forgotten": rootLife + 2*grace, "locked": rootLife + 2*grace,
	}
	for name := range ages {
		l.make(t, name, &made)
	}
	for name, age := range ages {
		backdate(t, filepath.Join(l.Cache, name), age)
	}
	for _, left := range []string{".young-1234", ".locked-1234"} { // by makers that were killed, or are at it
		if err := os.MkdirAll(filepath.Join(l.Cache, left, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	unlock, err := flock(filepath.Join(l.Cache, "locked.lock"), unix.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	l.make(t, "young", &made) // takes what is there, and so sweeps nothing
	if entries, _ := os.ReadDir(l.Cache); len(entries) != 2*len(ages)+2 {
		t.Errorf("there is %v", entries)
	}
	l.make(t, "new", &made)
	want := []string{".locked-1234", "locked", "locked.lock", "new", "new.lock", "past", "past.lock", "young", "young.lock"}
	var got []string
	entries, _ := os.ReadDir(l.Cache)
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	if l.make(t, "past", &made); made != 6 { // past its life, it is made anew when asked for
		t.Errorf("made %d times, want 6", made)
	}
	if _, err := os.Stat(filepath.Join(l.Cache, "past.old")); err != nil {
		t.Errorf("machines may still run on the old one: %v", err)
	}
}

func TestCacheKeepsNothingHalfMade(t *testing.T) {
	t.Parallel()
	l := &Lab{Cache: t.TempDir()}
	broken := errors.New("no mirror")
	if _, err := l.cached(context.Background(), "x", func(string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(l.Cache); len(entries) != 1 { // its lock
		t.Errorf("there is %v", entries)
	}
}

// A child that is between fork and exec has the lock's file, too.
func TestLockEndsWhereAChildHasItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	unlock, err := flock(path, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		t.Fatal(err)
	}
	child := sameFile(t, path)
	defer unix.Close(child)
	unlock()
	again, err := flock(path, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		t.Fatalf("the lock was let go, and yet: %v", err)
	}
	again()
}

// sameFile duplicates this process's open file of a path.
func sameFile(t *testing.T, path string) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && to == path {
			n, _ := strconv.Atoi(e.Name())
			fd, err := unix.Dup(n)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}
	}
	t.Fatalf("%s is not open", path)
	return -1
}
