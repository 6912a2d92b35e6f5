package linux

import (
	"errors"
	"strings"
	"testing"
)

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
