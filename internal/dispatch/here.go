package dispatch

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/internal/listener"
)

// A Host is the runner's own host, where its Listener says what it does.
type Host struct {
	Reader host.Reader
	Unit   string
	Jobs   Jobs // nil: the runner's processes may not be looked at
}

// Jobs is what is asked about the runner's processes.
type Jobs interface {
	Workers() ([]jobs.Worker, error)
	Wait(ctx context.Context, progress func(reason string)) error
}

// What the journal of the host says of a job that its runner is said to have.
const (
	sighted = "it says so"
	missing = "it knows of no such job"
	unread  = "it has nothing of that time that may be read"
)

// A sighting is a job in the journal.
type sighting struct {
	what string    // one of these
	at   time.Time // of the line
	name string    // in it
}

const (
	// GitHub's clock and this host's may differ; a runner runs one job at a time.
	nearby    = 2 * time.Minute
	mostLines = 2000
)

// sighting looks a job up in the journal: by its name, else as the one that
// began when GitHub says that the job did.
func (h *Host) sighting(ctx context.Context, j actions.RunJob) sighting {
	if j.Started.IsZero() {
		return sighting{what: unread}
	}
	from, to := j.Started.Add(-nearby), time.Now().Add(nearby)
	if !j.Completed.IsZero() {
		to = j.Completed.Add(nearby)
	}
	said, _ := h.Reader.Messages(ctx, h.Unit, from, to, mostLines)
	var best sighting
	var distance time.Duration
	for _, m := range said {
		what, name := listener.Heard(m.Text)
		if what != listener.Running {
			continue
		}
		exact, away := name == j.Name, m.At.Sub(j.Started).Abs()
		better := best.what == "" || away < distance
		if known := best.name == j.Name; known != exact && best.what != "" {
			better = exact
		}
		if better && (exact || away < nearby) {
			best, distance = sighting{sighted, m.At, name}, away
		}
	}
	if best.what != "" {
		return best
	}
	if before, _ := h.Reader.Messages(ctx, h.Unit, time.Unix(0, 0), from, 1); len(before) == 0 {
		return sighting{what: unread}
	}
	return sighting{what: missing}
}

// here reports whether it is this runner that has a job, as GitHub says.
func (d *dispatcher) here(j actions.RunJob) bool { return strings.EqualFold(j.RunnerName, d.Runner) }

// spot looks for a job of this runner in its journal until it is there.
func (d *dispatcher) spot(ctx context.Context, j actions.RunJob) {
	if d.Host == nil || !d.here(j) || j.Conclusion == "skipped" || d.spotted[j.ID].what == sighted {
		return
	}
	s := d.Host.sighting(ctx, j)
	d.spotted[j.ID] = s
	if s.what != sighted {
		return
	}
	line := fmt.Sprintf("%s: this host's journal has it: Running job: %s, at %s", j.Name, s.name, s.at.Local().Format("15:04:05.0"))
	if !d.fired.IsZero() {
		line += fmt.Sprintf(", %s after the dispatch", span(s.at.Sub(d.fired)))
	}
	d.Said(line)
	if d.Host.Jobs != nil && j.Status != completed && d.ended == nil {
		ended := make(chan struct{})
		d.ended = ended
		go func() {
			defer close(ended)
			_ = d.Host.Jobs.Wait(ctx, func(string) {}) // whatever it says, GitHub is asked then
		}()
	}
}

// occupied says once why a job may have to wait: the runner has another.
func (d *dispatcher) occupied() {
	if d.waits || d.Host == nil || d.Host.Jobs == nil {
		return
	}
	workers, err := d.Host.Jobs.Workers()
	if err != nil || len(workers) == 0 || !d.fired.IsZero() && workers[0].Since.After(d.fired) {
		return
	}
	d.waits = true
	d.Said(fmt.Sprintf("%s runs another job first (process %d, since %s)", d.Runner, workers[0].PID, workers[0].Since.Local().Format(time.TimeOnly)))
}

// span is a length of time for a person, and whole is one that GitHub gave, in
// whole seconds.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return whole(d)
}

func whole(d time.Duration) string {
	if d = max(d, 0).Round(time.Second); d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return d.String()
}
