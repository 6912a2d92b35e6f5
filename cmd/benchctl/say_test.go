package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// drifting is a report with something of everything that can be said of drift.
func drifting() *reconcile.Report {
	began := time.Date(2026, 11, 23, 15, 0, 0, 0, time.Local)
	since := began.Add(-30 * time.Minute)
	governor := reconcile.ID{Kind: "cpufreq"}
	return reconcile.NewReport("apply", "bench7", reconcile.SpecRef{}, began, time.Second, []reconcile.Outcome{
		{ID: reconcile.ID{Kind: "user"}, Kind: "user", Status: reconcile.Unchanged},
		{ID: governor, Kind: "cpufreq", Status: reconcile.Changed, Corrected: 6, Changes: []reconcile.Change{
			{Field: "policy1", Have: "power\x1bsave", Want: "performance", Corrective: true, Since: &since, Cause: "power-profiles-daemon started 14:32"},
			{Field: "policy0", Have: "powersave", Want: "performance", Corrective: true},
		}},
		{ID: reconcile.ID{Kind: "env"}, Kind: "env", Status: reconcile.Failed, Error: "no room", Changes: []reconcile.Change{{Field: ".env A", Have: "1", Want: "2"}}},
	})
}

func TestDriftIsCalledSo(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	(&printer{w: &out}).report(drifting())
	const want = `cpufreq
  policy1  power\u001bsave -> performance  drifted since 14:30 (power-profiles-daemon started 14:32)
  policy0  powersave -> performance  drifted
  corrected 6 times in 24 h: something keeps changing it
env  failed
  .env A  1 -> 2
  no room
1 failed, 1 changed, 1 in step
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	(&printer{w: &out, colour: true}).report(drifting())
	if !strings.Contains(out.String(), "\x1b[2mdrifted since") {
		t.Errorf("got %q", out.String())
	}
}

// What somebody agreed to is not listed again once it is done, and only that: not
// what changed besides, what came of it, or where all is to be shown.
func TestAgreedToIsNotListedAgain(t *testing.T) {
	t.Parallel()
	made := func(change func(*reconcile.Outcome)) *reconcile.Report {
		o := reconcile.Outcome{
			ID: reconcile.ID{Kind: "env"}, Kind: "env", Status: reconcile.Changed,
			Changes: []reconcile.Change{{Field: ".path", Have: "/usr/bin", Want: "/opt/jdk/bin:/usr/bin"}},
		}
		change(&o)
		return reconcile.NewReport("apply", "bench7", reconcile.SpecRef{}, time.Now(), time.Second, []reconcile.Outcome{o})
	}
	shown := made(func(o *reconcile.Outcome) { o.Status = reconcile.Pending })
	for _, c := range []struct {
		change  func(*reconcile.Outcome)
		verbose bool
		says    string
	}{
		{change: func(*reconcile.Outcome) {}},
		{func(*reconcile.Outcome) {}, true, "  .path  /usr/bin -> "},
		{func(o *reconcile.Outcome) { o.Corrected = tooOften }, false, "corrected 3 times in 24 h"},
		{func(o *reconcile.Outcome) { o.Error = "cannot see what jobs will find" }, false, "cannot see what jobs will find"},
		{func(o *reconcile.Outcome) { o.Changes[0].Have = "/home/eve/bin" }, false, "/home/eve/bin -> "},
		{func(o *reconcile.Outcome) { o.Changes = append(o.Changes, reconcile.Change{Field: ".env A"}) }, false, "  .env A "},
		{func(o *reconcile.Outcome) { o.ID.Kind = "hooks" }, false, "hooks\n"},
	} {
		var out strings.Builder
		(&printer{w: &out, agreed: shown, verbose: c.verbose}).report(made(c.change))
		if got := out.String(); !strings.Contains(got, c.says) || c.says == "" && got != "1 changed\n" {
			t.Errorf("it does not say %q but\n%s", c.says, got)
		}
	}
}

// Twice in a day may be chance, and yesterday is not today.
func TestDriftOfOtherDays(t *testing.T) {
	t.Parallel()
	r := drifting()
	r.Results[1].Corrected = 2
	*r.Results[1].Changes[0].Since = r.Started.Local().AddDate(0, 0, -1)
	var out strings.Builder
	(&printer{w: &out}).report(r)
	if got := out.String(); strings.Contains(got, "something keeps") || !strings.Contains(got, "drifted since 2026-11-22 15:00 (") {
		t.Errorf("got %s", got)
	}
}

// The journal gets a line for each change, with fields to search it by.
func TestJournal(t *testing.T) {
	t.Parallel()
	type line struct {
		level  journal.Level
		said   string
		fields journal.Fields
	}
	var got []line
	say(func(level journal.Level, fields journal.Fields, format string, args ...any) {
		got = append(got, line{level, fmt.Sprintf(format, args...), fields})
	}, drifting())
	want := []line{
		{journal.Warning, `cpufreq changed: policy1: power\u001bsave -> performance, drifted since 14:30 (power-profiles-daemon started 14:32)`,
			journal.Fields{"RESOURCE": "cpufreq", "STATUS": "changed", "FIELD": "policy1", "HAVE": `power\u001bsave`, "WANT": "performance", "CORRECTIVE": "true",
				"SINCE": drifting().Started.Add(-30 * time.Minute).Format(time.RFC3339), "CAUSE": "power-profiles-daemon started 14:32"}},
		{journal.Warning, "cpufreq changed: policy0: powersave -> performance, drifted",
			journal.Fields{"RESOURCE": "cpufreq", "STATUS": "changed", "FIELD": "policy0", "HAVE": "powersave", "WANT": "performance", "CORRECTIVE": "true"}},
		{journal.Warning, "cpufreq was corrected 6 times in 24 h: something keeps changing it", journal.Fields{"RESOURCE": "cpufreq", "STATUS": "changed"}},
		{journal.Error, "env failed: .env A: 1 -> 2",
			journal.Fields{"RESOURCE": "env", "STATUS": "failed", "FIELD": ".env A", "HAVE": "1", "WANT": "2", "CORRECTIVE": "false"}},
		{journal.Error, "env failed: no room", journal.Fields{"RESOURCE": "env", "STATUS": "failed"}},
		{journal.Info, "apply: 1 failed, 1 changed, 1 in step", journal.Fields{"VERB": "apply", "EXIT": "1"}},
	}
	if len(got) != len(want) {
		t.Fatalf("said %+v", got)
	}
	for i := range want {
		if got[i].level != want[i].level || got[i].said != want[i].said || !maps.Equal(got[i].fields, want[i].fields) {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
}

func TestALookIsNotSilent(t *testing.T) {
	t.Parallel()
	for quiet, want := range map[bool]string{false: "waiting for \\u001b[2J\n", true: ""} {
		var out strings.Builder
		ctx := aloud(t.Context(), &env{stderr: &out}, &flags{quiet: quiet})
		if reconcile.Progress(ctx)("waiting for \x1b[2J"); out.String() != want {
			t.Errorf("it said %q", out.String())
		}
	}
}
