package github

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v66/github"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A sentence is an error as a person reads it. kind is what a caller may ask
// errors.Is about; the cause itself is not kept, since it may quote headers,
// URLs with a password, or whatever the other side said.
type sentence struct {
	text string
	kind error
}

func (s *sentence) Error() string { return s.text }
func (s *sentence) Unwrap() error { return s.kind }

// explain turns what went wrong with a call into a sentence.
func (c *Client) explain(rq call, err error) error {
	return c.diagnose(rq, err).about(rq)
}

// about says which call it was that a reason is for.
func (s *sentence) about(rq call) *sentence {
	return &sentence{text: "cannot " + rq.op + ": " + s.text, kind: s.kind}
}

func (c *Client) diagnose(rq call, err error) *sentence {
	var (
		limit  *gh.RateLimitError
		second *gh.AbuseRateLimitError
		answer *gh.ErrorResponse
		app    *ghinstallation.HTTPError
	)
	switch {
	case errors.As(err, &limit):
		return say("the rate limit of %d requests an hour is used up; run again after %s",
			limit.Rate.Limit, clock(limit.Rate.Reset.Time))
	case errors.As(err, &second):
		wait := time.Minute // what GitHub asks for where it gives no time
		if second.RetryAfter != nil {
			wait = *second.RetryAfter
		}
		return say("GitHub asks for fewer requests (its secondary rate limit); run again after %s", clock(time.Now().Add(wait)))
	case errors.As(err, &app) && app.Response != nil:
		return c.appStatus(app.Response)
	case errors.As(err, &answer) && answer.Response != nil:
		return c.status(rq, answer)
	}
	return c.network(rq.host, err)
}

// status explains an answer other than 2xx.
func (c *Client) status(rq call, e *gh.ErrorResponse) *sentence {
	code := e.Response.StatusCode
	switch code {
	case http.StatusUnauthorized:
		if !c.cred.API() {
			return say("GitHub wants credentials (401); set GITHUB_TOKEN or github.tokenFile")
		}
		return say("GitHub does not accept the credentials from %s (401%s): wrong, revoked or expired; make new ones", c.cred.Source, c.said(e))
	case http.StatusForbidden:
		s := say("the credentials%s may not do this (403%s); they need %s", c.from(), c.said(e), c.permission(rq))
		s.kind = actions.ErrForbidden
		return s
	case http.StatusNotFound:
		s := say("GitHub answers 404: either there is no such thing, or the credentials%s may not see it, which GitHub does not tell apart; check runner.url, and that the credentials have %s", c.from(), c.permission(rq))
		s.kind = actions.ErrNotFound
		return s
	case http.StatusGone:
		s := say("GitHub says that it is no more (410%s)%s", c.said(e), rq.gone)
		s.kind = actions.ErrNotFound
		return s
	case http.StatusConflict:
		return say("it conflicts with what is there (409%s); look at the runners' page and run again", c.said(e))
	case http.StatusUnprocessableEntity:
		return say("GitHub refuses it (422%s); correct that and run again", c.said(e))
	case http.StatusTooManyRequests:
		wait, given := retryAfter(e.Response.Header)
		if !given {
			wait = time.Minute
		}
		return say("GitHub has had too many requests (429); run again after %s", clock(time.Now().Add(wait)))
	}
	if code >= 500 {
		return say("GitHub is in trouble (%d%s); see githubstatus.com and run again later", code, c.said(e))
	}
	return say("GitHub answers %d%s; check runner.url and run again", code, c.said(e))
}

// appStatus explains why a GitHub App got no installation token.
func (c *Client) appStatus(resp *http.Response) *sentence {
	defer resp.Body.Close()
	app := c.cred.App
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return say("GitHub does not accept the key of App %d from %s (401); check github.app.id, the key, and this host's clock", app.ID, c.cred.Source)
	case http.StatusNotFound, http.StatusForbidden:
		return say("App %d has no installation %d, or it is suspended (%d); check github.app.installation", app.ID, app.Installation, resp.StatusCode)
	}
	return say("GitHub gave App %d no token (%d); see githubstatus.com and run again later", app.ID, resp.StatusCode)
}

// permission names what the credentials must be allowed. GitHub has one
// permission for each scope, and older tokens have scopes instead.
func (c *Client) permission(rq call) string {
	if rq.needs != "" {
		return rq.needs
	}
	level := "read"
	if rq.write {
		level = "write"
	}
	switch c.place.Scope {
	case spec.Enterprise:
		return "the scope manage_runners:enterprise (a classic token)"
	case spec.Organization:
		return "the organisation permission `Self-hosted runners: " + level + "` (a classic token: the scope admin:org)"
	default:
		return "the repository permission `Administration: " + level + "` (a classic token: the scope repo)"
	}
}

func (c *Client) from() string {
	if c.cred.Source == "" {
		return ""
	}
	return " from " + c.cred.Source
}

func say(format string, args ...any) *sentence {
	return &sentence{text: fmt.Sprintf(format, args...)}
}

// said is GitHub's own message, as a continuation.
func (c *Client) said(e *gh.ErrorResponse) string {
	text := e.Message
	for _, more := range e.Errors {
		text += ": " + strings.TrimSpace(more.Field+" "+cmp.Or(more.Message, more.Code))
	}
	if text = tidy(c.scrub(text)); text == "" {
		return ""
	}
	return ": " + text
}

// tidy makes foreign text fit for a terminal: one line, of bounded length.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 300 {
		s = string(runes[:300]) + "..."
	}
	return strings.TrimRight(s, ".")
}

var (
	tokenShape = regexp.MustCompile(`\b(gh[a-z]_|github_pat_)\w+`)
	userinfo   = regexp.MustCompile(`://[^/@\s]+@`)
)

// scrub takes secrets out of text in which others had a say.
func (c *Client) scrub(s string) string {
	for _, secret := range []actions.Secret{c.cred.Token, c.cred.Registration} {
		if secret != "" {
			s = strings.ReplaceAll(s, secret.Reveal(), secret.String())
		}
	}
	s = tokenShape.ReplaceAllString(s, "[secret]")
	return userinfo.ReplaceAllString(s, "://[secret]@")
}

// clock is a time of day as people and logs have it.
func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
