package github

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v66/github"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// A rest is a time in which GitHub is not asked. One that GitHub asked for is
// kept by everybody. One that benchctl gives it by itself, since it does not
// answer, is for who comes by the clock: a person is not kept waiting.
type rest struct {
	Until   time.Time `json:"until"`
	Since   time.Time `json:"since"` // the first refusal in a row
	Times   int       `json:"times"` // refusals in a row
	Ordered bool      `json:"ordered,omitempty"`
	Why     string    `json:"why"`
}

const (
	firstRest = time.Minute // doubled with each refusal in a row
	mostRest  = 30 * time.Minute
	// GitHub's limits are reset within an hour. A rest that is longer than this
	// comes from a clock that was wrong.
	absurdRest = 24 * time.Hour
)

// binds reports whether who asks now has to keep a rest. A patient one comes by
// the clock.
func (r rest) binds(now time.Time, patient bool) bool {
	return now.Before(r.Until) && r.Until.Sub(now) <= absurdRest && (r.Ordered || patient)
}

// String says why GitHub is not asked.
func (r rest) String() string {
	if r.Ordered {
		return r.Why
	}
	return fmt.Sprintf("%s (since %s; it is left alone until %s)", r.Why, clock(r.Since), clock(r.Until))
}

// resting says why GitHub is not asked now, nil when it may be.
func (c *Client) resting(who string) *sentence {
	if r := c.memory.rest(who); r.binds(c.now(), c.patient) {
		s := say("%v", r)
		s.kind = actions.ErrAway
		return s
	}
	return nil
}

// Resting says why github.com is not to be asked now with some credentials by
// other means than a [Client], "" when it may be. For patient, see [Options].
func (m *Memory) Resting(c Credentials, patient bool) string {
	if r := m.rest(whose(publicAPI, c)); r.binds(time.Now(), patient) {
		return r.String()
	}
	return ""
}

// learn takes from how a request ended until when GitHub is to be left alone.
// why is its error in words.
func (c *Client) learn(who string, err error, why string) {
	now := c.now()
	last := c.memory.rest(who)
	wait, ordered := c.refused(err)
	switch {
	case errors.Is(err, context.Canceled):
		return
	case !ordered && !troubled(err):
		c.memory.setRest(who, rest{})
		return
	case last.Times == 0:
		last.Since = now
	}
	last.Times++
	if wait == 0 {
		wait = min(firstRest<<min(last.Times-1, 10), mostRest)
	}
	last.Until, last.Ordered, last.Why = now.Add(wait), ordered, why
	c.memory.setRest(who, last)
}

// refused reports whether GitHub asked for fewer requests, and for how long; 0
// when it did not say.
func (c *Client) refused(err error) (wait time.Duration, ordered bool) {
	var (
		limit  *gh.RateLimitError
		second *gh.AbuseRateLimitError
		answer *gh.ErrorResponse
		app    *ghinstallation.HTTPError
	)
	switch {
	case errors.As(err, &limit):
		return max(limit.Rate.Reset.Sub(c.now()), 0), true
	case errors.As(err, &second):
		if second.RetryAfter == nil {
			return 0, true
		}
		return *second.RetryAfter, true
	case errors.As(err, &app) && app.Response != nil:
		wait, given := retryAfter(app.Response.Header)
		return wait, given || app.Response.StatusCode == http.StatusTooManyRequests
	case errors.As(err, &answer) && answer.Response != nil:
		wait, _ := retryAfter(answer.Response.Header)
		return wait, answer.Response.StatusCode == http.StatusTooManyRequests
	}
	return 0, false
}

// troubled reports whether an error is one that asking again soon does not
// mend: no answer, one that says that GitHub is in trouble, or credentials that
// it does not accept, which it takes ill if it is shown them again and again.
// That nobody was reached is no such error: it is mostly this host's own, and
// GitHub has heard nothing.
func troubled(err error) bool {
	var (
		answer *gh.ErrorResponse
		app    *ghinstallation.HTTPError
		dial   *net.OpError
	)
	code := 0
	switch {
	case err == nil:
		return false
	case errors.As(err, &app) && app.Response != nil:
		code = app.Response.StatusCode
	case errors.As(err, &answer) && answer.Response != nil:
		code = answer.Response.StatusCode
	case errors.As(err, &dial) && dial.Op == "dial":
		return false
	default:
		return passing(err)
	}
	return code >= 500 || code == http.StatusUnauthorized
}

// struggling reports whether GitHub gave no good answer the last time: then it
// is asked once, and not again and again.
func (m *Memory) struggling(who string) bool { return m.rest(who).Times > 0 }

func (m *Memory) rest(who string) rest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rests[who]
}

func (m *Memory) setRest(who string, r rest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rests[who] == r {
		return
	}
	m.changed = true
	if r == (rest{}) {
		delete(m.rests, who)
		return
	}
	if m.rests == nil {
		m.rests = map[string]rest{}
	}
	m.rests[who] = r
}
