package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/notify"
	"github.com/SKaiNET-developers/benchctl/internal/pause"
	"github.com/SKaiNET-developers/benchctl/internal/status"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
)

// show writes an answer as a terminal of a width would have it.
func showScreen(s *status.Status, width int, colour bool) string {
	var out bytes.Buffer
	p := &screen{printer: &printer{w: &out, colour: colour}, width: width}
	p.here(s)
	p.compared(s)
	return out.String()
}

var at = time.Date(2026, 11, 23, 16, 40, 0, 0, time.Local)

func ok() status.Part { return status.Part{Is: status.OK} }

func wrongPart(why string) status.Part { return status.Part{Is: status.Wrong, Error: why} }

// worst is a host of which there is everything to say, and all of it is bad.
func worst() *status.Status {
	busy := true
	differ := func(kind string, changes ...reconcile.Change) reconcile.Outcome {
		return reconcile.Outcome{ID: reconcile.ID{Kind: kind}, Kind: kind, Status: reconcile.Pending, Changes: changes}
	}
	knobs := differ("cpufreq", reconcile.Change{Field: "policy0", Have: "powersave", Want: "performance"}, reconcile.Change{Field: "policy1", Have: "powersave", Want: "performance"})
	failed := reconcile.Outcome{ID: reconcile.ID{Kind: "jdk"}, Kind: "jdk", Status: reconcile.Failed, Error: "cannot read \x1b[31m it", Err: errors.New("it")}
	return &status.Status{
		Host: "bench7", At: at.UTC(), Wrong: []string{"service", "differs"}, Unknown: []string{"token"},
		Spec: status.Spec{Part: wrongPart("/etc/benchctl/runner.yaml has problems; see benchctl validate"), SHA256: strings.Repeat("0f", 32), LastGood: true},
		Service: status.Service{Part: wrongPart("2026-11-23 16:39:00Z: Runner connect error: no route."), Unit: "actions.runner.octo-bench.bench7-bench.service", Ours: true,
			State: "active", Sub: "running", Enabled: "disabled", Since: at.Add(-3 * time.Hour), Connected: at.Add(-3 * time.Hour), Listening: at.Add(-3 * time.Hour), Reconnects: 3, Reconnected: at.Add(-time.Hour)},
		Job: status.Job{Part: ok(), Running: true, Name: "engine (jmh)", Since: at.Add(-72 * time.Hour), PID: 4711,
			Last: &status.LastJob{Name: "warm-up", Result: "Failed", Ended: at.Add(-5 * time.Minute)}},
		Agent: status.Agent{Part: ok(), Schedule: "*/30 * * * *", State: "active", Since: at.Add(-30 * time.Second), Says: "deferred; next pass Mon 17:00:00", Next: at.Add(20 * time.Minute), AtWork: "another benchctl is at work on this host"},
		Passes: status.Passes{Part: ok(), Last: &history.Entry{At: at.Add(-time.Minute), Verb: "pass", Exit: 3, Error: "a job is running (Runner.Worker, process 4711)"},
			LastApply: &history.Entry{At: at.Add(-24 * time.Hour), Verb: "apply", Partial: true, Summary: map[reconcile.Status]int{reconcile.Changed: 1}}, DeferredSince: at.Add(-4 * time.Hour), Corrections: map[string]int{"cpufreq": 6}},
		Pause: status.Pause{Part: ok(), Pause: &pause.Pause{Reason: "calibrating", By: "ana", Since: at.Add(-time.Hour), Until: at.Add(time.Hour)}},
		Notices: status.Notices{Part: status.Part{Is: status.Wrong}, Open: []notify.Notice{{Cause: "failed/cpufreq", Since: at.Add(-2 * time.Hour), Next: "run `benchctl apply` on the host, which says why"}},
			Failing: []notify.Failure{{Channel: "webhook", Since: at.Add(-26 * time.Hour)}}},
		Registration: status.Registration{Part: status.Part{Is: status.Wrong}, Asked: true, Views: resources.Views{
			Spec: resources.View{Name: "bench7-bench", URL: "https://github.com/octo/bench", Labels: []string{"self-hosted", "skainet"}}, Broken: "id 7 here, but GitHub has a runner bench7-bench with id 9, online",
			Here: &resources.View{ID: 7, Name: "bench7-bench", URL: "https://github.com/octo/else", Group: "Default"}, GitHub: &resources.View{ID: 9, Name: "bench7-bench", Status: "online", Busy: &busy, Version: "2.335.0", Labels: []string{"self-hosted"}}}},
		Runner:  status.Runner{Part: wrongPart("GitHub hands it no jobs from 2026-11-25 on"), Installed: "2.335.0", Wanted: "latest", JobsUntil: at.Add(47 * time.Hour), RegistersUntil: at.Add(-72 * time.Hour)},
		Token:   status.Token{Part: status.Part{Is: status.Unknown, Error: "GitHub does not say"}, Source: "/etc/benchctl/token"},
		Differs: status.Differs{Part: status.Part{Is: status.Wrong}, Summary: map[reconcile.Status]int{reconcile.Pending: 1, reconcile.Failed: 1, reconcile.Unchanged: 10}, Outcomes: []reconcile.Outcome{failed, knobs}},
		Others:  []resources.Found{{Unit: "actions.runner.octo-other.box.service", Dir: "/home/ana/actions-runner"}},
	}
}

