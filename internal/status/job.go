package status

import (
	"context"
	"errors"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/listener"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Job is the job that runs, and the one before it.
type Job struct {
	Part
	Running bool      `json:"running"`
	Name    string    `json:"name,omitempty"` // as its author called it; "" where the journal does not say
	Since   time.Time `json:"since,omitzero"`
	PID     int       `json:"pid,omitempty"`    // of its Runner.Worker
	Reason  string    `json:"reason,omitempty"` // why the runner counts as busy without a Worker

	Last *LastJob `json:"last,omitempty"` // of the last day
}

// LastJob is a job that is over.
type LastJob struct {
	Name   string    `json:"name"`
	Result string    `json:"result"` // Succeeded, Failed, Canceled, ...
	Ended  time.Time `json:"ended"`
}

const (
	// A Listener that has only just started says nothing yet.
	idlePatience = time.Second
	// A Worker comes within moments of the line that names its job.
	spawnTime  = time.Minute
	spawnLines = 50
)

func (l *looker) job(ctx context.Context) Job {
	j := Job{}
	j.Is = None
	if l.Runner.Unit == "" {
		return j
	}
	j.Last = l.lastJob()
	workers, err := l.Jobs.Workers()
	if err != nil {
		j.unknown(err)
		return j
	}
	if len(workers) > 0 {
		newest := workers[len(workers)-1]
		j.Is, j.Running, j.PID, j.Since = OK, true, newest.PID, newest.Since.UTC().Truncate(time.Second)
		j.Name = l.nameOf(ctx, newest.Since)
		return j
	}
	if !l.Root {
		j.Is, j.Error = Unknown, "none has a worker; whether one was just received can only be seen by root"
		return j
	}
	bound, cancel := context.WithTimeout(ctx, idlePatience)
	defer cancel()
	switch err := l.Jobs.Idle(bound); {
	case errors.Is(err, reconcile.ErrBusy):
		j.Is, j.Running, j.Reason = OK, true, tidy(err.Error(), longSentence)
	case err != nil:
		j.Is, j.Error = Unknown, "the runner has only just started, and does not say yet whether it has a job"
	}
	return j
}

// nameOf is what the journal calls the job whose Worker started at a time.
func (l *looker) nameOf(ctx context.Context, started time.Time) (name string) {
	said, _ := l.Reader.Messages(ctx, l.Runner.Unit, started.Add(-spawnTime), started.Add(spawnTime), spawnLines)
	for _, m := range said {
		if what, rest := listener.Heard(m.Text); what == listener.Running && (name == "" || !m.At.After(started.Add(time.Second))) {
			name = tidy(rest, longName)
		}
	}
	return name
}

func (l *looker) lastJob() (last *LastJob) {
	for _, m := range l.today {
		if what, rest := listener.Heard(m.Text); what == listener.Completed {
			name, came := listener.Result(rest)
			last = &LastJob{Name: tidy(name, longName), Result: came, Ended: m.At.Truncate(time.Second)}
		}
	}
	return last
}
