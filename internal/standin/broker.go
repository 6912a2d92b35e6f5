package standin

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// A Span is a random length of time, Min to Max.
type Span struct{ Min, Max time.Duration }

func (s Span) pick(r *rand.Rand) time.Duration {
	if s.Max <= s.Min {
		return s.Min
	}
	return s.Min + time.Duration(r.Int64N(int64(s.Max-s.Min)))
}

// Windows are the lengths of a job's hand-over, in the order in which they
// happen, and the pace of the service. Zero values take the defaults.
type Windows struct {
	Delivery    Span // from the job's being chosen for a runner to its message
	Acknowledge Span // the round trip of the acknowledgement
	Acquire     Span // the round trip of the acquisition, which counts from its middle
	Renew       Span // the round trip of the first renewal
	Spawn       Span // from the worker's being started to its being there

	RenewEvery time.Duration // 200 ms; GitHub's is a minute
	Lease      time.Duration // a job not renewed for so long is lost; 50 times RenewEvery
	Redeliver  time.Duration // an offer not acquired for so long goes to the next runner; 5 s
	Poll       time.Duration // a poll without a message; 20 s, GitHub's is 50 s
	SessionTTL time.Duration // a session without a poll ends; 500 ms
	Conflict   time.Duration // what a listener waits on a session conflict; 300 ms, the real one 30 s
}

// Steps are the lengths that one job's hand-over has, chosen by the seed and
// the job's number alone: the same test meets the same windows again.
type Steps struct{ Delivery, Acknowledge, Acquire, Renew, Spawn time.Duration }

func (w Windows) steps(seed, job uint64) Steps {
	r := rand.New(rand.NewPCG(seed, job))
	return Steps{w.Delivery.pick(r), w.Acknowledge.pick(r), w.Acquire.pick(r), w.Renew.pick(r), w.Spawn.pick(r)}
}

// UpTo gives every step of the hand-over a random length of at most max.
func UpTo(max time.Duration) Windows {
	span := Span{0, max}
	return Windows{Delivery: span, Acknowledge: span, Acquire: span, Renew: span, Spawn: span}
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

func (w Windows) withDefaults() Windows {
	w.RenewEvery = orElse(w.RenewEvery, 200*time.Millisecond)
	w.Lease = orElse(w.Lease, 50*w.RenewEvery)
	w.Redeliver = orElse(w.Redeliver, 5*time.Second)
	w.Poll = orElse(w.Poll, 20*time.Second)
	w.SessionTTL = orElse(w.SessionTTL, 500*time.Millisecond)
	w.Conflict = orElse(w.Conflict, 300*time.Millisecond)
	return w
}

// session is one listener's connection, by the runner it is for.
type session struct {
	id      string
	runner  int64
	polling int  // requests of it that are being answered
	polled  bool // the listener has asked for a message at least once
	seen    time.Time
}

// broker hands jobs to listeners. The server's lock guards it.
type broker struct {
	ttl      time.Duration
	sessions []*session
	jobs     []*JobState
	next     int64
	changed  chan struct{} // closed and replaced at every change
}

// wake has everything that waits look again.
func (b *broker) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *broker) sessionOf(id string) *session {
	for _, s := range b.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}

// listening says that a listener of this runner is connected and has asked for
// its first message.
func (b *broker) listening(runner int64) bool {
	return b.live(runner) && slices.ContainsFunc(b.sessions, func(s *session) bool { return s.runner == runner && s.polled })
}

// live says that a listener of this runner is connected.
func (b *broker) live(runner int64) bool {
	for _, s := range b.sessions {
		if s.runner == runner && (s.polling > 0 || time.Since(s.seen) < b.ttl) {
			return true
		}
	}
	return false
}

// signedIn returns the runner whose access token the request carries. It needs the lock.
func (s *Server) signedIn(r *http.Request) (*Runner, reply) {
	t, live := s.taken(secret(r), "access")
	if !live {
		known := s.broker.sessionOf(r.URL.Query().Get("sessionId"))
		if known != nil && s.world.byID(known.runner) == nil {
			return nil, refusal(http.StatusNotFound, runner.KindNotFound, "The runner is not registered")
		}
		return nil, badCredentials
	}
	found := s.world.byID(t.runner)
	if found == nil {
		return nil, refusal(http.StatusNotFound, runner.KindNotFound, "The runner is not registered")
	}
	if s.world.refused[found.Version] {
		return nil, refusal(http.StatusForbidden, runner.KindDeprecated,
			fmt.Sprintf("Runner version v%s is deprecated and cannot receive messages.", found.Version))
	}
	return found, reply{}
}

func refusal(status int, kind, message string) reply {
	return reply{status: status, body: runner.Refusal{Message: message, Kind: kind}}
}

func (s *Server) openSession(c *call) reply {
	who, no := s.signedIn(c.Request)
	if who == nil {
		return no
	}
	var asked runner.Session
	if answer, ok := c.decode(&asked); !ok {
		return answer
	}
	if s.world.refused[asked.Agent.Version] {
		return refusal(http.StatusForbidden, runner.KindDeprecated,
			fmt.Sprintf("Runner version v%s is deprecated and cannot receive messages.", asked.Agent.Version))
	}
	if s.broker.live(who.ID) {
		return reply{status: http.StatusConflict, body: runner.Refusal{
			Message: "Another session for this runner exists", Kind: runner.KindConflict,
			RetryMS: s.windows.Conflict.Milliseconds(),
		}}
	}
	s.broker.sessions = slices.DeleteFunc(s.broker.sessions, func(old *session) bool { return old.runner == who.ID })
	s.broker.next++
	opened := &session{id: fmt.Sprintf("session-%d", s.broker.next), runner: who.ID, seen: time.Now()}
	s.broker.sessions = append(s.broker.sessions, opened)
	who.Version = asked.Agent.Version
	s.broker.wake()
	asked.SessionID = opened.id
	return ok(asked)
}
