package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of holding.
const (
	maxHold  = 10 * time.Minute // then the Listener goes on, whatever benchctl does
	maxStill = 5 * time.Second  // for all threads to stop
	maxLeave = 5 * time.Second  // for a guardian to go
	youth    = 2 * time.Second  // of a service that may not heed a stop yet
	moment   = 3 * time.Second  // for what was about to happen just then
	silence  = 30 * time.Second // of a Listener that has just started and is still to open its logs
)

// Hold stops the runner's processes, looks again, and returns with the runner
// held: it takes no job until release is called, or benchctl ends, or ten
// minutes are over. A runner that is down is held by doing nothing.
//
// A unit between two of its starts has no process to hold. A Listener started
// then asks for a session first, which takes it longer than a file takes to be
// replaced.
func (k *Keeper) Hold(ctx context.Context) (release func(), err error) {
	h, err := k.keepStill(ctx)
	if err != nil {
		return nil, err
	}
	return h.release, nil
}

func (k *Keeper) keepStill(ctx context.Context) (h *held, err error) {
	err = patiently(ctx, func() error {
		h, err = k.hold(ctx)
		return err
	})
	return h, err
}

// hold is one attempt: look, arm, stop, look again.
func (k *Keeper) hold(ctx context.Context) (*held, error) {
	listeners, err := k.look()
	if err != nil {
		return nil, err
	}
	h := &held{proc: k.proc, dismiss: func() {}}
	if k.loose {
		return h, nil
	}
	if err := k.grabAll(ctx, h, listeners); err != nil {
		h.release()
		return nil, err
	}
	if len(h.targets) == 0 {
		return h, nil
	}
	if h.dismiss, err = k.arm(ctx, h.targets); err != nil {
		h.dismiss = func() {}
		h.release()
		return nil, fmt.Errorf("cannot hold the runner, since nothing would let it go on if benchctl died: %w", err)
	}
	if err := h.stop(ctx); err != nil {
		h.release()
		return nil, err
	}
	if err := k.lookAgain(h); err != nil {
		h.release()
		return nil, err
	}
	return h, nil
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
	if err != nil || k.blind {
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

// held is a runner whose processes are stopped.
type held struct {
	proc    proc
	targets []target // helpers first, then Listeners
	dismiss func()
	once    sync.Once
}

func (h *held) grab(s process, listener bool) error {
	t, err := h.proc.grab(s)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot hold the runner: %w", err)
	}
	t.listener = listener
	h.targets = append(h.targets, t)
	return nil
}

func (h *held) has(s process) bool {
	return slices.ContainsFunc(h.targets, func(t target) bool {
		return t.PID == s.PID && t.Start == s.Start
	})
}

// stop stops the processes and waits until each of their threads stands still.
// A thread that is starting a child does not until the child is there to see.
func (h *held) stop(ctx context.Context) error {
	for _, t := range h.targets {
		if err := t.send(unix.SIGSTOP); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(maxStill)
	for _, t := range h.targets {
		for pause := 100 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
			still, err := h.proc.still(t.PID)
			if still || errors.Is(err, fs.ErrNotExist) {
				break
			}
			if err != nil {
				return busy("cannot tell whether a job is running: cannot see the threads of process %d: %v", t.PID, err)
			}
			if time.Now().After(deadline) {
				return busy("cannot tell whether a job is running: process %d does not stand still within %s", t.PID, maxStill)
			}
			if err := sleep(ctx, pause); err != nil {
				return err
			}
		}
	}
	return nil
}

// release lets everything go on and then sends the guardian away, in this
// order: benchctl may be killed between the two.
func (h *held) release() {
	h.once.Do(func() {
		for _, t := range h.targets {
			// One that cannot be reached has ended, or the guardian reaches it.
			_ = t.send(unix.SIGCONT)
		}
		h.dismiss()
		for _, t := range h.targets {
			t.fd.Close()
		}
	})
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
