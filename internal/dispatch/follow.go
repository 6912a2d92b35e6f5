package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// told is what was said of a job.
type told struct {
	waits, begun, ended bool
	steps               int
}

// follow looks at the run until it has ended, and says what happens.
func (d *dispatcher) follow(ctx context.Context) error {
	began := time.Now()
	for {
		var run actions.Run
		var jobs []actions.RunJob
		err := d.persist(ctx, func() (err error) {
			if run, err = d.GitHub.Run(ctx, d.report.Run.ID); err == nil {
				jobs, err = d.GitHub.RunJobs(ctx, run.ID)
			}
			return err
		})
		if err != nil {
			return err
		}
		d.seen = true
		d.see(ctx, run, jobs)
		if run.Completed() {
			return nil
		}
		if err := d.wait(ctx, jobs, began); err != nil {
			return err
		}
	}
}

// persist asks until GitHub answers. It is away for a while now and then, and a
// run that was only just started is not shown at once.
func (d *dispatcher) persist(ctx context.Context, ask func() error) error {
	var since time.Time
	for wait := d.Pace.Running; ; wait = min(2*wait, max(time.Minute, d.Pace.Running)) {
		err := ask()
		switch {
		case err == nil && !since.IsZero():
			d.Said(fmt.Sprintf("GitHub answers again, after %s", span(time.Since(since))))
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, actions.ErrNotFound) && !d.seen && time.Since(d.fired) < d.Pace.Find:
			wait = d.Pace.Queued
		case !errors.Is(err, actions.ErrAway):
			return err
		case since.IsZero():
			since = time.Now()
			d.Said(fmt.Sprintf("%v; the run goes on without it, and it is asked again until it answers", err))
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// see notes what GitHub says now, and says what is new.
func (d *dispatcher) see(ctx context.Context, run actions.Run, jobs []actions.RunJob) {
	d.report.take(run)
	queued := true
	d.report.Jobs = d.report.Jobs[:0]
	for _, j := range jobs {
		t := d.begins(j)
		if !waiting(j) {
			d.spot(ctx, j)
			queued = false
		}
		d.goesOn(j, t)
		d.report.Jobs = append(d.report.Jobs, d.jobOf(j))
	}
	if queued && !run.Completed() {
		d.occupied()
	}
}

// begins says who has a job, if that is new, and for what it waits.
func (d *dispatcher) begins(j actions.RunJob) *told {
	t := d.told[j.ID]
	if t == nil {
		t = &told{}
		d.told[j.ID] = t
	}
	queued, _ := waited(j)
	switch {
	case waiting(j) && !t.waits:
		t.waits = true
		d.Said(fmt.Sprintf("%s: %s", j.Name, stands(j.Status)))
	case waiting(j):
		d.Now(fmt.Sprintf("%s: %s for %s", j.Name, stands(j.Status), span(time.Since(j.Created))))
	case !t.begun && j.RunnerName != "":
		t.begun = true
		line := fmt.Sprintf("%s: picked up by %s, %s in the queue", j.Name, j.RunnerName, whole(queued))
		if !d.here(j) && len(j.Labels) > 0 && len(lacking(j.Labels, d.labels)) == 0 {
			line += fmt.Sprintf(": another runner than %s", d.Runner)
		}
		d.Said(line)
	}
	return t
}

// goesOn says which steps ended, which one is at work, and what came of it all.
func (d *dispatcher) goesOn(j actions.RunJob, t *told) {
	for _, s := range j.Steps {
		switch {
		case s.Number <= t.steps:
		case s.Status == completed:
			t.steps = s.Number
			d.Said(fmt.Sprintf("%s: step %s: %s, %s", j.Name, s.Name, s.Conclusion, whole(s.Completed.Sub(s.Started))))
		case s.Status == "in_progress":
			d.Now(fmt.Sprintf("%s: step %s for %s", j.Name, s.Name, span(time.Since(s.Started))))
		}
	}
	if j.Status == completed && !t.ended {
		t.ended = true
		_, elapsed := waited(j)
		d.Said(fmt.Sprintf("%s: %s, %s", j.Name, j.Conclusion, whole(elapsed)))
	}
}

// stands is a state of GitHub's in which no runner has a job yet.
func stands(status string) string {
	switch status {
	case "waiting":
		return "waits for an approval at GitHub"
	case "pending":
		return "waits for another run to end"
	}
	return cmp.Or(status, "queued")
}

// wait is until GitHub is asked again. While this very host measures, that is
// rare, and the end of the job's process ends it.
func (d *dispatcher) wait(ctx context.Context, jobs []actions.RunJob, began time.Time) error {
	every := d.Pace.Queued
	if d.soon > 0 {
		d.soon--
		return pause(ctx, every)
	}
	if time.Since(began) > 30*d.Pace.Queued {
		every = max(every, d.Pace.Running)
	}
	for _, j := range jobs {
		if j.Status == "in_progress" {
			every = d.Pace.Running
			if d.Host != nil && d.here(j) {
				return d.quietly(ctx)
			}
		}
	}
	return pause(ctx, every)
}

func (d *dispatcher) quietly(ctx context.Context) error {
	t := time.NewTimer(d.Pace.Quiet)
	defer t.Stop()
	select {
	case <-d.ended: // nil where nobody tells
		d.ended, d.soon = nil, 10 // GitHub learns of it in a moment
		return nil
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// left says that the run is left alone.
func (d *dispatcher) left() error {
	r := d.report.Run
	stands := "goes on"
	if r.Status == completed {
		stands = "is over"
	}
	again := fmt.Sprintf("%s %d", d.Again, r.ID)
	if d.Download != "" {
		again += " --download " + d.Download
	}
	return fmt.Errorf("interrupted; run %d %s: %s; take it up again with %s", r.ID, stands, r.URL, again)
}
