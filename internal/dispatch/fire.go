package dispatch

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// fire starts the workflow, once, and learns which run that made.
func (d *dispatcher) fire(ctx context.Context, w actions.Workflow) error {
	before, err := d.GitHub.Dispatched(ctx, w.ID)
	if err != nil {
		return err
	}
	d.fired = time.Now()
	id, err := d.GitHub.Dispatch(ctx, w.ID, d.Ref, d.Inputs)
	sure := err == nil
	switch {
	case err != nil && (ctx.Err() != nil || errors.Is(err, actions.ErrUnsure)):
		d.Said(fmt.Sprintf("it is not known whether GitHub started it, and it is not asked twice: %v", err))
	case err != nil:
		return err
	}
	if id == 0 {
		if id, err = d.find(ctx, w, newest(before), sure); err != nil {
			return err
		}
	}
	d.report.Run = &RunOf{ID: id, Status: "queued", URL: fmt.Sprintf("%s/actions/runs/%d", d.Page, id)}
	d.report.Fired = true
	d.Said(fmt.Sprintf("%s at %s is run %d: %s", path.Base(w.Path), d.Ref, id, d.report.Run.URL))
	return nil
}

// newest is the largest id, which the next run's exceeds. Clocks differ; ids
// only grow.
func newest(runs []actions.Run) (id int64) {
	for _, r := range runs {
		id = max(id, r.ID)
	}
	return id
}

// find looks for a run that was started just now: of this workflow, by hand, at
// that ref, by whose token it is, and newer than all that were there. Where
// GitHub does not say whose token it is, as of an App's, it may be anybody's run:
// it is only taken if it is the only one, and if one was started for sure.
func (d *dispatcher) find(ctx context.Context, w actions.Workflow, last int64, sure bool) (int64, error) {
	bound, cancel := context.WithTimeout(ctx, d.Pace.Find)
	defer cancel()
	me := ""
	for {
		if me == "" {
			me = d.GitHub.Login(bound)
		}
		runs, err := d.GitHub.Dispatched(bound, w.ID)
		runs = slices.DeleteFunc(runs, func(r actions.Run) bool {
			return r.ID <= last || r.Event != "workflow_dispatch" || r.Branch != short(d.Ref) || me != "" && !strings.EqualFold(r.Actor.Login, me)
		})
		if err == nil && len(runs) > 0 {
			if me == "" && (!sure || len(runs) > 1) {
				return 0, fmt.Errorf("cannot tell which run of %s was started here: GitHub shows %s, and does not say by whose token that is; look at %s, and follow it with %s ID",
					path.Base(w.Path), ids(runs), d.Page+"/actions/workflows/"+path.Base(w.Path), d.Again)
			}
			if len(runs) > 1 {
				d.Said(fmt.Sprintf("%d runs were started at the same time; the first is followed", len(runs)))
			}
			return slices.MinFunc(runs, func(a, b actions.Run) int { return int(a.ID - b.ID) }).ID, nil
		}
		if err != nil && !errors.Is(err, actions.ErrAway) && bound.Err() == nil {
			return 0, err
		}
		if pause(bound, d.Pace.Queued) != nil {
			return 0, fmt.Errorf("cannot find the run of %s that was to be started: GitHub shows none yet; look at %s/actions/workflows/%s before you start another, and follow it with %s ID",
				path.Base(w.Path), d.Page, path.Base(w.Path), d.Again)
		}
	}
}

// ids names runs.
func ids(runs []actions.Run) string {
	var all []string
	for _, r := range runs {
		all = append(all, fmt.Sprintf("run %d of %s", r.ID, r.Actor.Login))
	}
	return strings.Join(all, " and ")
}

// short is a branch or tag without what says which of the two it is.
func short(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
