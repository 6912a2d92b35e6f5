package agent

import (
	"context"
	"time"
)

// The kernel tells that a file is closed a moment before it lets its lock go: so
// long is waited until a look, then twice as long until the next, and so on.
const (
	firstLook = 100 * time.Millisecond
	lastLook  = 10 * time.Second
)

// Free waits until nobody holds the lock of a file any more, without a look at it
// before that file is closed by somebody who could write to it. held says who
// holds it, nil for nobody.
func Free(ctx context.Context, file string, held func() error) error {
	closed := make(chan struct{}, 1)
	w, err := Watch([]string{file}, func() {
		select {
		case closed <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return err
	}
	defer w.Close()
	var wait time.Duration
	var look <-chan time.Time // nil: none, until the file is closed
	for held() != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			wait = firstLook
		case <-look:
			wait *= 2
		}
		if look = nil; wait <= lastLook {
			look = time.After(wait)
		}
	}
	return nil
}
