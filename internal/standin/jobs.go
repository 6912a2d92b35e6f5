package standin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// A Job is what a test has a runner do.
type Job struct {
	Name       string // its display name; default job-N
	Scope      Scope  // of the runner; empty: any
	Labels     []string
	Repository string // OWNER/NAME; default: the scope's, or example/bench
	Workflow   string // default: bench
	Script     string // run by bash -e in the workspace; empty: none
	Sleep      time.Duration
	Env        map[string]string
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

	spawn time.Duration
	lease time.Time
}

// Over says that nothing more will happen to the job.
func (j JobState) Over() bool { return !j.Ended.IsZero() }

// Enqueue puts a job into the queue and returns its id.
func (s *Server) Enqueue(job Job) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broker.next++
	n := s.broker.next
	j := &JobState{Job: job, RequestID: n, Queued: time.Now()}
	j.ID = fmt.Sprintf("%08x-0000-4000-8000-%012x", s.options.Seed&0xffffffff, n)
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

// WaitOnline waits until a listener of that runner is connected.
func (s *Server) WaitOnline(ctx context.Context, scope Scope, name string) error {
	err := s.Until(ctx, func() bool { return s.Online(scope, name) })
	if err != nil {
		return fmt.Errorf("runner %s of %s did not come online: %w", name, scope, err)
	}
	return nil
}

// Online says whether a listener of that runner is connected.
func (s *Server) Online(scope Scope, name string) bool {
	r, found := s.Runner(scope, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return found && s.broker.live(r.ID)
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

// choose takes the first job in the queue that this runner may have, and
// marks it as under way to it. It needs the lock.
func (s *Server) choose(r *Runner) (*JobState, time.Duration) {
	for _, j := range s.broker.jobs {
		if !j.Chosen.IsZero() || (j.Scope != "" && j.Scope != r.Scope) {
			continue
		}
		if slices.ContainsFunc(j.Labels, func(name string) bool { return r.label(name) == nil }) {
			continue
		}
		j.Chosen, j.Runner, j.Offers = time.Now(), r.ID, j.Offers+1
		return j, s.windows.Delivery.pick(s.rand)
	}
	return nil, 0
}

// occupied says that a job is under way to this runner or running on it.
func (s *Server) occupied(r *Runner) bool {
	return slices.ContainsFunc(s.broker.jobs, func(j *JobState) bool {
		return j.Runner == r.ID && !j.Chosen.IsZero() && j.Ended.IsZero()
	})
}

// requeue takes an offer back that was not acquired, so that the next poll gets it.
func (s *Server) requeue(j *JobState, offer int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.Offers == offer && j.Acquired.IsZero() && j.Ended.IsZero() {
		j.Chosen, j.Delivered, j.Acknowledged, j.Runner = time.Time{}, time.Time{}, time.Time{}, 0
		s.broker.wake()
	}
}

// lose ends an acquired job that did not come to its own end. It needs the lock.
func (s *Server) lose(j *JobState, why string) {
	j.Ended, j.Result, j.Lost = time.Now(), runner.Abandoned, why
	if r := s.world.byID(j.Runner); r != nil {
		r.Busy = false
	}
	s.broker.wake()
}

// watchLease loses the job when it is not renewed in time.
func (s *Server) watchLease(j *JobState) {
	for {
		s.mu.Lock()
		left := time.Until(j.lease)
		over := j.Over()
		if !over && left <= 0 {
			s.lose(j, "its lease ran out: nobody renewed it")
			over = true
		}
		s.mu.Unlock()
		if over {
			return
		}
		select {
		case <-time.After(left):
		case <-s.stopped.Done():
			return
		}
	}
}

// closeSession ends a session; what its runner had acquired and not finished
// is lost.
func (s *Server) closeSession(c *call) reply {
	gone := s.broker.sessionOf(c.URL.Query().Get("sessionId"))
	if gone == nil {
		return notFound
	}
	s.broker.sessions = slices.DeleteFunc(s.broker.sessions, func(x *session) bool { return x == gone })
	for _, j := range s.broker.jobs {
		if j.Runner == gone.runner && !j.Acquired.IsZero() && !j.Over() {
			s.lose(j, "its listener closed the session")
		}
	}
	s.broker.wake()
	return reply{status: http.StatusNoContent}
}
