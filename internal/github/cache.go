package github

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

const (
	maxCached      = 64       // answers
	maxCachedBytes = 64 << 10 // of one answer
)

// cache makes GET requests conditional: an answer that did not change costs
// GitHub little and the rate limit nothing. What it holds dies with the
// process.
type cache struct {
	next http.RoundTripper
	mu   sync.Mutex
	held map[string]cached
}

type cached struct {
	header http.Header
	body   []byte
}

func (c *cache) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return c.next.RoundTrip(req)
	}
	key := req.URL.String()
	c.mu.Lock()
	old, known := c.held[key]
	c.mu.Unlock()
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
		return old.answer(req), nil
	}
	if resp.StatusCode == http.StatusOK && resp.Header.Get("ETag") != "" {
		c.keep(key, resp)
	}
	return resp, nil
}

// keep remembers an answer unless it is big, and leaves it readable.
func (c *cache) keep(key string, resp *http.Response) {
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
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil || len(c.held) >= maxCached {
		c.held = map[string]cached{}
	}
	c.held[key] = cached{resp.Header.Clone(), data}
}

func (c cached) answer(req *http.Request) *http.Response {
	h := c.header.Clone()
	h.Set("X-From-Cache", "1") // go-github leaves its count of the rate limit alone
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(c.body)),
		ContentLength: int64(len(c.body)), Request: req,
	}
}
