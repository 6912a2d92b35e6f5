package github

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	maxAnswer = 8 << 20          // bytes; a page of 100 runners has about 100 KiB
	tries     = 3                // of one request
	maxPause  = 30 * time.Second // a longer Retry-After is told to the person instead
)

var (
	errTooBig   = errors.New("the answer is larger than 8 MiB")
	errRedirect = errors.New("the answer is a redirect to somewhere else")
)

// newTransport is net/http's with bounds on waiting and on what is read.
func newTransport(dial DialFunc) http.RoundTripper { return bounded{plainTransport(dial)} }

// plainTransport is net/http's with bounds on waiting. It honours https_proxy,
// http_proxy and no_proxy.
func plainTransport(dial DialFunc) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = dial
	if dial == nil {
		t.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	t.ResponseHeaderTimeout = 30 * time.Second
	t.MaxResponseHeaderBytes = 256 << 10
	return t
}

// stayHome follows a redirect only to the same host and with the same method:
// the credentials go nowhere else, and a DELETE never turns into a GET.
func stayHome(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) >= 5 || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme || req.Method != first.Method {
		return errRedirect
	}
	return nil
}

// bounded cuts an answer of absurd length off, with an error.
type bounded struct{ next http.RoundTripper }

func (t bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxAnswer}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooBig
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// retrier sends a request again when that can help and cannot harm.
type retrier struct {
	next  http.RoundTripper
	sleep func(context.Context, time.Duration) error
	once  func() bool // it would be no use to ask again
}

func (t *retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		again := req.Clone(req.Context())
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			again.Body = body
		}
		resp, err := t.next.RoundTrip(again)
		wait, ok := pause(req, resp, err, try)
		if !ok || try == tries || t.once() {
			return resp, err
		}
		if resp != nil {
			resp.Body.Close()
		}
		if err := t.sleep(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// pause says whether a request is worth another try, and how long to wait
// first. A request that GitHub refused because of a limit was not carried out,
// so even a POST may be repeated; after a failure only an idempotent one may.
func pause(req *http.Request, resp *http.Response, err error, try int) (time.Duration, bool) {
	backoff := time.Second<<(try-1) + rand.N(500*time.Millisecond)
	if err != nil {
		return backoff, req.Method != http.MethodPost && req.Context().Err() == nil && passing(err)
	}
	after, given := retryAfter(resp.Header)
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusForbidden:
		return after, given && after <= maxPause
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return max(backoff, after), req.Method != http.MethodPost && after <= maxPause
	}
	return 0, false
}

func retryAfter(h http.Header) (time.Duration, bool) {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0, false
	}
	return time.Duration(min(n, 1<<20)) * time.Second, true
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
