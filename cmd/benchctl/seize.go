package main

import (
	"context"
	"fmt"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
)

// keepJobsAway is what keeps jobs and an apply apart: for each change anew, if
// no job is there, or for all of them, from the end of the running job on. The
// latter is for those who asked to wait, and for a host that a queue which is
// never empty has kept from being corrected for too long. letGo ends it.
func (w *wired) keepJobsAway(ctx context.Context, e *env, a applyFlags) (jobs reconcile.Jobs, letGo func(), err error) {
	if !a.wait && (a.attended || !w.overdue(time.Now())) {
		return w.jobs, func() {}, nil
	}
	resources.AwaitStart(ctx, w.machine, w.service) // held on its way up, it never would listen
	seized, err := w.jobs.Seize(ctx, func(line string) { fmt.Fprintln(e.stderr, clean(line)) })
	if err != nil {
		return nil, nil, err
	}
	return seized, seized.Release, nil
}

// overdue reports whether jobs have put passes off for longer than the spec lets
// them.
func (w *wired) overdue(now time.Time) bool {
	since := history.Load(w.machine).DeferredSince
	s := w.spec.Schedule
	return s != nil && !since.IsZero() && now.Sub(since) >= s.MaxDefer
}
