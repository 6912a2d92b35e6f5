package github

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

const (
	maxCached      = 64       // answers
	maxCachedBytes = 64 << 10 // of one answer
)

// cache makes GET requests conditional: an answer that did not change costs
// GitHub little and the rate limit nothing. GitHub gives an answer another ETag
// for each token, so that an App, whose tokens live for an hour, gains nothing.
type cache struct {
	next   http.RoundTripper
	memory *Memory
	who    string
	now    func() time.Time
}

// An answered is one answer of GitHub's.
type answered struct {
	at      time.Time // when GitHub last stood by it
	header  http.Header
	body    []byte
	lasting bool // there is no secret in it: it may outlive the process
}

// A wish is what a caller has to say about how a request is answered. It
// travels with the request's context.
type wish struct {
	lasting bool          // the answer may be kept on the disk
	fresh   time.Duration // an answer that is younger will do
}

type wishKey struct{}

func (w wish) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, wishKey{}, w)
}

func (c *cache) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return c.next.RoundTrip(req)
	}
	w, _ := req.Context().Value(wishKey{}).(wish)
	key := c.who + " " + req.URL.String()
	old, known := c.memory.answer(key)
	if age := c.now().Sub(old.at); known && age >= 0 && age < w.fresh {
		return old.response(req, unasked), nil
	}
	if known {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", old.header.Get("ETag"))
	}
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if known && resp.StatusCode == http.StatusNotModified {
		resp.Body.Close()
		old = old.refreshed(resp.Header, c.now())
		c.memory.put(key, old)
		return old.response(req, confirmed), nil
	}
	if resp.StatusCode == http.StatusOK && resp.Header.Get("ETag") != "" {
		c.keep(key, resp, w.lasting)
	}
	return resp, nil
}

// keep remembers an answer unless it is big, and leaves it readable.
func (c *cache) keep(key string, resp *http.Response, lasting bool) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxCachedBytes+1))
	rest := resp.Body
	if err != nil || len(data) > maxCachedBytes {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(data), rest), rest}
		return
	}
	rest.Close()
	resp.Body = io.NopCloser(bytes.NewReader(data))
	c.memory.put(key, answered{at: c.now(), header: resp.Header.Clone(), body: data, lasting: lasting})
}

// refreshed is an answer that GitHub stands by. What the headers say now counts,
// such as when the token ends (RFC 9111, section 4.3.4).
func (a answered) refreshed(h http.Header, at time.Time) answered {
	a.at, a.header = at, a.header.Clone()
	for name, values := range h {
		if name != "Content-Length" && name != "Content-Type" {
			a.header[name] = values
		}
	}
	return a
}

func (a answered) response(req *http.Request, how string) *http.Response {
	h := a.header.Clone()
	h.Set(fromCache, how)
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)), Request: req,
	}
}

// fromCache is a header that tells of an answer how it comes to be from here;
// with it, go-github leaves its count of the rate limit alone.
const (
	fromCache = "X-From-Cache"
	confirmed = "confirmed" // GitHub stands by it: 304
	unasked   = "unasked"   // it is young enough
)
