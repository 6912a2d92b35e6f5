package standin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// A call is one request to the API or to the runners' service.
type call struct {
	*http.Request
	body []byte
	base string // SCHEME://HOST[/api/v3] of the API as this caller reaches it
}

// A reply is an answer: JSON, unless body is nil.
type reply struct {
	status int
	body   any
	header http.Header
}

func refuse(status int, message string) reply {
	return reply{status: status, body: map[string]any{
		"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
	}}
}

var notFound = refuse(http.StatusNotFound, "Not Found")

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

// scope is what the path's first part names.
func (c *call) scope() Scope {
	switch {
	case c.PathValue("owner") != "":
		return Repo(c.PathValue("owner") + "/" + c.PathValue("repo"))
	case c.PathValue("org") != "":
		return Org(c.PathValue("org"))
	}
	return Enterprise(c.PathValue("enterprise"))
}

// id is a number in the path, or 0.
func (c *call) id(name string) int64 {
	n, _ := strconv.ParseInt(c.PathValue(name), 10, 64)
	return n
}

// decode reads the body, or says that it is no JSON of that kind.
func (c *call) decode(into any) (reply, bool) {
	if err := json.Unmarshal(c.body, into); err != nil {
		return refuse(http.StatusBadRequest, "Problems parsing JSON"), false
	}
	return reply{}, true
}

// ServeHTTP answers as the host that the request names.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	r.Body = bodyOf(body)
	host, path, api := place(r)
	seen := s.record(r, host, path, body)
	answer := &recorder{ResponseWriter: w, sending: func(status int) { s.note(seen, status) }}
	defer func() {
		if answer.status == 0 {
			s.note(seen, 0)
		}
	}()
	var out http.ResponseWriter = answer
	if hit := s.fault(r.Method, path); hit != nil {
		if out = hit.apply(answer, r); out == nil {
			return
		}
	}
	s.mu.Lock()
	mounted := s.mounts[host]
	s.mu.Unlock()
	switch {
	case mounted != nil:
		mounted.ServeHTTP(out, r)
	case r.Method == http.MethodHead && path == "/":
		out.WriteHeader(http.StatusOK) // somebody sees whether we are there
	case api, strings.HasPrefix(path, "/_services/"):
		inner := r.Clone(r.Context())
		inner.URL.Path, inner.URL.RawPath = path, strings.TrimPrefix(r.URL.RawPath, "/api/v3")
		s.serveAPI(out, inner, body)
	case host == HostBlobs || strings.HasPrefix(path, "/_blobs/"):
		s.serveBlob(out, r)
	case host == HostAssets || strings.HasPrefix(path, "/_assets/"):
		s.serveAsset(out, r)
	default:
		s.serveWeb(out, r)
	}
}

// place tells which host a request is for, its path there, and whether that is
// the API. A loopback address is github.com and its API in one, as a GHES host is.
func place(r *http.Request) (host, path string, api bool) {
	host = r.Host
	if name, _, err := net.SplitHostPort(r.Host); err == nil {
		host = name
	}
	if host == HostAPI {
		return host, r.URL.Path, true
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/api/v3/"); ok {
		return host, "/" + rest, true
	}
	return host, r.URL.Path, false
}

// origin is how this caller reaches the server: SCHEME://HOST.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// serveAPI answers one call of the API, checked against the description.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, body []byte) {
	at, known := match(s.routes, r)
	switch {
	case !known:
		s.violation("%s %s is neither in GitHub's description nor in the table beyond it", r.Method, r.URL.Path)
		s.send(w, r, "", body, notFound)
	case at.raw != nil:
		at.raw(w, r)
	default:
		s.send(w, r, at.endpoint, body, s.answer(at, r, body))
	}
}

// send encodes a reply as GitHub does, with its rate limit and ETag, and
// checks the exchange.
func (s *Server) send(w http.ResponseWriter, r *http.Request, endpoint string, sent []byte, a reply) {
	data := []byte{}
	if a.body != nil {
		var err error
		if data, err = json.Marshal(a.body); err != nil {
			panic(err) // replies are built from plain values
		}
	}
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	if a.body != nil {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	s.tokenEnd(h, secret(r))
	s.check(endpoint, Exchange{r.Method, r.URL.Path, r.URL.RawQuery, sent, a.status, data})
	// GitHub's ETags are another token's with another token:
	// https://github.com/eclipse-csi/otterdog/issues/201
	sum := sha256.Sum256(append([]byte(secret(r)+"\n"), data...))
	if r.Method == http.MethodGet && a.status == http.StatusOK {
		tag := `W/"` + hex.EncodeToString(sum[:]) + `"`
		h.Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			s.limits(h, 0)
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	s.limits(h, 1)
	if a.status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(data)))
	}
	w.WriteHeader(a.status)
	w.Write(data)
}

func bodyOf(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
