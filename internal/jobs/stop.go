package jobs

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Stop ends the runner's service. The stop is given to systemd while the runner
// is held and no job is there; then the Listener is let go, to meet the signal
// that ends it before anything else. Killed before, benchctl leaves a runner
// that goes on, and killed after, one that stops.
func (k *Keeper) Stop(ctx context.Context) error {
	unit, err := k.host.Unit(ctx, k.runner.Unit)
	if err != nil {
		return fmt.Errorf("cannot stop the runner: %w", err)
	}
	h, err := k.patiently(ctx)
	if err != nil {
		return err
	}
	defer h.release()
	if unit.ActiveState != "inactive" && unit.ActiveState != "failed" {
		wait, err := k.host.Systemd().BeginStop(ctx, k.runner.Unit)
		if err != nil {
			return fmt.Errorf("cannot stop %s: %w", k.runner.Unit, err)
		}
		if err := h.meetSignal(ctx); err != nil {
			return err
		}
		h.release()
		if err := wait(ctx); err != nil {
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
// Listener, and waits until it has arrived there: a signal that waits for a
// stopped process comes first when the process goes on. If it does not arrive,
// the Listener is let go all the same, as the stop is under way.
func (h *held) meetSignal(ctx context.Context) error {
	for _, t := range h.targets {
		if !t.listener {
			if err := t.send(unix.SIGCONT); err != nil {
				return err
			}
		}
	}
	deadline := time.Now().Add(maxRelay)
	for _, t := range h.targets {
		for t.listener && !h.met(t) && time.Now().Before(deadline) {
			if err := sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// met reports whether a Listener has a signal waiting, or runs, or is no more.
func (h *held) met(t target) bool {
	s, err := h.proc.process(t.PID)
	if err != nil || s.Start != t.Start || s.State != 'T' {
		return true
	}
	return h.proc.pending(t.PID, ending...)
}
