package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	gh "github.com/google/go-github/v66/github"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// stall is how long a download may stand still.
const stall = time.Minute

// Download writes the zip of an artifact to w, at most most bytes of it.
// GitHub's answer is an address elsewhere, which is good for a minute and whose
// query is what lets the bearer in: it gets no credentials, and is in no error.
// The error wraps [actions.ErrAway] when another attempt may do; something may
// be written by then.
func (c *Client) Download(ctx context.Context, a actions.Artifact, w io.Writer, most int64) error {
	rq := call{
		op:     fmt.Sprintf("fetch the artifact %s of %s", a.Name, c.where()),
		method: http.MethodGet, path: fmt.Sprintf("%s/actions/artifacts/%d/zip", c.prefix, a.ID),
		needs: forRuns, host: c.api.BaseURL.Host,
	}
	at, err := c.elsewhere(ctx, rq)
	if err != nil {
		return err
	}
	rq.host = at.Host
	s := c.take(ctx, rq, at, w, most)
	if s == nil {
		return nil
	}
	return s.about(rq)
}

// elsewhere asks where an artifact is.
func (c *Client) elsewhere(ctx context.Context, rq call) (*url.URL, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	who := c.who(c.api.BaseURL.String())
	if s := c.resting(who); s != nil {
		return nil, s.about(rq)
	}
	req, err := c.api.NewRequest(rq.method, rq.path, nil)
	if err != nil {
		return nil, c.explain(rq, err)
	}
	stays := *c.api.Client()
	moved := c.api.BaseURL.Path + "repositories/" // so GitHub answers for a repository that was renamed
	stays.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if strings.HasPrefix(req.URL.Path, moved) && stayHome(req, via) == nil {
			return nil
		}
		return http.ErrUseLastResponse
	}
	resp, err := stays.Do(req.WithContext(ctx))
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode/100 == 3 {
			return c.location(rq, resp)
		}
		if err = gh.CheckResponse(resp); err == nil {
			err = errNotJSON
		}
	}
	s := c.diagnose(rq, err)
	c.learn(who, err, s.text)
	if s.kind == nil {
		s.kind = c.kind(rq, err)
	}
	return nil, s.about(rq)
}

// location is where an answer points to. From a line that nobody can change, it
// leads to no other.
func (c *Client) location(rq call, resp *http.Response) (*url.URL, error) {
	at, err := resp.Location()
	if err != nil || at.Scheme != "https" && at.Scheme != c.api.BaseURL.Scheme {
		return nil, say("GitHub points to no address that can be used; see whether something answers in its place").about(rq)
	}
	return at, nil
}

// take downloads what is at an address, without credentials.
func (c *Client) take(ctx context.Context, rq call, at *url.URL, w io.Writer, most int64) *sentence {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(stall, cancel)
	defer watch.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return say("GitHub points to no address that can be used; run again")
	}
	plain := &http.Client{Transport: c.files, CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect }}
	resp, err := plain.Do(req)
	if err != nil {
		return c.broken(rq, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s := say("%s answers %d; run again", at.Host, resp.StatusCode)
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
			s.kind = actions.ErrAway
		}
		return s
	}
	n, err := io.Copy(w, &moving{io.LimitReader(resp.Body, most+1), watch})
	var cut net.Error
	switch {
	case n > most:
		return say("it is larger than the %d bytes that GitHub told; run again", most)
	case err != nil && (errors.As(err, &cut) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled)):
		return c.broken(rq, err)
	case err != nil:
		return say("%s; see to the disk and run again", tidy(err.Error()))
	}
	return nil
}

// broken says why a download ended early, without the address in http's error.
func (c *Client) broken(rq call, err error) *sentence {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	s := c.network(rq.host, err)
	s.kind = actions.ErrAway
	return s
}

// moving puts an alarm off for as long as bytes come.
type moving struct {
	io.Reader
	alarm *time.Timer
}

// Read puts the alarm off.
func (m *moving) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if n > 0 {
		m.alarm.Reset(stall)
	}
	return n, err
}
