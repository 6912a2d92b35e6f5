package rehearse

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A mirrorProxy is the copy's only way out: an HTTP proxy for apt that knows
// the hosts of the machine's own apt sources and refuses every other.
type mirrorProxy struct {
	hosts     []string
	transport http.Transport

	mu      sync.Mutex
	refused []string
}

func newMirrorProxy(hosts []string) *mirrorProxy {
	return &mirrorProxy{hosts: hosts, transport: http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		ResponseHeaderTimeout: time.Minute,
		DisableCompression:    true,
	}}
}

// ServeHTTP passes a request on to a mirror.
func (p *mirrorProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.URL.Hostname()
	if r.Method == http.MethodConnect {
		host, _, _ = net.SplitHostPort(r.Host)
	}
	if !slices.Contains(p.hosts, host) {
		p.mu.Lock()
		p.refused = append(p.refused, host)
		p.mu.Unlock()
		http.Error(w, fmt.Sprintf("a rehearsal reaches the distribution's mirrors alone, and %s is none of them", host), http.StatusForbidden)
		return
	}
	if r.Method == http.MethodConnect {
		p.tunnel(w, r)
		return
	}
	p.forward(w, r)
}

func (p *mirrorProxy) forward(w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.Header.Del("Proxy-Connection")
	resp, err := p.transport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// tunnel connects the two ends of a CONNECT, for mirrors that speak https.
func (p *mirrorProxy) tunnel(w http.ResponseWriter, r *http.Request) {
	far, err := (&net.Dialer{Timeout: 30 * time.Second}).DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(far, near)
		far.Close()
	}()
	_, _ = io.Copy(near, far)
}

// Refused returns the hosts that the copy asked for in vain.
func (p *mirrorProxy) Refused() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.refused)
	return slices.Compact(p.refused)
}

// serve answers until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { s.Close() })
	go func() { _ = s.Serve(l) }()
}

// mirrorHosts reads the hosts of every apt source below root, in both of apt's
// notations (sources.list(5)), disabled ones and comments left out.
func mirrorHosts(root string) ([]string, error) {
	var hosts []string
	for _, pattern := range []string{"etc/apt/sources.list", "etc/apt/sources.list.d/*.list", "etc/apt/sources.list.d/*.sources"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("cannot read the machine's apt sources: %w", err)
			}
			hosts = append(hosts, hostsIn(data)...)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

func hostsIn(sources []byte) []string {
	var hosts []string
	for line := range bytes.Lines(sources) {
		for word := range strings.FieldsSeq(strings.SplitN(string(line), "#", 2)[0]) {
			if u, err := url.Parse(word); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" {
				hosts = append(hosts, u.Hostname())
			}
		}
	}
	return hosts
}
