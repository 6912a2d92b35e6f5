package standin

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// A Job is what a test has a runner do.
type Job struct {
	Name       string // its display name; default job-N
	Scope      Scope  // of the runner; empty: any
	Labels     []string
	Repository string // OWNER/NAME; default: the scope's, or example/bench
	Workflow   string // default: bench
	Step       string // the name of its one step; default: Run script
	Script     string // run by bash -e in the workspace; empty: none
	Sleep      time.Duration
	Env        map[string]string
	Windows    *Windows // the lengths of its hand-over; nil: the server's
}

// JobState is a job and its precise timeline. A zero time has not come yet.
type JobState struct {
	Job
	ID        string
	RequestID int64 // the N of "Job request N for plan ... received."
	Runner    int64 // that it was last offered to
	Offers    int   // how often it was offered
	PID       int   // of its worker, as the worker's host counts

	Queued       time.Time
	Chosen       time.Time // a listener was chosen; its message is under way
	Delivered    time.Time // the message was written
	Acknowledged time.Time
	Acquired     time.Time // from here it must not be disturbed
	Renewed      time.Time // for the first time
	Started      time.Time // its worker was there
	Ended        time.Time

	Result  string // Succeeded, Failed, Canceled or Abandoned
	Reason  string
	Log     string // what its hooks and its script printed
	Summary string
	// Lost says why a job that was acquired did not run to its own end:
	// cancelled by its runner, its worker dead, its session closed, its lease
	// run out. It is empty for all other jobs.
	Lost string

	Steps Steps // how long each step of the hand-over takes, beside the real ones

	run   int64  // that it belongs to, 0 when nobody dispatched it
	taker string // the name of the runner that acquired it
	lease time.Time
}

// Over says that nothing more will happen to the job.
func (j JobState) Over() bool { return !j.Ended.IsZero() }

// Enqueue puts a job into the queue and returns its id.
func (s *Server) Enqueue(job Job) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enqueue(job, 0)
}

// enqueue is Enqueue for a job of a run, 0 for one that nobody dispatched. It
// needs the lock.
func (s *Server) enqueue(job Job, run int64) string {
	n := int64(len(s.broker.jobs) + 1)
	windows := s.windows
	if job.Windows != nil {
		windows = *job.Windows
	}
	j := &JobState{Job: job, RequestID: n, run: run, Queued: time.Now(), Steps: windows.steps(s.options.Seed, uint64(n))}
	j.ID = newID()
	if j.Name == "" {
		j.Name = fmt.Sprintf("job-%d", n)
	}
	if j.Repository == "" {
		j.Repository = "example/bench"
	}
	if j.Workflow == "" {
		j.Workflow = "bench"
	}
	s.broker.jobs = append(s.broker.jobs, j)
	s.broker.wake()
	return j.ID
}

// newID is a random UUID (RFC 9562, version 4), as GitHub's are. Not from the
// seed: when a job ends, its worker kills every process of the machine that
// carries the job's id, so two servers must never give the same one.
func newID() string {
	var id [16]byte
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// Jobs lists every job, oldest first.
func (s *Server) Jobs() []JobState {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]JobState, len(s.broker.jobs))
	for i, j := range s.broker.jobs {
		list[i] = *j
	}
	return list
}

// Job returns one job.
func (s *Server) Job(id string) (JobState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.job(id); j != nil {
		return *j, true
	}
	return JobState{}, false
}

func (s *Server) job(id string) *JobState {
	for _, j := range s.broker.jobs {
		if j.ID == id {
			return j
		}
	}
	return nil
}

// WaitJob waits until reached says so of the job.
func (s *Server) WaitJob(ctx context.Context, id string, reached func(JobState) bool) (JobState, error) {
	var last JobState
	err := s.Until(ctx, func() bool {
		last, _ = s.Job(id)
		return reached(last)
	})
	if err != nil {
		return last, fmt.Errorf("job %s did not come so far: %w", last.Name, err)
	}
	return last, nil
}

// WaitOnline waits until a listener of that runner listens.
func (s *Server) WaitOnline(ctx context.Context, scope Scope, name string) error {
	err := s.Until(ctx, func() bool { return s.Online(scope, name) })
	if err != nil {
		return fmt.Errorf("runner %s of %s did not come online: %w", name, scope, err)
	}
	return nil
}

// Online says whether a listener of that runner is connected and listens.
func (s *Server) Online(scope Scope, name string) bool {
	r, found := s.Runner(scope, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return found && s.broker.listening(r.ID)
}

// Until waits until condition holds; it is asked at every change of the
// server's state and a few times a second.
func (s *Server) Until(ctx context.Context, condition func() bool) error {
	for {
		s.mu.Lock()
		changed := s.broker.changed
		s.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-changed:
		case <-time.After(200 * time.Millisecond):
		case <-s.stopped.Done():
			return context.Canceled
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