const worstScreen = `bench7 at 2026-11-23 16:40:00

! spec          the last good one, sha256 0f0f0f0f0f0f
                /etc/benchctl/runner.yaml has problems; see benchctl validate
! service       active since 13:40:00 (3 h ago), disabled
                2026-11-23 16:39:00Z: Runner connect error: no route.
                Connected to GitHub 13:40:00; Listening for Jobs 13:40:00
                3 reconnects in 24 h, the last at 15:40:00
  job           "engine (jmh)" since 2026-11-20 16:40 (3 days ago), process 4711
                before: "warm-up" Failed 16:35:00 (5 min ago)
  agent         active since 16:39:30 (30 s ago), */30 * * * *; next pass 17:00:00
                it says: deferred
                another benchctl is at work on this host
  last pass     16:39:00 (60 s ago): deferred (a job is running (Runner.Worker, process 4711))
                put off by jobs since 12:40:00 (4 h ago)
  last apply    2026-11-22 16:40 (24 h ago): 1 changed, of some kinds alone
                cpufreq was corrected 6 times in 24 h: something keeps changing it
  pause         by ana since 15:40:00 (60 min ago), until 17:40:00: calibrating
! notices       failed/cpufreq since 14:40:00 (2 h ago): run ` + "`benchctl apply`" + ` on the host, which
                says why
                nobody is told by webhook since 2026-11-22 14:40 (26 h ago); journalctl -u benchctl
                -u benchctl-apply says why
  on this host  actions.runner.octo-other.box.service in /home/ana/actions-runner, which benchctl
                did not set up; benchctl import writes its spec
! registration  spec     bench7-bench, https://github.com/octo/bench, self-hosted skainet
                .runner  bench7-bench, id 7, https://github.com/octo/else
                GitHub   bench7-bench, id 9, online, busy, 2.335.0, self-hosted
                id 7 here, but GitHub has a runner bench7-bench with id 9, online
! runner        2.335.0, the spec wants latest; GitHub hands it jobs until 2026-11-25 (in 47 h),
                registers it until 2026-11-20 (3 days ago)
                GitHub hands it no jobs from 2026-11-25 on
? token         from /etc/benchctl/token
                GitHub does not say
! differs       1 failed, 1 to change, 10 in step
                jdk failed: cannot read \u001b[31m it
                cpufreq policy0: powersave -> performance (1 of 2)

Not as it should be: service, differs. Not seen: token.
`

func TestStatusOnAScreen(t *testing.T) {
	t.Parallel()
	if got := showScreen(worst(), 100, false); got != worstScreen {
		t.Errorf("got\n%s\nwant\n%s", got, worstScreen)
	}
}

// Without colours the text is the same, and no line is longer than the terminal,
// but for words that somebody may want to copy.
func TestStatusOnEveryTerminal(t *testing.T) {
	t.Parallel()
	plain := showScreen(worst(), 80, false)
	coloured := showScreen(worst(), 80, true)
	bare := strings.NewReplacer("\x1b[1m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[0m", "").Replace(coloured)
	if bare != plain || bare == coloured {
		t.Errorf("with colours it reads\n%s", coloured)
	}
	for line := range strings.Lines(showScreen(worst(), 60, false)) {
		text := strings.TrimSpace(line)
		if len([]rune(strings.TrimSuffix(line, "\n"))) > 60 && strings.Contains(text[min(17, len(text)):], " ") {
			t.Errorf("longer than 60: %q", line)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"one two", []string{"one two"}},
		{"one two three", []string{"one two", "three"}},
		{"incomprehensible one", []string{"incomprehensible", "one"}},
		{"a incomprehensible", []string{"a", "incomprehensible"}},
		{"äöü äöü äöü", []string{"äöü äöü", "äöü"}},
		{"12345678 1", []string{"12345678", "1"}},
	} {
		if got := wrap(tt.text, 8); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 90 * time.Second: "90 s", 3 * time.Minute: "3 min", 119 * time.Minute: "119 min", 5 * time.Hour: "5 h", 47 * time.Hour: "47 h", 20*24*time.Hour - time.Second: "20 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
