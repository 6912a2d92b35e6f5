package main

import (
	"context"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/cause"
	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// markDrift fills in what is known of changes that nobody asked for. It only
// reads, and not even that where nothing differs.
func (w *wired) markDrift(ctx context.Context, began time.Time, outcomes []reconcile.Outcome) {
	var d *history.Drift
	for i := range outcomes {
		o := &outcomes[i]
		if len(o.Changes) == 0 {
			continue
		}
		if d == nil {
			d = w.drift(began)
		}
		d.Mark(ctx, o.ID, o.Changes)
		if o.Drifted() {
			o.Corrected = w.book.CorrectedInADay(o.ID, began)
		}
	}
}

// drift is what tells drift from a changed spec, with what was known when a run
// began.
func (w *wired) drift(began time.Time) *history.Drift {
	w.book = history.Load(w.machine)
	runner := resources.Runner(w.machine, w.spec)
	finder := &cause.Finder{Reader: w.machine, InstallDir: runner.Dir, Unit: runner.Unit, Now: began, Local: time.Local}
	return &history.Drift{
		Reader: w.machine, Book: w.book, Spec: w.spec.SHA256, Build: buildName(), Now: began,
		Wanted: w.wantedEarlier, Cause: finder.Find,
	}
}

// wantedEarlier is what a resource would change if it came from an earlier spec.
func (w *wired) wantedEarlier(ctx context.Context, text []byte, id reconcile.ID) []reconcile.Change {
	s, err := spec.Load(w.spec.File, text)
	if err != nil {
		return nil // a benchctl that takes it no longer is another build, but who knows
	}
	o := w.options
	o.Applying = false
	if s.Runner.URL != w.spec.Runner.URL {
		o.GitHub, o.Releases = nil, nil // they ask for another place
	}
	for _, res := range resources.Build(s, o) {
		if res.ID() == id {
			return reconcile.Diff(ctx, w.machine, []reconcile.Resource{res})[0].Changes
		}
	}
	return nil
}

// foundDrift is for an apply, which is told of its changes one by one. What is
// drift is decided before anything was touched: what differs only later, such
// as a service that was stopped for the sake of another resource, does so
// because of the apply itself.
func (w *wired) foundDrift(ctx context.Context, began time.Time) func(reconcile.ID, []reconcile.Change) {
	var before map[reconcile.ID][]reconcile.Change
	return func(id reconcile.ID, changes []reconcile.Change) {
		if before == nil {
			before = map[reconcile.ID][]reconcile.Change{}
			outcomes := reconcile.Diff(ctx, w.machine, w.resources)
			w.markDrift(ctx, began, outcomes)
			for _, o := range outcomes {
				before[o.ID] = o.Changes
			}
		}
		for i := range changes {
			for _, was := range before[id] {
				if was.Field == changes[i].Field && was.Want == changes[i].Want {
					changes[i].Since, changes[i].Cause, changes[i].Corrective = was.Since, was.Cause, was.Corrective
				}
			}
		}
	}
}

// buildName tells one benchctl from another.
func buildName() string {
	commit, _ := build()
	return version + " " + commit
}
