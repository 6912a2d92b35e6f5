// Package github speaks to the part of GitHub's REST API that a runner's owner
// needs, in benchctl's words: registrations, labels, groups, short tokens and
// the runner's releases.
//
// Requests go through go-github's client, which knows GitHub's errors, limits
// and pages; the paths are ours, because the three scopes (repository,
// organisation, enterprise) differ only in a prefix, and go-github v66 lacks
// labels, groups' ids, digests and enterprise remove tokens.
//
// Every error is a sentence: what could not be done, why, and what to do next.
// The kinds that callers can tell apart are [actions.ErrNotFound],
// [actions.ErrForbidden], [actions.ErrAway] and [actions.ErrUnsure].
package github

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	gh "github.com/google/go-github/v66/github"

	"github.com/SKaiNET-developers/benchctl/spec"
)

const (
	callTimeout = 2 * time.Minute // one call with all its retries
	publicAPI   = "https://api.github.com/"
)

// Options say where a client goes and as whom.
type Options struct {
	URL         spec.URL    // what the runner belongs to
	Credentials Credentials // none: only releases can be asked for
	Version     string      // benchctl's own, for the User-Agent
	// PublicAPI is where the runner's releases are asked for, a GHES host
	// having none. "" is https://api.github.com/.
	PublicAPI string
	Dial      DialFunc // how to connect; nil: as net/http does
	// Memory is what earlier processes learnt; nil: nothing.
	Memory *Memory
	// Patient is who comes by the clock, and comes again: it leaves a GitHub
	// that is in trouble alone for longer and longer.
	Patient bool

	pause func(context.Context, time.Duration) error // nil: sleep
	now   func() time.Time                           // nil: time.Now
}

// DialFunc connects to an address, as in http.Transport.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// A Client asks one GitHub about the runners of one scope. It may be used by
// several goroutines.
type Client struct {
	place     spec.URL
	prefix    string // repos/OWNER/REPO, orgs/NAME or enterprises/NAME
	cred      Credentials
	api       *gh.Client        // with the credentials
	public    *gh.Client        // the public API; api itself on github.com
	files     http.RoundTripper // for what is not GitHub's API: without credentials
	memory    *Memory
	patient   bool
	now       func() time.Time
	appTokens atomic.Int64
	tokenEnds atomic.Pointer[time.Time]
}

// New makes a client. It sends nothing.
func New(o Options) (*Client, error) {
	c := &Client{
		place: o.URL, prefix: prefix(o.URL), cred: o.Credentials,
		files: plainTransport(o.Dial), memory: o.Memory, patient: o.Patient, now: o.now,
	}
	if c.memory == nil {
		c.memory = &Memory{}
	}
	if c.now == nil {
		c.now = time.Now
	}
	base := newTransport(o.Dial)
	auth, err := c.authenticate(base)
	if err != nil {
		return nil, err
	}
	if c.api, err = c.client(o, o.URL.API, auth); err != nil {
		return nil, err
	}
	public := cmp.Or(o.PublicAPI, publicAPI)
	c.public = c.api
	if public != o.URL.API {
		c.public, err = c.client(o, public, base)
	}
	return c, err
}

// For is a client for another scope on the same GitHub, and for the same
// credentials.
func (c *Client) For(at spec.URL) *Client {
	return &Client{
		place: at, prefix: prefix(at), cred: c.cred, api: c.api, public: c.public, files: c.files,
		memory: c.memory, patient: c.patient, now: c.now,
	}
}

// AppTokens is how often the client has asked for an installation token of a
// GitHub App: the one POST that `benchctl diff` may send (law 1).
func (c *Client) AppTokens() int { return int(c.appTokens.Load()) }

// Source is where the credentials came from, for a person; "" without any.
func (c *Client) Source() string { return c.cred.Source }

// TokenEnds is when the API token stops working, the zero time for never. It is
// known only after GitHub has answered something. An App's tokens are made anew
// each time.
func (c *Client) TokenEnds() (at time.Time, known bool) {
	if last := c.tokenEnds.Load(); last != nil && c.cred.App == nil {
		return *last, true
	}
	return time.Time{}, false
}

func prefix(u spec.URL) string {
	owner := url.PathEscape(u.Owner)
	switch u.Scope {
	case spec.Enterprise:
		return "enterprises/" + owner
	case spec.Organization:
		return "orgs/" + owner
	default:
		return "repos/" + owner + "/" + url.PathEscape(u.Repo)
	}
}

// client makes one that asks at base, as whom auth says.
func (c *Client) client(o Options, base string, auth http.RoundTripper) (*gh.Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, &sentence{text: "cannot use " + base + " as GitHub's API: " + err.Error() + "; correct runner.url"}
	}
	wait := o.pause
	if wait == nil {
		wait = sleep
	}
	who := c.who(base)
	api := gh.NewClient(&http.Client{
		Transport: &retrier{
			next:  &cache{next: auth, memory: c.memory, who: who, now: c.now},
			sleep: wait,
			once:  func() bool { return c.memory.struggling(who) },
		},
		CheckRedirect: stayHome,
	})
	api.BaseURL, api.UserAgent = u, "benchctl/"+o.Version
	return api, nil
}

// who is as whom the client asks at base.
func (c *Client) who(base string) string {
	if base != c.place.API {
		return whose(base, Credentials{})
	}
	return whose(base, c.cred)
}
