package history

import (
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A Run is one run of the engine, as it ended.
type Run struct {
	Report  *reconcile.Report
	Spec    []byte // the text that the report is about
	Build   string // which benchctl this is
	Partial bool   // --only left something out
	Ended   time.Time
	Online  *bool // whether GitHub said that the runner is online; nil when it did not say
}

// Record adds a run to the notes, fills into its report how often it corrected
// what, and returns the notes as they now are, whether or not all of them could
// be written. Nothing waits for the disk.
func Record(h host.Host, run Run) (*Book, error) {
	b := Load(h)
	specs := map[string]bool{}
	b.speakOf(specs)
	b.add(run)
	b.speakOf(specs)
	w := b.begin(h, run.Ended)
	w.specs(specs, run)
	w.book(b)
	if !run.Partial {
		w.json(LastRun, run.Report)
	}
	w.line(b.LastPass)
	return b, w.verdict()
}

// A Deferral is a run that was put off before anything was looked at.
type Deferral struct {
	At   time.Time
	Verb string
	Why  string // a sentence's reason
	Job  bool   // a job is why, so that maxDefer counts; else somebody's wish
}

// Defer adds a deferral to the notes.
func Defer(h host.Host, d Deferral) (*Book, error) {
	b := Load(h)
	b.put(d.At, d.Job)
	b.LastPass = &Entry{At: d.At.UTC(), Verb: d.Verb, Exit: reconcile.ExitDeferred, Error: short(d.Why)}
	w := b.begin(h, d.At)
	w.book(b)
	w.line(b.LastPass)
	return b, w.verdict()
}

// Forget takes back that resources were ever seen in step, because somebody
// now wants them otherwise: what differs next is no drift.
func Forget(h host.Host, ids []reconcile.ID) error {
	b := Load(h)
	forgot := false
	for _, id := range ids {
		if m := b.Resources[id.String()]; !m.InStep.IsZero() {
			m.InStep, m.Spec, m.Build = time.Time{}, "", ""
			b.Resources[id.String()], forgot = m, true
		}
	}
	if !forgot {
		return nil
	}
	b.InStepSince = time.Time{}
	w := b.begin(h, time.Now())
	w.book(b)
	return w.verdict()
}

// add takes a run into the book.
func (b *Book) add(run Run) {
	now := run.Ended.UTC()
	if !run.Partial {
		b.keepOnly(run.Report.Results)
		b.count(run.Report.Results)
		b.Online = run.Online
	}
	for i := range run.Report.Results {
		b.mark(&run.Report.Results[i], run, now)
	}
	switch {
	case run.Report.Summary[reconcile.Deferred] > 0:
		b.put(now, true)
	case run.Report.Verb == "apply" || run.Report.Summary[reconcile.Pending] == 0:
		// Not by a look that found something to change: between two jobs of a
		// queue that is never empty there is time for one, and the deferral would
		// begin anew with each.
		b.DeferredSince = time.Time{}
	}
	switch {
	case run.Report.ExitCode() != reconcile.ExitOK:
		b.InStepSince = time.Time{}
	case !run.Partial:
		if changed := run.Report.Summary[reconcile.Changed] > 0; changed || b.InStepSince.IsZero() || b.InStepSince.After(now) {
			b.InStepSince = now
		}
		b.InStep = now
	}
	b.LastPass = entryOf(run)
	if run.Report.Verb == "apply" {
		b.LastApply = b.LastPass
	}
}

// mark notes what came of one resource. What was found in step was so when the
// run began to look, at the earliest; what was changed is so since it ended.
func (b *Book) mark(o *reconcile.Outcome, run Run, now time.Time) {
	m := b.Resources[o.ID.String()]
	m.Corrected = lately(m.Corrected, now)
	switch o.Status {
	case reconcile.Unchanged:
		m.InStep, m.Build, m.Spec = run.Report.Started.UTC(), run.Build, run.Report.Spec.SHA256
	case reconcile.Changed:
		m.InStep, m.Build, m.Spec = now, run.Build, run.Report.Spec.SHA256
		if o.Drifted() {
			m.Corrections++
			m.Corrected = append(m.Corrected, now)
		}
	}
	b.Resources[o.ID.String()] = m
	if o.Drifted() {
		o.Corrected = len(m.Corrected)
	}
}

// keepOnly drops what the spec no longer has.
func (b *Book) keepOnly(results []reconcile.Outcome) {
	known := map[string]bool{}
	for _, o := range results {
		known[o.ID.String()] = true
	}
	for id := range b.Resources {
		if !known[id] {
			delete(b.Resources, id)
		}
	}
}

func (b *Book) count(results []reconcile.Outcome) {
	b.Outcomes = nil
	for _, o := range results {
		same := func(c Counts) bool { return c.Kind == o.Kind && c.Status == o.Status }
		if i := slices.IndexFunc(b.Outcomes, same); i >= 0 {
			b.Outcomes[i].Number++
			continue
		}
		b.Outcomes = append(b.Outcomes, Counts{o.Kind, o.Status, 1})
	}
}

// put notes that a run was put off, and since when jobs do that.
func (b *Book) put(now time.Time, job bool) {
	b.Deferrals++
	switch {
	case !job:
		b.DeferredSince = time.Time{}
	case b.DeferredSince.IsZero() || b.DeferredSince.After(now):
		b.DeferredSince = now.UTC()
	}
}
