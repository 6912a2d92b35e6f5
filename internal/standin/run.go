package standin

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// held reads which job a runner speaks of; it answers itself if the runner has
// no business with it. The lock is held when it returns a job.
func (s *Server) held(w http.ResponseWriter, r *http.Request, acquired bool) (*JobState, *Runner) {
	var ref runner.JobRef
	if json.Unmarshal(readAll(r), &ref) != nil {
		answer(w, refuse(http.StatusBadRequest, "Problems parsing JSON"))
		return nil, nil
	}
	s.mu.Lock()
	who, no := s.signedIn(r)
	if who != nil {
		j := s.job(ref.JobID)
		if j != nil && j.Runner == who.ID && !j.Over() && j.Acquired.IsZero() != acquired {
			return j, who
		}
		no = refusal(http.StatusNotFound, runner.KindGone, "The job is not this runner's")
	}
	s.mu.Unlock()
	answer(w, no)
	return nil, nil
}

func (s *Server) acknowledge(w http.ResponseWriter, r *http.Request) {
	j, _ := s.held(w, r, false)
	if j == nil {
		return
	}
	j.Acknowledged = time.Now()
	s.mu.Unlock()
	s.pause(r.Context(), j.Steps.Acknowledge)
	answer(w, ok(map[string]any{}))
}

// acquire makes the job the runner's in the middle of its round trip: from
// there on the server counts on it, though the runner does not know yet.
func (s *Server) acquire(w http.ResponseWriter, r *http.Request) {
	body := readAll(r)
	r.Body = bodyOf(body)
	asked, _ := s.held(w, r, false)
	if asked == nil {
		return
	}
	s.mu.Unlock()
	if !s.pause(r.Context(), asked.Steps.Acquire/2) {
		return
	}
	r.Body = bodyOf(body)
	j, who := s.held(w, r, false) // it may have gone to another meanwhile
	if j == nil {
		return
	}
	j.Acquired, j.lease, who.Busy, j.taker = time.Now(), time.Now().Add(s.windows.Lease), true, who.Name
	run := j.run
	if run == 0 {
		run = 1000 + j.RequestID
	}
	content := runner.JobMessage{
		RequestID: j.RequestID, JobID: j.ID, PlanID: "plan-" + j.ID[:8], DisplayName: j.Name,
		Repository: j.Repository, Workflow: j.Workflow, RunID: run, RunAttempt: 1,
		Script: j.Script, SleepMS: j.Sleep.Milliseconds(), Env: j.Env,
		RenewMS: s.windows.RenewEvery.Milliseconds(), SpawnMS: j.Steps.Spawn.Milliseconds(),
	}
	s.broker.wake()
	s.mu.Unlock()
	go s.watchLease(j)
	s.pause(r.Context(), j.Steps.Acquire/2)
	answer(w, ok(content))
}

func (s *Server) renew(w http.ResponseWriter, r *http.Request) {
	j, _ := s.held(w, r, true)
	if j == nil {
		return
	}
	window := time.Duration(0)
	if j.Renewed.IsZero() {
		j.Renewed = time.Now()
		window = j.Steps.Renew
	}
	j.lease = time.Now().Add(s.windows.Lease)
	s.broker.wake()
	s.mu.Unlock()
	s.pause(r.Context(), window)
	answer(w, ok(map[string]any{"lockedUntil": time.Now().Add(s.windows.Lease).UTC().Format(time.RFC3339)}))
}

func (s *Server) workerStarted(w http.ResponseWriter, r *http.Request) {
	var ref runner.JobRef
	body := readAll(r)
	json.Unmarshal(body, &ref) // held refuses what is no JSON
	r.Body = bodyOf(body)
	j, _ := s.held(w, r, true)
	if j == nil {
		return
	}
	j.Started, j.PID = time.Now(), ref.PID
	s.broker.wake()
	s.mu.Unlock()
	answer(w, ok(map[string]any{}))
}

// complete ends a job. One that its runner cancelled, or whose worker died, is lost.
func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	var done runner.Completion
	body := readAll(r)
	json.Unmarshal(body, &done) // held refuses what is no JSON
	r.Body = bodyOf(body)
	j, who := s.held(w, r, true)
	if j == nil {
		return
	}
	j.Ended, j.Result, j.Reason, j.Log, j.Summary = time.Now(), done.Result, done.Reason, done.Log, done.Summary
	if done.Died || done.Result == runner.Canceled || done.Result == runner.Abandoned {
		j.Lost = done.Result + ": " + done.Reason
	}
	who.Busy = false
	if who.Ephemeral {
		s.unregister(who.ID)
	}
	s.broker.wake()
	s.mu.Unlock()
	answer(w, ok(map[string]any{}))
}
