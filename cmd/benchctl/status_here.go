package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/status"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
)

func (p *screen) spec(s status.Spec) {
	what := ""
	switch {
	case s.LastGood:
		what = "the last good one, sha256 " + s.SHA256[:12]
	case s.SHA256 != "":
		what = s.Files + ", sha256 " + s.SHA256[:12]
	}
	p.row("spec", s.Part, what)
	for _, warning := range s.Warnings {
		p.more("warning: " + warning)
	}
}

func (p *screen) service(s status.Service) {
	switch {
	case s.Is == status.None:
		p.row("service", s.Part, "none")
		return
	case s.State == "":
		p.row("service", s.Part, "")
		return
	}
	what := s.State
	if s.State != "active" && s.Sub != "" {
		what += " (" + s.Sub + ")"
	}
	switch {
	case s.Spent:
		what = "waiting for its next registration"
	case s.Is == status.OK:
		what = "active and listening"
	}
	if !s.Since.IsZero() {
		what += " since " + p.ago(s.Since)
	}
	if s.Enabled != "" {
		what += ", " + s.Enabled
	}
	p.row("service", s.Part, what)
	if !s.Ours {
		p.more(s.Unit + ", which benchctl did not write")
	}
	p.heard(s)
}

// heard is what the Listener said of its connection.
func (p *screen) heard(s status.Service) {
	var said []string
	if !s.Connected.IsZero() {
		said = append(said, "Connected to GitHub "+p.clock(s.Connected))
	}
	if !s.Listening.IsZero() {
		said = append(said, "Listening for Jobs "+p.clock(s.Listening))
	}
	if len(said) == 0 && s.Is == status.OK {
		said = append(said, "the journal no longer has how it connected")
	}
	if len(said) > 0 && s.Reconnects == 0 {
		said = append(said, "no reconnect in 24 h")
	}
	if len(said) > 0 {
		p.more(strings.Join(said, "; "))
	}
	if s.Reconnects > 0 {
		p.more(fmt.Sprintf("%s in 24 h, the last at %s", count(s.Reconnects, "reconnect"), p.clock(s.Reconnected)))
	}
}

func (p *screen) job(j status.Job) {
	switch {
	case j.Is == status.None && !j.Running:
		p.row("job", j.Part, "none")
	case j.Is == status.Unknown:
		p.row("job", j.Part, "")
	case j.Reason != "":
		p.row("job", j.Part, j.Reason)
	default:
		name := "one that the journal does not name"
		if j.Name != "" {
			name = `"` + j.Name + `"`
		}
		p.row("job", j.Part, fmt.Sprintf("%s since %s, process %d", name, p.ago(j.Since), j.PID))
	}
	if l := j.Last; l != nil {
		p.more(fmt.Sprintf("before: \"%s\" %s %s", l.Name, l.Result, p.ago(l.Ended)))
	}
}

func (p *screen) agent(a status.Agent) {
	switch {
	case a.Is == status.None:
		p.row("agent", a.Part, "none")
	case a.Is == status.OK:
		what := "active since " + p.ago(a.Since) + ", " + a.Schedule
		if !a.Next.IsZero() {
			what += "; next pass " + p.clock(a.Next)
		}
		p.row("agent", a.Part, what)
		if says, _, _ := strings.Cut(a.Says, "; next pass "); says != "" {
			p.more("it says: " + says)
		}
	default:
		p.row("agent", a.Part, "")
	}
	if a.AtWork != "" {
		p.more(a.AtWork)
	}
}

func (p *screen) passes(s status.Passes) {
	if s.Is == status.Unknown {
		p.row("last pass", s.Part, "")
		return
	}
	if s.Last == nil {
		p.row("last pass", s.Part, "none yet")
		return
	}
	p.row("last pass", s.Part, p.entry(s.Last, "pass"))
	if !s.DeferredSince.IsZero() {
		p.more("put off by jobs since " + p.ago(s.DeferredSince))
	}
	if a := s.LastApply; a != nil && !a.At.Equal(s.Last.At) {
		p.row("last apply", s.Part, p.entry(a, "apply"))
	}
	for _, id := range slices.Sorted(maps.Keys(s.Corrections)) {
		line := fmt.Sprintf("%s was corrected %s in 24 h", clean(id), count(s.Corrections[id], "time"))
		if s.Corrections[id] >= tooOften {
			line += ": something keeps changing it"
		}
		p.more(line)
	}
}

// entry is a run in a line, which says what it was unless that is expected.
func (p *screen) entry(e *history.Entry, expected string) string {
	came := map[int]string{
		reconcile.ExitOK: "in step", reconcile.ExitError: "failed", reconcile.ExitDiffers: "something differed", reconcile.ExitDeferred: "deferred",
	}[e.Exit]
	if len(e.Summary) > 0 {
		came = summary(&reconcile.Report{Summary: e.Summary})
	}
	line := fmt.Sprintf("%s: %s", p.ago(e.At), came)
	if e.Verb != expected {
		line = e.Verb + " " + line
	}
	if e.Partial {
		line += ", of some kinds alone"
	}
	if e.Error != "" {
		line += " (" + e.Error + ")"
	}
	return line
}

func (p *screen) pause(s status.Pause) {
	switch {
	case s.Is == status.None:
		p.row("pause", s.Part, "none")
	case s.Is != status.OK:
		p.row("pause", s.Part, "")
	default:
		until := "until somebody resumes it"
		if !s.Until.IsZero() {
			until = "until " + p.clock(s.Until)
		}
		p.row("pause", s.Part, fmt.Sprintf("by %s since %s, %s: %s", s.By, p.ago(s.Pause.Since), until, s.Reason))
	}
}

// fewest is how many of a list are shown.
const fewest = 5

func (p *screen) notices(n status.Notices) {
	switch {
	case n.Is == status.Unknown:
		p.row("notices", n.Part, "")
		return
	case n.Is != status.Wrong:
		p.row("notices", n.Part, "none open")
		return
	}
	lines := make([]string, 0, len(n.Open))
	for _, o := range n.Open {
		lines = append(lines, fmt.Sprintf("%s since %s: %s", o.Cause, p.ago(o.Since), o.Next))
	}
	for _, f := range n.Failing {
		lines = append(lines, fmt.Sprintf("nobody is told by %s since %s; journalctl -u benchctl -u benchctl-apply says why", f.Channel, p.ago(f.Since)))
	}
	p.row("notices", n.Part, lines...)
}

func (p *screen) other(o resources.Found, unit string) {
	what := o.Unit + " in " + o.Dir
	if !o.Ours {
		what += ", which benchctl did not set up; benchctl import writes its spec"
	}
	p.row("on this host", status.Part{Is: status.OK}, what)
}
