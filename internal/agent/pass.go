package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// How long the parts of a pass may take.
const (
	mostLook  = 15 * time.Minute
	mostApply = 2 * time.Hour // apt, a JDK and the runner over a slow line; then the pass no longer waits
	grace     = time.Minute   // that systemd's watchdog gives on top
)

// pass is one pass: see that nothing is in the way, look, and have corrected
// what is to be corrected.
func (a *Agent) pass(ctx context.Context) {
	a.watchdog(mostLook)
	defer a.watchdog(0)
	a.reload(ctx)
	if a.giveWay(ctx) {
		return
	}
	if err := a.Paused(); err != nil {
		a.Defer(a.good, err, false)
		a.become("paused", journal.Info, "deferred: %v", err)
		return
	}
	jobs := a.Jobs(a.good)
	defer a.awaitEnd(ctx, jobs)
	if err := jobs.Idle(ctx); err != nil {
		a.busy(ctx, jobs, err)
		return
	}
	// What follows leaves garbage behind, and the next pass may be hours away.
	defer forgetProgram()
	defer debug.FreeOSMemory()
	defer a.giveWay(ctx)
	a.look(ctx, jobs)
}

// giveWay ends the agent between two passes when it should. One that finds
// problems in the spec may be too old to know better, so the new one is asked;
// if it finds them too, it could not begin, and this one goes on.
func (a *Agent) giveWay(ctx context.Context) bool {
	why := a.Stale()
	if why == "" || a.fault != nil && a.Validate(ctx) != nil {
		return false
	}
	a.Log.Say(journal.Notice, nil, "%s: the agent ends, and systemd starts the new one", why)
	a.stop()
	return true
}

// busy puts the pass off until the job has ended, unless jobs have put passes
// off for so long that the next one has to wait instead.
func (a *Agent) busy(ctx context.Context, jobs Jobs, why error) {
	if ctx.Err() != nil {
		return
	}
	since := a.Defer(a.good, why, true)
	a.become("deferred", journal.Info, "deferred: %v", why)
	a.awaitJob(ctx, jobs)
	if s := a.good.Schedule; s != nil && !since.IsZero() && a.Clock.Now().Sub(since) >= s.MaxDefer {
		a.Log.Say(journal.Notice, nil, "jobs have put passes off since %s; the runner is held when this job ends", since.Local().Format(time.DateTime))
		a.correct(ctx, jobs)
	}
}

// awaitJob has the end of the job wake the loop.
func (a *Agent) awaitJob(ctx context.Context, jobs Jobs) {
	a.await(&a.forJob, func() error { return jobs.Wait(ctx, func(string) {}) })
}

// await has the end of something wake the loop, unless somebody waits for it
// already.
func (a *Agent) await(waits *atomic.Bool, until func() error) {
	if !waits.CompareAndSwap(false, true) {
		return
	}
	a.waits.Go(func() {
		err := until()
		waits.Store(false)
		if err == nil {
			a.wake()
		}
	})
}

// betweenEnds is the least time between two passes that ends of the Listener bring
// on: one that cannot live would else be started over and over.
const betweenEnds = time.Minute

// awaitEnd has the end of an ephemeral runner's Listener wake the loop where it
// left its registration, so that [Agent.heedJobs] hears of nothing: one that
// crashed, or that GitHub told of the end of its registration before it had seen
// that of its job.
func (a *Agent) awaitEnd(ctx context.Context, jobs Jobs) {
	if !a.good.Runner.Ephemeral {
		return
	}
	registration := a.registration()
	a.await(&a.forEnd, func() error {
		if err := jobs.Ended(ctx); err != nil {
			return err
		}
		if _, err := a.Host.Lstat(registration); err != nil {
			return err
		}
		if err := sleep(ctx, a.ended.Add(betweenEnds).Sub(a.Clock.Now())); err != nil {
			return err
		}
		a.ended = a.Clock.Now()
		return nil
	})
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(d, betweenEnds)): // clocks are set
		return nil
	}
}

// look has a child look, and goes by what it saw.
func (a *Agent) look(ctx context.Context, jobs Jobs) {
	bound, cancel := context.WithTimeout(ctx, mostLook)
	defer cancel()
	seen, err := a.Look(bound)
	if a.remote() && ctx.Err() == nil {
		a.reload(ctx) // the child may have fetched another one
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		a.become("the last pass failed", journal.Error, "%v", err)
	case seen.Code == reconcile.ExitDeferred:
		a.state = "deferred by another benchctl or a pause" // the child said which
		a.await(&a.forOther, func() error { return a.Free(ctx) })
	case seen.Summary[reconcile.Pending] > 0:
		a.Log.Say(journal.Notice, nil, "%d to change: starting %s", seen.Summary[reconcile.Pending], ApplyUnit)
		a.correct(ctx, jobs)
	case seen.Code != reconcile.ExitOK:
		a.become("needs somebody: see benchctl diff", journal.Warning, "nothing to change, but not all is well: see benchctl diff")
	default:
		a.state = "in step"
	}
}

// correct has the other unit change the host, and waits for it.
func (a *Agent) correct(ctx context.Context, jobs Jobs) {
	a.watchdog(mostApply)
	a.Notify("STATUS=" + ApplyUnit + " is at work")
	bound, cancel := context.WithTimeout(ctx, mostApply)
	defer cancel()
	began := a.Clock.Now()
	err := a.Correct(bound)
	came := a.Applied(began)
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, context.DeadlineExceeded):
		a.become(ApplyUnit+" is still at work", journal.Warning, "%s has been at work for %s; the next pass waits for it again", ApplyUnit, mostApply)
	case came.corrected() && came.Code != reconcile.ExitOK:
		a.become("corrected, but needs somebody: see benchctl diff", journal.Warning, "corrected, but not all is well: see benchctl diff")
	case err != nil && came.Code == reconcile.ExitError: // it was started, whatever systemd's job calls it
		a.become("correcting failed: see journalctl -u "+ApplyUnit, journal.Error, "correcting failed; see: journalctl -u %s", ApplyUnit)
	case err != nil:
		a.become("correcting failed: see journalctl -u "+ApplyUnit, journal.Error, "%v; see: journalctl -u %s", err, ApplyUnit)
	case came.Code == reconcile.ExitDeferred:
		a.become("deferred", journal.Info, "deferred: %s was put off; see journalctl -u %[1]s", ApplyUnit)
		if jobs.Idle(ctx) != nil {
			a.awaitJob(ctx, jobs)
		}
	default:
		a.become("in step since the last correction", journal.Info, "corrected")
	}
}

// become notes what a pass came to, and says it.
func (a *Agent) become(state string, level journal.Level, format string, args ...any) {
	a.state = state
	a.Log.Say(level, nil, format, args...)
}

// watchdog has systemd end an agent that hangs for longer than the part of the
// pass may take; 0 is no limit. Between passes there is none, since an agent
// that has to say it is alive would have to wake up for it.
func (a *Agent) watchdog(limit time.Duration) {
	if limit > 0 {
		limit += grace
	}
	a.Notify(fmt.Sprintf("WATCHDOG_USEC=%d", limit.Microseconds()))
}
