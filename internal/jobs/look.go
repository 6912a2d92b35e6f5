package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Idle returns nil when no job is there, and a [BusyError] when one is or
// cannot be ruled out. It waits for a Listener that has only just started to
// say its first word.
func (k *Keeper) Idle(ctx context.Context) error {
	return patiently(ctx, func() error {
		_, err := k.look()
		return err
	})
}

// look asks all witnesses and returns the Listeners that live. The cheapest and
// most certain witness comes first.
func (k *Keeper) look() ([]process, error) {
	listeners, workers, err := k.find()
	if err != nil {
		return nil, busy("cannot tell whether a job is running: cannot list the processes: %v; look with: systemctl status %s", err, k.runner.Unit)
	}
	if len(workers) > 0 {
		return nil, k.working(workers)
	}
	if k.blind {
		return listeners, nil
	}
	for _, listener := range listeners {
		if err := k.acquiring(listener); err != nil {
			return nil, err
		}
	}
	return listeners, nil
}

func (k *Keeper) working(workers []process) error {
	var each []string
	for _, w := range workers {
		each = append(each, fmt.Sprintf("%s, process %d, since %s", workerName, w.PID, clock(k.proc.since(w))))
	}
	err := busy("a job is running (%s)", strings.Join(each, "; "))
	err.workers = workers
	return err
}

// acquiring returns an error if a Listener has received a job that has no
// Worker yet, by the perf log or by the diagnostics, or if neither can tell.
func (k *Keeper) acquiring(listener process) error {
	perf, perfErr := k.askPerf()
	diag, diagErr := k.askDiag(listener.PID, perf.sent)
	if perfErr != nil && diagErr != nil {
		if k.silent {
			if connected, err := k.proc.connected(listener.PID); err == nil && !connected {
				return nil
			}
		}
		err := busy("cannot tell whether a job has been received: neither the runner's perf log (%v) nor its diagnostics (%v) can be read; when no job is there, stop the runner by hand: systemctl stop %s",
			perfErr, diagErr, k.runner.Unit)
		err.passes = silence - time.Since(k.proc.since(listener))
		return err
	}
	for _, at := range []time.Time{perf.received, diag} {
		if !at.IsZero() && time.Since(at) < Settle {
			return busy("a job is running (received by %s, process %d, at %s; its worker is yet to come)", listenerName, listener.PID, clock(at))
		}
	}
	return nil
}

func (k *Keeper) askPerf() (perfLog, error) {
	text, err := tail(k.perf, false)
	if err != nil {
		return perfLog{}, err
	}
	said, err := readPerf(text)
	if err != nil {
		return perfLog{}, fmt.Errorf("cannot read %s: %w", k.perf, err)
	}
	return said, nil
}

func (k *Keeper) askDiag(pid int, sent map[string]time.Time) (time.Time, error) {
	name, err := k.diagLog(pid)
	if err != nil {
		return time.Time{}, err
	}
	text, err := tail(name, true)
	if err != nil {
		return time.Time{}, err
	}
	return unended(text, sent)
}

// patiently tries again when it came at a moment that passes. One that may take
// longer is told of: somebody may be watching.
func patiently(ctx context.Context, try func() error) error {
	begun, said := time.Now(), false
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := try()
		var b *BusyError
		if !errors.As(err, &b) || time.Since(begun) > b.passes {
			return err
		}
		if !said && b.passes > moment {
			said = true
			reconcile.Progress(ctx)("waiting for the runner, which has just been started, to open its logs")
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}
