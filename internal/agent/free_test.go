package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

func TestFreeWaitsForTheLockToBeClosed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lock")
	lock, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	var looks atomic.Int32
	asked := make(chan struct{}, 1)
	held := errors.New("benchctl apply holds it")
	holder := func() error {
		if looks.Add(1) == 1 {
			asked <- struct{}{}
			return held
		}
		return nil
	}
	freed := make(chan error, 1)
	go func() { freed <- Free(t.Context(), file, holder) }()
	<-asked
	lock.Close()
	if err := <-freed; err != nil || looks.Load() != 2 {
		t.Errorf("%v after %d looks", err, looks.Load())
	}
	if err := Free(t.Context(), file, func() error { return nil }); err != nil {
		t.Errorf("a lock that nobody holds: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Free(gone, file, func() error { return held }); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more: %v", err)
	}
}

// The lock may be there a while longer than the file is open, on a machine that
// has much to do.
func TestFreeLooksAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lock")
	lock, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	err = Free(t.Context(), file, func() error {
		if looks++; looks == 1 {
			lock.Close()
		}
		if looks < 4 {
			return errors.New("benchctl apply holds it")
		}
		return nil
	})
	if err != nil || looks != 4 {
		t.Errorf("%v after %d looks", err, looks)
	}
}
