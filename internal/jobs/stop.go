package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Stop ends the runner's service. The stop is given to systemd while the runner
// is held and no job is there; then the Listener is let go, to meet the signal
// that ends it before anything else. Killed before, benchctl leaves a runner
// that goes on, and killed after, one that stops.
func (k *Keeper) Stop(ctx context.Context) error {
	h, err := k.keepStill(ctx)
	if err != nil {
		return err
	}
	return k.end(ctx, h)
}

// StopSilent is like [Keeper.Stop], and ends a runner too that was started and
// hangs before its first word: with no log to ask, a Listener without a single
// TCP connection has nobody to have received a job from, or to renew one with.
func (k *Keeper) StopSilent(ctx context.Context) error {
	alike := *k
	alike.silent = true
	return alike.Stop(ctx)
}

// end stops the unit of a runner that is held, which lets it go.
func (k *Keeper) end(ctx context.Context, h *held) error {
	defer h.release()
	unit, err := k.host.Unit(ctx, k.runner.Unit)
	if err != nil {
		return fmt.Errorf("cannot stop the runner: %w", err)
	}
	if unit.ActiveState != "inactive" && unit.ActiveState != "failed" {
		wait, err := k.host.Systemd().BeginStop(ctx, k.runner.Unit)
		if err != nil {
			return fmt.Errorf("cannot stop %s: %w", k.runner.Unit, err)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- wait(ctx) }()
		if err := h.meetSignal(stopped); err != nil {
			return fmt.Errorf("cannot stop %s: %w", k.runner.Unit, err)
		}
	}
	return k.gone()
}

// gone looks whether anything of the runner outlived its unit.
func (k *Keeper) gone() error {
	listeners, workers, err := k.find()
	if err != nil {
		return fmt.Errorf("cannot tell whether %s has stopped: %w", k.runner.Unit, err)
	}
	if len(workers) > 0 {
		return k.working(workers)
	}
	if len(listeners) > 0 {
		pid := listeners[0].PID
		return fmt.Errorf("cannot stop the runner: %s, process %d, does not belong to %s; end it with: kill -INT %d", listenerName, pid, k.runner.Unit, pid)
	}
	return nil
}

// ending are the signals that end a Listener.
var ending = []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGKILL}

// meetSignal lets the helpers go on, which pass the unit's stop down to the
// Listener, and lets the Listener go on when the signal has arrived there: one
// that waits for a stopped process comes first when the process goes on. A
// Listener that no signal reaches stays held until systemd kills it; let go, it
// would take a job first. It returns when systemd is done.
func (h *held) meetSignal(stopped <-chan error) error {
	for _, t := range h.targets {
		if !t.listener {
			if err := t.send(unix.SIGCONT); err != nil {
				return err
			}
		}
	}
	for poll := time.Millisecond; !h.allMet(); poll = min(2*poll, 20*time.Millisecond) {
		select {
		case err := <-stopped:
			return err
		case <-time.After(poll):
		}
	}
	h.hush()
	h.release()
	return <-stopped
}

// hush kills a Listener that is to end and has a message waiting. Let go, it
// would see both at once, and might still acquire the job. GitHub offers a job
// that nobody acquired again. A session that was not closed keeps the next
// Listener waiting for minutes, so only this one is killed.
func (h *held) hush() {
	for _, t := range h.targets {
		if waiting, err := h.proc.unread(t.PID); t.listener && err == nil && waiting {
			_ = t.send(unix.SIGKILL)
		}
	}
}

func (h *held) allMet() bool {
	return !slices.ContainsFunc(h.targets, func(t target) bool { return t.listener && !h.met(t) })
}

// met reports whether a Listener has a signal waiting, or runs, or is no more.
func (h *held) met(t target) bool {
	s, err := h.proc.process(t.PID)
	if err != nil || s.Start != t.Start || s.State != 'T' {
		return true
	}
	return h.proc.pending(t.PID, ending...)
}
