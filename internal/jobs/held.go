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

// held is a runner whose processes are stopped, or are ready to be.
type held struct {
	proc    proc
	targets []target  // helpers first, then Listeners
	guard   *guardian // nil when there is nothing to stop
	since   time.Time // when they were stopped
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
	if len(h.targets) == 0 {
		return nil
	}
	if err := h.guard.send(beginHold); err != nil {
		return err
	}
	h.since = time.Now()
	for _, t := range h.targets {
		if err := t.send(unix.SIGSTOP); err != nil {
			return err
		}
	}
	for _, t := range h.targets {
		if err := h.settle(ctx, t.PID); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until each thread of a process stands still.
func (h *held) settle(ctx context.Context, pid int) error {
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		still, err := h.proc.still(pid)
		switch {
		case still || errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return busy("cannot tell whether a job is running: cannot see the threads of process %d: %v", pid, err)
		case time.Since(h.since) > maxStill:
			return busy("cannot tell whether a job is running: process %d does not stand still within %s", pid, maxStill)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// Why work is given up while the runner is held.
var (
	errTooLong  = errors.New("it took longer than the nine minutes for which a runner is held; apply again to go on, or stop the runner's service first")
	errOrphaned = errors.New("the guardian of the held runner was killed, so that the runner goes on")
)

// during is a context that is done as soon as the hold cannot be relied on any
// more.
func (h *held) during(ctx context.Context) (context.Context, context.CancelFunc) {
	if h.guard == nil {
		return context.WithCancel(ctx)
	}
	ctx, cancel := context.WithDeadlineCause(ctx, h.since.Add(maxWork), errTooLong)
	ctx, lose := context.WithCancelCause(ctx)
	stop := context.AfterFunc(h.guard.gone, func() { lose(errOrphaned) })
	return ctx, func() {
		stop()
		lose(nil)
		cancel()
	}
}

// intact returns an error when a runner that was held is not held any more: its
// Listener may have taken a job while something was done.
func (k *Keeper) intact(h *held) error {
	if h.guard == nil {
		return nil
	}
	lost := func(why string, args ...any) error {
		return busy("a job may have begun: the runner was to be held still, but "+why, args...)
	}
	if h.guard.ended() {
		return lost("its guardian (process %d) ended after %v and let it go on", h.guard.PID, time.Since(h.since).Round(time.Second))
	}
	for _, t := range h.targets {
		still, err := h.proc.still(t.PID)
		if err == nil && !still && !t.ended() {
			return lost("process %d goes on", t.PID)
		}
	}
	listeners, workers, err := k.find()
	if err != nil {
		return lost("its processes cannot be listed: %v", err)
	}
	for _, p := range append(listeners, workers...) {
		if !h.has(p) {
			return lost("process %d was started meanwhile", p.PID)
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
		if h.guard != nil {
			h.guard.leave()
		}
		for _, t := range h.targets {
			t.fd.Close()
		}
	})
}
