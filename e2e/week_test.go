//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A week is a host and how far its story has come.
type week struct {
	*world
	noted int    // lines of the history at the last event
	job   string // the one that came last
}

// TestAWeek runs testdata/week.md on a host with the agent's real units.
func TestAWeek(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/week.md")
	if err != nil {
		t.Fatal(err)
	}
	w := &week{world: newWorld(t, lab.Debian13, prepared(t), networked)}
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	w.put("/etc/systemd/system/power-profiles-daemon.service", rivalUnit, 0o644)
	w.look("systemctl daemon-reload")
	w.spec(agentSpec("@every 24h"))
	days := strings.Split(string(text), "\n## ")
	for _, day := range days[1:] {
		name, _, _ := strings.Cut(day, "\n")
		if !t.Run(name, func(t *testing.T) {
			today := *w
			today.world = w.in(t)
			today.live(day)
			w.noted, w.job = today.noted, today.job
		}) {
			return
		}
	}
}

// live goes through a day: what is typed, with what it prints, and what happens.
func (w *week) live(day string) {
	w.t.Helper()
	lines := strings.Split(day, "\n")
	for i := 0; i < len(lines); i++ {
		typed, isTyped := strings.CutPrefix(lines[i], "    # ")
		happens, isEvent := strings.CutPrefix(lines[i], "    > ")
		switch {
		case isEvent:
			event, known := events[happens]
			if !known {
				w.t.Fatalf("nobody knows how this happens: %s", happens)
			}
			event(w)
		case isTyped:
			var want []string
			for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "    ") && !strings.HasPrefix(lines[i+1], "    # ") && !strings.HasPrefix(lines[i+1], "    > ") {
				i++
				want = append(want, lines[i][4:])
			}
			w.types(typed, want)
		}
		if w.t.Failed() {
			return
		}
	}
}

// types has root type a line on the host, and compares what it prints, with its
// exit code in brackets as the last line unless that is 0.
func (w *week) types(line string, want []string) {
	w.t.Helper()
	if strings.HasPrefix(line, "journalctl ") {
		w.look("journalctl --sync") // root is not as quick at the keyboard
	}
	r, err := w.host.Do(w.t.Context(), lab.Command{Argv: []string{"sh", "-c", "exec 2>&1; " + line}, Env: []string{"USER=root", "LOGNAME=root"}})
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	if out := strings.TrimRight(r.Stdout+r.Stderr, "\n"); out != "" {
		got = strings.Split(out, "\n")
	}
	if r.Status != 0 {
		got = append(got, fmt.Sprintf("[%d]", r.Status))
	}
	if !reads(got, want) {
		w.t.Errorf("# %s\n%s\n-- and not --\n%s\n-- %s", line, strings.Join(got, "\n"), strings.Join(want, "\n"), w.look("journalctl -q --no-pager -n 30 -t benchctl"))
	}
}

// reads is alike with "..." for any number of lines.
func reads(lines, patterns []string) bool {
	at := slices.Index(patterns, "...")
	if at < 0 {
		return alike(lines, patterns)
	}
	if len(lines) < at || !alike(lines[:at], patterns[:at]) {
		return false
	}
	for from := at; from <= len(lines); from++ {
		if reads(lines[from:], patterns[at+1:]) {
			return true
		}
	}
	return false
}

// events are what happens to a host in a week.
var events = map[string]func(*week){
	"The agent has had its first look.": (*week).first,
	"The schedule's time comes.": func(w *week) {
		w.look("systemctl reload benchctl")
		w.settles()
	},
	"The agent has seen it.": (*week).settles,
	"A job begins.": func(w *week) {
		w.job = w.hub.Enqueue(standin.Job{Sleep: 6 * time.Second})
		w.waitJob(w.job, runs)
	},
	"The job is over, undisturbed, and the agent has seen to the host.": func(w *week) {
		w.noted = w.passes()
		w.ends(w.job)
		w.settles()
	},
	"The power fails, and comes back.": func(w *week) {
		if err := w.host.Kill(); err != nil {
			w.t.Fatal(err)
		}
		if err := w.host.Start(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.settles()
	},
	"Every job came to its own end.": func(w *week) {
		for _, j := range w.hub.Jobs() {
			w.ends(j.ID)
		}
	},
}

// first waits until the agent that an apply has set up is content.
func (w *week) first() {
	w.t.Helper()
	w.reaches(agentStatus, "in step; next pass")
	w.noted = w.passes()
}

// settles waits until a pass was made since the last event, and is over, with
// what it had corrected: the watchdog is armed for no longer.
func (w *week) settles() {
	w.t.Helper()
	w.reaches(fmt.Sprintf("[ $(wc -l </var/lib/benchctl/history.jsonl) = %d ] || systemctl show -P WatchdogUSec benchctl", w.noted), "0")
	w.noted = w.passes()
}

func (w *week) ends(job string) {
	w.t.Helper()
	if j := w.waitJob(job, over); j.Lost != "" || j.Result != "Succeeded" {
		w.t.Errorf("the job: %+v", j)
	}
}
