package standin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Request is one request that the server received.
type Request struct {
	At     time.Time
	Method string
	Host   string
	Path   string // without /api/v3
	Query  string
	Header http.Header // Authorization is its scheme and [Digest] of the secret
	Body   []byte
	Status int // 0 while no answer was sent
}

// String is the request's first line.
func (r Request) String() string { return fmt.Sprintf("%s %s%s", r.Method, r.Host, r.Path) }

// Digest is how a secret is noted: enough to tell two apart, not to use one.
func Digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "sha256:" + hex.EncodeToString(sum[:6])
}

// record notes a request and returns its place in the list.
func (s *Server) record(r *http.Request, host, path string, body []byte) *Request {
	header := r.Header.Clone()
	if scheme, secret, ok := strings.Cut(header.Get("Authorization"), " "); ok {
		header.Set("Authorization", scheme+" "+Digest(secret))
	}
	if strings.HasPrefix(path, "/_services/oauth2/") {
		body = nil // a signed assertion
	}
	return &Request{At: time.Now(), Method: r.Method, Host: host, Path: path, Query: r.URL.RawQuery, Header: header, Body: body}
}

// note puts a request into the list. It comes before the answer goes out, so
// that whoever has the answer finds the request listed.
func (s *Server) note(seen *Request, status int) {
	s.noting.Lock()
	defer s.noting.Unlock()
	seen.Status = status
	s.requests = append(s.requests, *seen)
}

func (s *Server) violation(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

// recorder tells of the status before it is sent.
type recorder struct {
	http.ResponseWriter
	status  int
	sending func(status int)
}

func (r *recorder) begin(status int) {
	if r.status == 0 {
		r.status = status
		r.sending(status)
	}
}

// WriteHeader tells of the status and sends it.
func (r *recorder) WriteHeader(status int) {
	r.begin(status)
	r.ResponseWriter.WriteHeader(status)
}

// Write sends b, after the status 200 if none was.
func (r *recorder) Write(b []byte) (int, error) {
	r.begin(http.StatusOK)
	return r.ResponseWriter.Write(b)
}

// ReadFrom lets a file go out without a copy through this process.
func (r *recorder) ReadFrom(from io.Reader) (int64, error) {
	r.begin(http.StatusOK)
	return io.Copy(r.ResponseWriter, from)
}

// Unwrap gives [http.ResponseController] the real writer.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
