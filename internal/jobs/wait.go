package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// recheck is how long Wait sleeps when there is no process to be woken by.
const recheck = time.Second

// Wait returns when no job is there any more. It tells progress why it waits,
// each time the reason changes, and sleeps until the job's Worker ends.
func (k *Keeper) Wait(ctx context.Context, progress func(reason string)) error {
	told := ""
	for {
		err := k.Idle(ctx)
		var b *BusyError
		if !errors.As(err, &b) {
			return err
		}
		if b.Reason != told {
			told = b.Reason
			progress(told)
		}
		if err := k.pause(ctx, b.workers); err != nil {
			return fmt.Errorf("gave up waiting, %s: %w", b.Reason, err)
		}
	}
}

// pause sleeps until one of the Workers has ended, or for a second when there
// is none to be woken by.
func (k *Keeper) pause(ctx context.Context, workers []process) error {
	for _, worker := range workers {
		if t, err := k.proc.grab(worker); err == nil {
			defer t.fd.Close()
			return t.wait(ctx)
		}
	}
	return sleep(ctx, recheck)
}
