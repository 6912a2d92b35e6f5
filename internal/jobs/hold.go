package jobs

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Bounds of holding.
const (
	maxHold  = 10 * time.Minute // then the Listener goes on, whatever benchctl does
	maxWork  = 9 * time.Minute  // then benchctl gives up what it held the Listener for
	maxStill = 5 * time.Second  // for all threads to stop
	maxLeave = 5 * time.Second  // for a guardian to go
	youth    = 2 * time.Second  // of a service that may not heed a stop yet
	moment   = 3 * time.Second  // for what was about to happen just then
	silence  = 30 * time.Second // of a Listener that has just started and is still to open its logs
)

// Hold stops the runner's processes, looks again, and returns with the runner
// held: it takes no job until release is called, or benchctl ends, or ten
// minutes are over. The context is done a minute before that, or when the
// guardian has ended. A runner that is down is held by doing nothing.
//
// A unit between two of its starts has no process to hold. A Listener started
// then asks for a session first, which takes it longer than a file takes to be
// replaced.
func (k *Keeper) Hold(ctx context.Context) (held context.Context, release func() error, err error) {
	h, err := k.keepStill(ctx)
	if err != nil {
		return nil, nil, err
	}
	held, cancel := h.during(ctx)
	return held, sync.OnceValue(func() error {
		cancel()
		defer h.release()
		return k.intact(h)
	}), nil
}

func (k *Keeper) keepStill(ctx context.Context) (h *held, err error) {
	err = patiently(ctx, func() error {
		h, err = k.hold(ctx)
		return err
	})
	return h, err
}

// hold is one attempt: look, make ready, stop, look again.
func (k *Keeper) hold(ctx context.Context) (*held, error) {
	listeners, err := k.look()
	if err != nil {
		return nil, err
	}
	h, err := k.ready(ctx, listeners)
	if err != nil {
		return nil, err
	}
	if err := k.take(ctx, h); err != nil {
		return nil, err
	}
	return h, nil
}

// ready collects what is to be stopped, and arms: from here on a moment is
// enough to hold the runner.
func (k *Keeper) ready(ctx context.Context, listeners []process) (*held, error) {
	h := &held{proc: k.proc}
	if k.loose {
		return h, nil
	}
	err := k.grabAll(ctx, h, listeners)
	if err == nil && len(h.targets) > 0 {
		if h.guard, err = k.arm(ctx, h.targets); err != nil {
			err = fmt.Errorf("cannot hold the runner, since nothing would let it go on if benchctl died: %w", err)
		}
	}
	if err != nil {
		h.release()
		return nil, err
	}
	return h, nil
}

// take stops the processes and looks again. If a job is there after all, it
// lets them go on.
func (k *Keeper) take(ctx context.Context, h *held) error {
	err := h.stop(ctx)
	if err == nil {
		err = k.lookAgain(h)
	}
	if err != nil {
		h.release()
	}
	return err
}

// grabAll collects what is to be stopped: the unit's main process and its
// children, which would start a Listener that is missing, and the Listeners.
func (k *Keeper) grabAll(ctx context.Context, h *held, listeners []process) error {
	unit, err := k.host.Unit(ctx, k.runner.Unit)
	if err != nil {
		return fmt.Errorf("cannot hold the runner: %w", err)
	}
	if unit.MainPID > 0 {
		if err := k.grown(unit.MainPID, listeners); err != nil {
			return err
		}
		for _, pid := range k.proc.family(unit.MainPID) {
			s, err := k.proc.process(pid)
			if err != nil || slices.ContainsFunc(listeners, func(l process) bool { return l.PID == pid }) {
				continue
			}
			if err := h.grab(s, false); err != nil {
				return err
			}
		}
	}
	for _, listener := range listeners {
		if err := h.grab(listener, true); err != nil {
			return err
		}
	}
	return nil
}

// grown refuses a service that has just begun and has no Listener yet: the
// shell and the node process above it may still let a signal to end pass
// unheard, and then a Listener would start, take a job and be killed.
func (k *Keeper) grown(main int, listeners []process) error {
	s, err := k.proc.process(main)
	if err != nil || len(listeners) > 0 || time.Since(k.proc.since(s)) > youth {
		return nil
	}
	young := busy("cannot tell whether a job is coming: %s has just been started", k.runner.Unit)
	young.passes = moment
	return young
}

// lookAgain looks while everything is held: for what there was to see before,
// for a Listener that is not held, and for messages that have arrived.
func (k *Keeper) lookAgain(h *held) error {
	listeners, err := k.look()
	if err != nil || k.blind || k.loose {
		return err
	}
	for _, listener := range listeners {
		if !h.has(listener) {
			err := busy("cannot tell whether a job is running: %s, process %d, has just been started", listenerName, listener.PID)
			err.passes = moment
			return err
		}
		waiting, err := k.proc.unread(listener.PID)
		if err != nil {
			return busy("cannot tell whether a job is coming: cannot see the sockets of process %d: %v", listener.PID, err)
		}
		if waiting {
			err := busy("a job may be coming: a message waits in a socket of %s, process %d", listenerName, listener.PID)
			err.passes = moment
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
