package history

import (
	"context"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A Drift tells what nobody asked for from what a changed spec asks for.
type Drift struct {
	Reader host.Reader
	Book   *Book
	Spec   string    // SHA-256 of the spec that is in force
	Build  string    // which benchctl this is
	Now    time.Time // when the run began
	// Wanted is what a resource would change on this host if it came from an
	// earlier spec's text; nil when that spec does not have it.
	Wanted func(ctx context.Context, earlier []byte, id reconcile.ID) []reconcile.Change
	// Cause is what probably did a change of that kind since a time, "" when
	// nothing shows it.
	Cause func(ctx context.Context, kind string, c reconcile.Change, since time.Time) string
}

// leavings is the kind that removes what jobs leave behind, which is in the nature
// of jobs and no drift.
const leavings = "cleanup"

// Mark fills in what is known of a resource's changes. A change is corrective
// when the resource was in step, and the spec of then wanted the same. What
// another build of benchctl sees is no drift: it may look for more.
func (d *Drift) Mark(ctx context.Context, id reconcile.ID, changes []reconcile.Change) {
	m := d.Book.Resources[id.String()]
	if m.InStep.IsZero() || m.Build != d.Build || id.Kind == leavings {
		return
	}
	wanted := changes
	if m.Spec != d.Spec {
		earlier := SettledSpec(d.Reader, m.Spec)
		if earlier == nil {
			return
		}
		wanted = d.Wanted(ctx, earlier, id)
	}
	for i := range changes {
		c := &changes[i]
		if c.Asked || !slices.ContainsFunc(wanted, func(w reconcile.Change) bool { return w.Field == c.Field && w.Want == c.Want }) {
			continue
		}
		c.Corrective = true
		if since := m.InStep; since.Before(d.Now) { // unless the clock was put back
			c.Since = &since
			c.Cause = d.Cause(ctx, id.Kind, *c, since)
		}
	}
}
