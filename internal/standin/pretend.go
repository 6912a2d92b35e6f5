package standin

import (
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// Pretend has a registration take jobs, until the server is closed, as if a
// runner of that name were at work somewhere: each takes as long as it says,
// and fails if its script is "false".
func (s *Server) Pretend(id int64) {
	s.mu.Lock()
	s.broker.sessions = append(s.broker.sessions, &session{id: "pretended", runner: id, polling: 1, polled: true})
	s.mu.Unlock()
	go func() {
		for {
			s.mu.Lock()
			changed := s.broker.changed
			var j *JobState
			if r := s.world.byID(id); r != nil && !s.occupied(r) {
				if j = s.choose(r); j != nil {
					now := time.Now()
					j.Delivered, j.Acquired, j.Renewed, j.Started, j.taker = now, now, now, now, r.Name
					s.broker.wake()
				}
			}
			s.mu.Unlock()
			if j != nil {
				s.pretend(j)
				continue
			}
			select {
			case <-changed:
			case <-s.stopped.Done():
				return
			}
		}
	}()
}

// pretend is one job.
func (s *Server) pretend(j *JobState) {
	select {
	case <-time.After(j.Sleep):
	case <-s.stopped.Done():
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j.Ended, j.Result = time.Now(), runner.Succeeded
	if j.Script == "false" {
		j.Result = runner.Failed
	}
	s.broker.wake()
}
