package history

import (
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A queue that is never empty leaves time for a look now and then, and for
// nothing else.
func TestALookDoesNotEndADeferral(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	begun := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	now := begun
	run := func(verb string, status reconcile.Status) time.Time {
		t.Helper()
		now = now.Add(time.Hour)
		r := reconcile.NewReport(verb, "bench", reconcile.SpecRef{}, now, 0, []reconcile.Outcome{{ID: reconcile.ID{Kind: "cpufreq"}, Kind: "cpufreq", Status: status}})
		b, err := Record(m, Run{Report: r, Ended: now})
		if err != nil {
			t.Fatal(err)
		}
		return b.DeferredSince
	}
	for _, end := range []struct {
		verb   string
		status reconcile.Status
	}{{"pass", reconcile.Unchanged}, {"apply", reconcile.Changed}, {"apply", reconcile.Failed}} {
		now = begun
		if b, err := Defer(m, Deferral{At: begun, Verb: "pass", Why: "a job is running", Job: true}); err != nil || !b.DeferredSince.Equal(begun) {
			t.Fatal(b, err)
		}
		for range 3 {
			if since := run("pass", reconcile.Pending); !since.Equal(begun) {
				t.Errorf("after a look: since %v", since)
			}
			if since := run("apply", reconcile.Deferred); !since.Equal(begun) {
				t.Errorf("after an apply that was put off: since %v", since)
			}
		}
		if since := run(end.verb, end.status); !since.IsZero() {
			t.Errorf("after %v: since %v", end, since)
		}
	}
}
