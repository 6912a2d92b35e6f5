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
// The only kind that callers can tell apart is [actions.ErrNotFound].
package github

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
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

	pause func(context.Context, time.Duration) error // nil: sleep
}

// DialFunc connects to an address, as in http.Transport.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// A Client asks one GitHub about the runners of one scope. It may be used by
// several goroutines.
type Client struct {
	place     spec.URL
	prefix    string // repos/OWNER/REPO, orgs/NAME or enterprises/NAME
	cred      Credentials
	api       *gh.Client // with the credentials
	public    *gh.Client // the public API; api itself on github.com
	appTokens atomic.Int64
	tokenEnds atomic.Pointer[time.Time]
}

// New makes a client. It sends nothing.
func New(o Options) (*Client, error) {
	c := &Client{place: o.URL, prefix: prefix(o.URL), cred: o.Credentials}
	base := newTransport(o.Dial)
	auth, err := c.authenticate(base)
	if err != nil {
		return nil, err
	}
	if c.api, err = o.client(o.URL.API, auth); err != nil {
		return nil, err
	}
	public := cmp.Or(o.PublicAPI, publicAPI)
	c.public = c.api
	if public != o.URL.API {
		c.public, err = o.client(public, base)
	}
	return c, err
}

// AppTokens is how often the client has asked for an installation token of a
// GitHub App: the one POST that `benchctl diff` may send (law 1).
func (c *Client) AppTokens() int { return int(c.appTokens.Load()) }

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

func (o Options) client(base string, auth http.RoundTripper) (*gh.Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, &sentence{text: "cannot use " + base + " as GitHub's API: " + err.Error() + "; correct runner.url"}
	}
	wait := o.pause
	if wait == nil {
		wait = sleep
	}
	c := gh.NewClient(&http.Client{
		Transport:     &retrier{next: &cache{next: auth}, sleep: wait},
		CheckRedirect: stayHome,
	})
	c.BaseURL, c.UserAgent = u, "benchctl/"+o.Version
	return c, nil
}

// A call is one request and what it is called in an error.
type call struct {
	op     string // verb and object, as in "cannot OP"
	method string
	path   string
	body   any
	write  bool   // it needs more than the permission to read
	needs  string // what the credentials must be allowed; "" is what runners need
	host   string // who was asked; do fills it in
}

// do sends a call and decodes its answer into out, unless that is nil. It
// returns the number of the next page, 0 when there is none.
func (c *Client) do(ctx context.Context, via *gh.Client, rq call, out any) (next int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rq.host = via.BaseURL.Host
	req, err := via.NewRequest(rq.method, rq.path, rq.body)
	if err != nil {
		return 0, c.explain(rq, err)
	}
	resp, err := via.BareDo(ctx, req)
	if via == c.api && err == nil {
		c.tokenEnds.Store(&resp.TokenExpiration.Time)
	}
	if err != nil {
		return 0, c.explain(rq, err)
	}
	defer resp.Body.Close()
	if out != nil {
		err = decode(resp.Response, out)
	}
	if err != nil {
		return 0, c.explain(rq, err)
	}
	return resp.NextPage, nil
}

var errNotJSON = errors.New("the answer is not the JSON that was expected")

// decode reads one JSON value. A login page of some network in between is not
// mistaken for an answer.
func decode(resp *http.Response, out any) error {
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" {
		return errNotJSON
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if json.Unmarshal(data, out) != nil {
		return errNotJSON
	}
	return nil
}

// page is what every listing of GitHub's has in common.
type page[T any] interface{ items() []T }

// list collects the pages of a listing. path takes a page's number.
func list[T any, P page[T]](ctx context.Context, c *Client, op string, path func(n int) string) ([]T, error) {
	var all []T
	for n := 1; n > 0; {
		var p P
		next, err := c.do(ctx, c.api, call{op: op, method: http.MethodGet, path: path(n)}, &p)
		if err != nil {
			return nil, err
		}
		all = append(all, p.items()...)
		if next <= n {
			break
		}
		n = next
	}
	return all, nil
}
