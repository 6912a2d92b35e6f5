package standin

import (
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"time"
)

// A Mode is one way in which an answer goes wrong.
type Mode int

// The modes. Those with a status answer as GitHub does in that case.
const (
	Unauthorized    Mode = iota + 1 // 401 Bad credentials
	Forbidden                       // 403 without the permission
	Missing                         // 404, which also is GitHub's answer to a bad token
	Conflict                        // 409
	Unprocessable                   // 422 with a list of errors
	TooManyRequests                 // 429 with Retry-After
	PrimaryLimit                    // 403 with nothing remaining until a reset
	SecondaryLimit                  // 403 with Retry-After
	Unavailable                     // 503
	Slow                            // the right answer after Fault.Delay
	CutOff                          // the connection ends in the middle of the body
	WrongBytes                      // one byte in the middle of the body is another
)

// A Fault is what is to go wrong, where and how often.
type Fault struct {
	Method string // empty: any
	Path   string // of the API without /api/v3, or of a download; * is any part of one segment
	Mode   Mode
	Skip   int           // let so many matching requests pass first
	Times  int           // then go wrong so often; 0: always
	Delay  time.Duration // of Slow, and the Retry-After and reset of the limits
}

// Injected is a fault in force.
type Injected struct {
	Fault
	s       *Server
	matched int
	removed bool
}

// Fail puts a fault in force.
func (s *Server) Fail(f Fault) *Injected {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := &Injected{Fault: f, s: s}
	s.faults = append(s.faults, i)
	return i
}

// Hits is how many requests it spoiled.
func (i *Injected) Hits() int {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	hits := max(i.matched-i.Skip, 0)
	if i.Times > 0 {
		hits = min(hits, i.Times)
	}
	return hits
}

// Remove takes it out of force.
func (i *Injected) Remove() {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	i.removed = true
}

// fault returns the fault that this request runs into, or nil.
func (s *Server) fault(method, where string) *Injected {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.faults {
		match, _ := path.Match(i.Path, where)
		if i.removed || !match || (i.Method != "" && i.Method != method) {
			continue
		}
		i.matched++
		if i.matched > i.Skip && (i.Times == 0 || i.matched <= i.Skip+i.Times) {
			return i
		}
	}
	return nil
}

// apply spoils one answer: it returns the writer that the true answer is to go
// through, or nil if it has answered itself.
func (i *Injected) apply(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	switch i.Mode {
	case Slow:
		select {
		case <-time.After(i.Delay):
		case <-r.Context().Done():
		}
		return w
	case CutOff, WrongBytes:
		return &spoiled{ResponseWriter: w, mode: i.Mode}
	}
	i.refuse(w)
	return nil
}

var refusals = map[Mode]reply{
	Unauthorized:    refuse(http.StatusUnauthorized, "Bad credentials"),
	Forbidden:       refuse(http.StatusForbidden, "Resource not accessible by personal access token"),
	Missing:         notFound,
	Conflict:        refuse(http.StatusConflict, "Already exists"),
	TooManyRequests: refuse(http.StatusTooManyRequests, "Too many requests"),
	PrimaryLimit:    refuse(http.StatusForbidden, "API rate limit exceeded for user ID 1."),
	SecondaryLimit: {status: http.StatusForbidden, body: map[string]any{
		"message":           "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
		"documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
		"status":            "403",
	}},
	Unavailable: refuse(http.StatusServiceUnavailable, "Service unavailable"),
	Unprocessable: {status: http.StatusUnprocessableEntity, body: map[string]any{
		"message": "Validation Failed", "documentation_url": "https://docs.github.com/rest", "status": "422",
		"errors": []map[string]string{{"resource": "Runner", "field": "labels", "code": "invalid", "message": "is not valid"}},
	}},
}

func (i *Injected) refuse(w http.ResponseWriter) {
	a, h := refusals[i.Mode], w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	seconds := strconv.Itoa(int((i.Delay + time.Second - 1) / time.Second))
	switch i.Mode {
	case TooManyRequests, SecondaryLimit:
		h.Set("Retry-After", seconds)
		h.Set("X-RateLimit-Limit", "5000")
		h.Set("X-RateLimit-Remaining", "4000")
		h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
	case PrimaryLimit:
		h.Set("X-RateLimit-Limit", "5000")
		h.Set("X-RateLimit-Remaining", "0")
		h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(i.Delay).Unix(), 10))
	}
	w.WriteHeader(a.status)
	json.NewEncoder(w).Encode(a.body)
}

// spoiled damages a body at its middle; the length is announced untouched.
type spoiled struct {
	http.ResponseWriter
	mode   Mode
	middle int64
	sent   int64
}

// WriteHeader learns the length.
func (s *spoiled) WriteHeader(status int) {
	if n, err := strconv.ParseInt(s.Header().Get("Content-Length"), 10, 64); err == nil {
		s.middle = n / 2
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write passes b on until the middle is in it.
func (s *spoiled) Write(b []byte) (int, error) {
	at := s.middle - s.sent
	if at < 0 || at >= int64(len(b)) {
		n, err := s.ResponseWriter.Write(b)
		s.sent += int64(n)
		return n, err
	}
	if s.mode == CutOff {
		s.ResponseWriter.Write(b[:at])
		http.NewResponseController(s.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	bad := append([]byte(nil), b...)
	bad[at] ^= 0x55
	n, err := s.ResponseWriter.Write(bad)
	s.sent += int64(n)
	return n, err
}
