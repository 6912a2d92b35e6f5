package linux

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A child that is between fork and exec has the lock's file, too.
func TestLockEndsWhereAChildHasItsFile(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	f, err := m.openLock("lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	child, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(child)
	letGo(f)
	release, err := m.Lock(t.Context(), "apply")
	if err != nil {
		t.Fatalf("the lock was let go, and yet: %v", err)
	}
	release()
}

func TestUnlocked(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	if err := m.Unlocked(); err != nil {
		t.Errorf("before the first lock: %v", err)
	}
	release, err := m.Lock(t.Context(), "apply")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Unlocked(); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "benchctl apply, process ") {
		t.Errorf("while it is locked: %v", err)
	}
	release()
	if err := m.Unlocked(); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

// Whoever waited for a lock whose file a removal took away does not take that for
// the lock beside the one who has the new file.
func TestLockOfARemovedFile(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	first, err := m.Exclusive("knobs")
	if err != nil {
		t.Fatal(err)
	}
	var held atomic.Int32
	ended := make(chan error, 2)
	take := func() {
		release, err := m.Exclusive("knobs")
		if err == nil {
			if n := held.Add(1); n > 1 {
				err = fmt.Errorf("%d have the lock", n)
			}
			time.Sleep(10 * exclusivePause)
			held.Add(-1)
			release()
		}
		ended <- err
	}
	path := m.at(filepath.Join(runDir, "knobs.lock"))
	go take()
	for range 100 { // until it has most likely opened the first file
		if opened(t, path) > 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	go take()
	for held.Load() < 1 {
		time.Sleep(time.Millisecond)
	}
	first()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// opened counts this process's open files of a path.
func opened(t *testing.T, path string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && to == path {
			n++
		}
	}
	return n
}

// Whoever holds a lock may have found no room to sign it.
func TestLockThatNobodySigned(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	f, err := m.openLock("lock")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	_, err = m.Lock(t.Context(), "apply")
	for _, err := range []error{err, m.Unlocked()} {
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), ": a process that has not said who it is") {
			t.Errorf("it is said: %v", err)
		}
	}
}
