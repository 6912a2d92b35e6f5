package main

import (
	"context"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/agent"
	"github.com/SKaiNET-developers/benchctl/internal/deadline"
	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/internal/metrics"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// conclude keeps and tells what a pass or an apply came to. What goes wrong with
// that is said, and does not change what the run came to.
func conclude(ctx context.Context, e *env, w *wired, r *reconcile.Report, a applyFlags) {
	log := journal.New(e.stderr)
	book, err := history.Record(w.machine, history.Run{
		Report: r, Spec: w.spec.Text, Build: buildName(), Partial: w.partial, Ended: time.Now(), Online: w.online(r),
	})
	w.book = book
	if err := w.support(ctx).Keep(w.machine); err != nil {
		log.Say(journal.Warning, nil, "%s", clean(err.Error()))
	}
	remembered(e, log, w.spec, book, err)
	if !a.attended {
		say(log.Say, r)
	}
	w.tell(ctx, e, log, r, a)
	if err := w.memory.Keep(w.machine, time.Now()); err != nil {
		log.Say(journal.Warning, nil, "%s", clean(err.Error()))
	}
}

// remembered says what of benchctl's notes was damaged or could not be written,
// and writes the metrics of what they are now.
func remembered(e *env, log *journal.Log, s *spec.Spec, book *history.Book, err error) {
	for _, warning := range book.Warnings {
		log.Say(journal.Warning, nil, "%s", clean(warning))
	}
	if err != nil {
		log.Say(journal.Warning, nil, "%s", clean(err.Error()))
	}
	if s.Metrics == "" {
		return
	}
	commit, _ := build()
	snap := metrics.Snapshot{Book: book, Version: version, Commit: commit, Host: e.machine.Hostname(), Spec: s.SHA256, Now: time.Now()}
	snap.Support = deadline.Kept(e.machine, runnerInstalled(e.machine, s))
	if snap.Support.Version != "" {
		is := snap.Support.Registers(snap.Now, s.Runner.URL)
		snap.Registers = &is
	}
	if s.Schedule != nil {
		snap.NextRun = agent.Next(e.machine, s.Schedule, snap.Now)
	}
	if err := metrics.Write(e.machine, s.Metrics, snap); err != nil {
		log.Say(journal.Warning, nil, "%s", clean(err.Error()))
	}
}

// online is whether GitHub said that the runner is online. A service that this
// very run started was not yet when it was asked.
func (w *wired) online(r *reconcile.Report) *bool {
	started := func(o reconcile.Outcome) bool { return o.Kind == "service" && o.Status == reconcile.Changed }
	if slices.ContainsFunc(r.Results, started) {
		return nil
	}
	for _, res := range w.resources {
		if c, ok := res.(interface{ Online() *bool }); ok {
			return c.Online()
		}
	}
	return nil
}
