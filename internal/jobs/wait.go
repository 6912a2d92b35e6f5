package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Without a process to be woken by, another look comes soon at first: what
// there is to wait for then takes the Listener milliseconds. If it takes longer,
// looks become rare, since an agent may have to wait like this for hours and
// must not be the noise.
const (
	soon    = 5 * time.Millisecond
	recheck = 15 * time.Second
)

// Wait returns when no job is there any more. It tells progress why it waits,
// each time the reason changes, and sleeps until the job's Worker ends.
func (k *Keeper) Wait(ctx context.Context, progress func(reason string)) error {
	return persist(ctx, progress, func(worker *process) error {
		if worker != nil {
			if err := k.outlive(ctx, *worker); err != nil {
				return err
			}
		}
		return k.Idle(ctx)
	})
}

// persist tries until no job is in the way. It hands try a Worker of the one
// that was in the way before, nil when there was none to be seen.
func persist(ctx context.Context, progress func(reason string), try func(worker *process) error) error {
	told := ""
	var worker *process
	for pause := soon; ; {
		err := try(worker)
		var b *BusyError
		if !errors.As(err, &b) {
			return gaveUp(ctx, told, err)
		}
		if b.Reason != told {
			told = b.Reason
			progress(told)
		}
		if len(b.workers) > 0 {
			worker, pause = &b.workers[0], soon
			continue
		}
		worker = nil
		if err := sleep(ctx, pause); err != nil {
			return gaveUp(ctx, told, err)
		}
		pause = min(2*pause, recheck)
	}
}

// gaveUp says for what was waited when the context ended.
func gaveUp(ctx context.Context, reason string, err error) error {
	if err != nil && ctx.Err() != nil && reason != "" {
		return fmt.Errorf("gave up waiting, %s: %w", reason, ctx.Err())
	}
	return err
}

// Ended sleeps until the Listener that is up now has ended. Where none is, there
// is nothing to wait for, and the error wraps fs.ErrNotExist.
func (k *Keeper) Ended(ctx context.Context) error {
	listeners, _, err := k.find()
	if err == nil && len(listeners) == 0 {
		err = fmt.Errorf("no Listener of %s is up: %w", k.runner.Unit, fs.ErrNotExist)
	}
	if err != nil {
		return err
	}
	return k.outlive(ctx, listeners[0])
}

// outlive sleeps until a process has ended.
func (k *Keeper) outlive(ctx context.Context, p process) error {
	t, err := k.proc.grab(p)
	if errors.Is(err, fs.ErrNotExist) {
		return sleep(ctx, soon)
	}
	if err != nil {
		return sleep(ctx, recheck)
	}
	defer t.fd.Close()
	return t.wait(ctx)
}
