package agent

import (
	"context"
	"time"
)

// closing is more than it takes the kernel from telling that a file is closed to
// letting its lock go.
const closing = 100 * time.Millisecond

// Free waits until nobody holds the lock of a file any more, without a look at it
// before that file is closed. held says who does, nil for nobody.
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
	for held() != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			time.Sleep(closing)
		}
	}
	return nil
}
