package status_test

import (
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/status"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// noted puts runs into the history, the newest last.
func (d *desk) noted(entries ...history.Entry) {
	d.t.Helper()
	var lines []byte
	for _, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			d.t.Fatal(err)
		}
		lines = append(append(lines, line...), '\n')
	}
	d.WriteFile(history.Lines, string(lines))
}

// The next pass counts from the last one that the agent made, not from an apply
// that somebody typed since.
func TestTheNextPass(t *testing.T) {
	t.Parallel()
	pass := history.Entry{At: now.Add(-10 * time.Minute), Verb: "pass"}
	apply := history.Entry{At: now.Add(-time.Minute), Verb: "apply"}
	for name, tt := range map[string]struct {
		cron    string
		entries []history.Entry
		in      time.Duration
	}{
		"by the clock":          {"*/30 * * * *", []history.Entry{pass, apply}, 20 * time.Minute},
		"from the last pass on": {"@every 25m", []history.Entry{pass, apply}, 15 * time.Minute},
		"overdue":               {"@every 5m", []history.Entry{pass}, 5 * time.Minute},
		"never made one":        {"@every 25m", []history.Entry{apply}, 25 * time.Minute},
		"a clock put back":      {"@every 25m", []history.Entry{{At: now.Add(time.Hour), Verb: "pass"}}, 25 * time.Minute},
	} {
		d := newDesk(t)
		d.opt.Spec = d.scheduled(tt.cron)
		d.noted(tt.entries...)
		if s := d.ask(); !s.Agent.Next.Equal(now.Add(tt.in)) {
			t.Errorf("%s: in %s, want in %s", name, s.Agent.Next.Sub(now), tt.in)
		}
	}
}

func (d *desk) scheduled(cron string) *spec.Spec {
	d.t.Helper()
	s, err := spec.Load("runner.yaml", []byte("version: 1\nuser: gha-runner\nrunner: {url: https://github.com/octo/bench, version: \"2.336.0\"}\nschedule: {cron: \""+cron+"\", splay: 0s}\n"))
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

func TestPasses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if s := d.ask(); s.Passes.Is != status.None || s.Passes.Last != nil {
		t.Errorf("before the first: %+v", s.Passes)
	}
	mark := history.Mark{InStep: now.Add(-time.Hour), Corrected: []time.Time{now.Add(-25 * time.Hour), now.Add(-2 * time.Hour), now.Add(-time.Hour)}}
	last := history.Entry{At: now.Add(-time.Minute), Verb: "pass", Exit: 3, Error: "a job is running"}
	book, err := json.Marshal(history.Book{
		Resources: map[string]history.Mark{"cpufreq": mark, "user": {InStep: now}}, DeferredSince: now.Add(-3 * time.Hour),
		LastPass: &last, LastApply: &history.Entry{At: now.Add(-time.Hour), Verb: "apply", Summary: map[reconcile.Status]int{reconcile.Changed: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.WriteFile(history.Marks, string(book))
	s := d.ask()
	p := s.Passes
	if p.Last.Error != "a job is running" || p.LastApply.Verb != "apply" || !p.DeferredSince.Equal(now.Add(-3*time.Hour)) || p.MaxDefer != 6*60*60 ||
		!maps.Equal(p.Corrections, map[string]int{"cpufreq": 2}) || bad(s) != "" {
		t.Errorf("%+v, %q", p, bad(s))
	}
}

func TestWithoutASchedule(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.opt.Spec.Schedule = nil
	delete(d.Units, "benchctl.service")
	d.opt.AtWork = func() error {
		return errors.New("another benchctl is at work on this host: benchctl apply, process 12")
	}
	s := d.ask()
	if s.Agent.Is != status.None || s.Agent.AtWork == "" || bad(s) != "" {
		t.Errorf("%+v, %q", s.Agent, bad(s))
	}
}
