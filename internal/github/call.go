package github

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	gh "github.com/google/go-github/v66/github"
)

// A call is one request and what it is called in an error.
type call struct {
	op     string // verb and object, as in "cannot OP"
	method string
	path   string
	body   any
	write  bool   // it needs more than the permission to read
	needs  string // what the credentials must be allowed; "" is what runners need
	wish   wish
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
		return 0, s.about(rq)
	}
	defer resp.Body.Close()
	c.heed(who, via, rq, resp)
	if out != nil {
		err = decode(resp.Response, out)
	}
	if err != nil {
		return 0, c.explain(rq, err)
	}
	return resp.NextPage, nil
}

// heed takes from an answer what it says besides: that it was the last one
// within the limit, and when the token ends.
func (c *Client) heed(who string, via *gh.Client, rq call, resp *gh.Response) {
	if via == c.api {
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
func list[T any, P page[T]](ctx context.Context, c *Client, op string, w wish, path func(n int) string) ([]T, error) {
	var all []T
	for n := 1; n > 0; {
		var p P
		next, err := c.do(ctx, c.api, call{op: op, method: http.MethodGet, path: path(n), wish: w}, &p)
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
