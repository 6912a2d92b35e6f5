package history

import (
	"context"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// What is drift, and what somebody asked for.
func TestDrift(t *testing.T) {
	t.Parallel()
	const other = "version: 1 # another\n"
	change := reconcile.Change{Field: "policy1", Have: "powersave", Want: "performance"}
	elsewhere := reconcile.Change{Field: "policy0", Have: "powersave", Want: "performance"}
	otherwise := reconcile.Change{Field: "policy1", Have: "powersave", Want: "schedutil"}
	for name, tt := range map[string]struct {
		id     string // cpufreq
		spec   string // specText
		build  string // of the mark's
		now    time.Time
		before func(*hosttest.Machine)
		wanted []reconcile.Change // of the earlier spec
		asked  bool               // by whoever runs it
		drift  bool
		since  bool
	}{
		"the spec is the same":           {drift: true, since: true},
		"somebody asks for the latest":   {asked: true},
		"it never was in step":           {id: "jdk"},
		"another build looks":            {build: "2.0 def"},
		"jobs leave such things":         {id: "cleanup"},
		"the spec of then wanted it too": {spec: other, wanted: []reconcile.Change{elsewhere, change}, drift: true, since: true},
		"the spec of then did not":       {spec: other, wanted: []reconcile.Change{elsewhere}},
		"it wanted something else":       {spec: other, wanted: []reconcile.Change{otherwise}},
		"nobody kept the spec of then": {spec: other, wanted: []reconcile.Change{change},
			before: func(m *hosttest.Machine) { m.WriteFile(Settled, "{}") }},
		"the clock was put back": {now: noon.Add(-time.Hour), drift: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(t)
			record(t, m, run("apply", noon, outcome("cpufreq", reconcile.Changed), outcome("cleanup", reconcile.Changed), outcome("jdk", reconcile.Failed)))
			if tt.before != nil {
				tt.before(m)
			}
			d := &Drift{
				Reader: m, Book: Load(m), Spec: digestOf(specText), Build: "1.0 abc", Now: noon.Add(time.Hour),
				Wanted: func(_ context.Context, earlier []byte, id reconcile.ID) []reconcile.Change {
					if string(earlier) != specText || id.Kind != "cpufreq" {
						t.Errorf("%s is asked for the spec %q", id, earlier)
					}
					return tt.wanted
				},
				Cause: func(_ context.Context, kind string, c reconcile.Change, since time.Time) string {
					if kind != "cpufreq" || c.Field != "policy1" || !since.Equal(noon) {
						t.Errorf("the cause of %s %+v since %v is asked for", kind, c, since)
					}
					return "tuned started 12:30"
				},
			}
			kind := "cpufreq"
			if tt.id != "" {
				kind = tt.id
			}
			if tt.spec != "" {
				d.Spec = digestOf(tt.spec)
			}
			if tt.build != "" {
				d.Build = tt.build
			}
			if !tt.now.IsZero() {
				d.Now = tt.now
			}
			changes := []reconcile.Change{change}
			changes[0].Asked = tt.asked
			d.Mark(t.Context(), reconcile.ID{Kind: kind}, changes)
			got := changes[0]
			if got.Corrective != tt.drift || (got.Since != nil) != tt.since || (got.Cause != "") != tt.since {
				t.Errorf("got %+v", got)
			}
			if tt.since && !got.Since.Equal(noon) {
				t.Errorf("since %v", got.Since)
			}
		})
	}
}
