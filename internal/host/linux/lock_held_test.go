package linux

import (
	"errors"
	"strings"
	"testing"

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
