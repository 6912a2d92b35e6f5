package standin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// answer writes a reply of the runners' service.
func answer(w http.ResponseWriter, a reply) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	if a.body != nil {
		json.NewEncoder(w).Encode(a.body)
	}
}

// pause waits for d unless the caller or the server is gone before.
func (s *Server) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.stopped.Done():
	}
	return false
}

// message is the long poll: a job, a refusal, or 202 after a while. A listener
// that says it is busy gets no job.
func (s *Server) message(w http.ResponseWriter, r *http.Request) {
	expired := time.After(s.windows.Poll)
	s.enter(r, 1)
	defer s.enter(r, -1)
	for {
		s.mu.Lock()
		changed := s.broker.changed
		who, no := s.signedIn(r)
		if who != nil && s.broker.sessionOf(r.URL.Query().Get("sessionId")) == nil {
			who, no = nil, badCredentials
		}
		var offer *JobState
		if who != nil && !s.occupied(who) && r.URL.Query().Get("status") != "Busy" {
			offer = s.choose(who)
		}
		s.mu.Unlock()
		if who == nil {
			answer(w, no)
			return
		}
		if offer != nil {
			s.deliver(w, r, offer)
			return
		}
		select {
		case <-changed:
		case <-expired:
			w.WriteHeader(http.StatusAccepted)
			return
		case <-s.stopped.Done():
			return
		case <-r.Context().Done():
			return
		}
	}
}

// enter counts a session's polls, by which it is known to be live.
func (s *Server) enter(r *http.Request, delta int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if open := s.broker.sessionOf(r.URL.Query().Get("sessionId")); open != nil {
		open.polling, open.seen, open.polled = open.polling+delta, time.Now(), true
		if delta > 0 {
			s.broker.wake()
		}
	}
}

// deliver sends the offer after its delay, and takes it back if it is not
// acquired in time.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request, j *JobState) {
	s.mu.Lock()
	offer := j.Offers
	s.mu.Unlock()
	if !s.pause(r.Context(), j.Steps.Delivery) {
		s.requeue(j, offer)
		return
	}
	s.mu.Lock()
	j.Delivered = time.Now()
	s.mu.Unlock()
	patience := s.windows.Redeliver + s.windows.Acknowledge.Max + s.windows.Acquire.Max
	time.AfterFunc(patience, func() { s.requeue(j, offer) })
	answer(w, ok(runner.Message{ID: j.RequestID, Type: runner.MessageJob, Body: runner.Offer{
		RequestID: j.ID, RunServiceURL: services(r) + "run/",
	}}))
	http.NewResponseController(w).Flush()
}
