package resources

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// An ephemeral runner's registration is good for one job: GitHub deletes it with
// the job's end, and the Listener deletes `.runner` and ends. That is the order of
// things, and nothing that drifted. The next registration is made on a work
// directory with nothing in it of the job before.

// usedUp notes that the registration had its one job. Root's own record tells it
// from a host that never had one. GitHub may take a moment longer than the runner
// to see the end of it.
func (c *Config) usedUp(v *view) {
	id := v.record.ID // 0: the next one was begun already
	switch {
	case !c.Ephemeral || !v.record.OneJob || !v.gone:
		return
	case v.local != nil && int64(v.local.ID) != id, v.namesake != nil && v.namesake.ID != id:
		return
	case id != 0 && v.namesake != nil:
		v.broken = fmt.Sprintf("used up by its one job (id %d), which GitHub still has", id)
	case id != 0:
		v.broken = fmt.Sprintf("used up by its one job (id %d)", id)
	}
	v.used = true
}

// untilForgotten waits for GitHub to forget a registration that is used up.
func (c *Config) untilForgotten(ctx context.Context, v *view) error {
	for begun := time.Now(); v.used && v.namesake != nil && time.Since(begun) < c.forgets; {
		if err := wait(ctx, min(time.Second, c.forgets)); err != nil {
			return err
		}
		again := &view{record: v.record}
		if c.lookAtGitHub(ctx, again); again.failed != nil {
			return again.failed
		}
		v.namesake = again.namesake
	}
	return nil
}

// renewed reports whether the registration for the next job was made just now,
// by this process: the service is down for it, and not for any other reason.
func (c *Config) renewed() bool { return c != nil && c.next }

// Spent reports whether a runner has had its one job, and waits for its next
// registration.
func Spent(r host.Reader, s *spec.Spec) bool {
	if !s.Runner.Ephemeral || Registered(r, s) {
		return false
	}
	return readRecord(r, s.Runner.URL, runnerName(r, s)).OneJob
}

// onlyOneJob adds to what differs what a job left behind, and takes all of it for
// the order of things where that is what it is.
func (c *Config) onlyOneJob(v *view, changes []reconcile.Change) []reconcile.Change {
	if anew(changes) && len(v.litter) > 0 {
		changes = append(changes, reconcile.Change{Field: "work directory", Have: namesOf(v.litter), Want: "empty"})
	}
	for i := range changes {
		changes[i].Asked = v.used
	}
	return changes
}

// namesOf lists a few of the places, and how many more there are.
func namesOf(places []place) string {
	const most = 5
	var names []string
	for _, p := range places[:min(most, len(places))] {
		names = append(names, plain(p.name[strings.LastIndex(p.name, "/")+1:]))
	}
	if more := len(places) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), more)
	}
	return strings.Join(names, ", ")
}

// litter is what jobs left in the work directory. Tools stay where the spec has a
// word about them (cleanup.tools), and what is root's is not of a job.
func (c *Config) litter(r host.Reader) (left []place, err error) {
	if !c.Ephemeral || c.spec == nil {
		return nil, nil
	}
	top, err := cleanup{spec: c.spec}.workPlace(r)
	if err != nil {
		return nil, err
	}
	entries, err := top.list(r)
	for _, e := range entries {
		tools := e.Name == toolCache && e.IsDir() && c.spec.Cleanup != nil && c.spec.Cleanup.KeepTools
		if e.UID != 0 && !tools {
			left = append(left, top.in(e.Name))
		}
	}
	return left, err
}

// sweep empties the work directory. The service is down, and no process of a job
// outlives it.
func (c *Config) sweep(ctx context.Context, h host.Host) error {
	left, err := c.litter(h)
	if err != nil || len(left) == 0 {
		return err
	}
	reconcile.Progress(ctx)("emptying the work directory: " + namesOf(left))
	var failed error
	for _, p := range left {
		if err := ctx.Err(); err != nil {
			return errors.Join(failed, fmt.Errorf("interrupted (%w); the next apply goes on", err))
		}
		failed = errors.Join(failed, h.RemoveBelow(ctx, p.root, p.name))
	}
	if failed != nil {
		return fmt.Errorf("cannot register the runner for another job, since what the one before left stays: %w", failed)
	}
	return nil
}
