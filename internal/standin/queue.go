package standin

import (
	"net/http"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// choose takes the first job in the queue that this runner may have, and
// marks it as under way to it. It needs the lock.
func (s *Server) choose(r *Runner) *JobState {
	for _, j := range s.broker.jobs {
		if !j.Chosen.IsZero() || (j.Scope != "" && j.Scope != r.Scope) {
			continue
		}
		if slices.ContainsFunc(j.Labels, func(name string) bool { return r.label(name) == nil }) {
			continue
		}
		j.Chosen, j.Runner, j.Offers = time.Now(), r.ID, j.Offers+1
		return j
	}
	return nil
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
