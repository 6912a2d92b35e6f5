package github

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"

	gh "github.com/google/go-github/v66/github"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// A call is one request and what it is called in an error.
type call struct {
	op     string // verb and object, as in "cannot OP"
	method string
	path   string
	body   any
	write  bool   // it needs more than the permission to read
	needs  string // what the credentials must be allowed; "" is what runners need
	gone   string // the next step after 410, with what is before it
	wish   wish
	once   bool   // sent twice, it would be done twice
	host   string // who was asked; do fills it in
}

// do sends a call and decodes its answer into out, unless that is nil. It
// returns the number of the next page, 0 when there is none.
func (c *Client) do(ctx context.Context, via *gh.Client, rq call, out any) (next int, err error) {
	ctx, cancel := context.WithTimeout(rq.wish.with(ctx), callTimeout)
	defer cancel()
	rq.host = via.BaseURL.Host
	who := c.who(via.BaseURL.String())
	if s := c.resting(who); s != nil {
		return 0, s.about(rq)
	}
	req, err := via.NewRequest(rq.method, rq.path, rq.body)
	if err != nil {
		return 0, c.explain(rq, err)
	}
	resp, err := via.BareDo(ctx, req)
	if err != nil {
		s := c.diagnose(rq, err)
		c.learn(who, err, s.text)
		if s.kind == nil {
			s.kind = c.kind(rq, err)
		}
		return 0, s.about(rq)
	}
	defer resp.Body.Close()
	c.heed(who, via, rq, resp)
	if out != nil {
		err = decode(resp.Response, out)
	}
	if err != nil {
		s := c.diagnose(rq, err)
		if rq.once {
			s.kind = actions.ErrUnsure // it is done
		}
		return 0, s.about(rq)
	}
	return resp.NextPage, nil
}

// kind tells an error that may pass, and one after which nobody knows whether
// GitHub did what it was asked, from one that stays.
func (c *Client) kind(rq call, err error) error {
	_, ordered := c.refused(err)
	var (
		answer *gh.ErrorResponse
		dial   *net.OpError
	)
	switch {
	case ordered:
		return actions.ErrAway
	case errors.As(err, &dial) && dial.Op == "dial":
		return actions.ErrAway // it has heard nothing
	case errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode < http.StatusInternalServerError:
		return nil
	case !passing(err):
		return nil
	case rq.once:
		return actions.ErrUnsure
	}
	return actions.ErrAway
}

// heed takes from an answer what it says besides: that it was the last one
// within the limit, and when the token ends.
func (c *Client) heed(who string, via *gh.Client, rq call, resp *gh.Response) {
	if via == c.api && (resp.Header.Get(fromCache) != unasked || c.tokenEnds.Load() == nil) {
		c.tokenEnds.Store(&resp.TokenExpiration.Time)
	}
	var last error
	cached := resp.Header.Get(fromCache) != ""
	if rate := resp.Rate; !cached && rate.Limit > 0 && rate.Remaining == 0 && c.now().Before(rate.Reset.Time) {
		last = &gh.RateLimitError{Rate: rate, Response: resp.Response}
	}
	why := ""
	if last != nil {
		why = c.diagnose(rq, last).text
	}
	c.learn(who, last, why)
}

var errNotJSON = errors.New("the answer is not the JSON that was expected")

// decode reads one JSON value, unless the answer has none. A login page of some
// network in between is not mistaken for an answer.
func decode(resp *http.Response, out any) error {
	if resp.StatusCode == http.StatusNoContent {
		return nil
	}
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

// mostPages bounds a listing: a server that always names another page is not
// asked for ever. GitHub has no listing of so many runners.
const mostPages = 1000

// list collects the pages of a listing. path takes a page's number.
func list[T any, P page[T]](ctx context.Context, c *Client, rq call, path func(n int) string) ([]T, error) {
	var all []T
	rq.method = http.MethodGet
	for n := 1; n > 0; {
		var p P
		rq.path = path(n)
		next, err := c.do(ctx, c.api, rq, &p)
		if err != nil {
			return nil, err
		}
		all = append(all, p.items()...)
		if next <= n {
			break
		}
		if next > mostPages {
			rq.host = c.api.BaseURL.Host
			return nil, say("%s names more than %d pages; see whether it is GitHub that answers", rq.host, mostPages).about(rq)
		}
		n = next
	}
	return all, nil
}
