package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// probed is what a probe says of a server that answers, or does not, in a way.
func probed(t *testing.T, n *Net, address string) string {
	t.Helper()
	p := n.probe(t.Context(), address)
	if p.err != nil {
		return p.err.Error() + " | " + p.next
	}
	return "ok " + p.via
}

func TestWhereAConnectionEnds(t *testing.T) {
	t.Parallel()
	good := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	t.Cleanup(good.Close)
	roots := x509.NewCertPool()
	roots.AddCert(good.Certificate())
	trusting := &Net{Roots: &tls.Config{RootCAs: roots}}
	address := strings.TrimPrefix(good.URL, "https://")

	curt := listen(t, func(c net.Conn) { c.Close() })
	mute := tlsMute(t, good.TLS)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	for _, c := range []struct {
		net      *Net
		to, says string
	}{
		{trusting, address, "ok direct"},
		{&Net{}, address, "TLS: no trusted connection"},
		{trusting, curt, "TLS: no trusted connection"},
		{trusting, mute, "HTTP: connected, and no answer"},
		{trusting, closed.Addr().String(), "TCP: no connection to port "},
		{trusting, "no-such-host.invalid", "DNS: no-such-host.invalid has no address"},
	} {
		if got := probed(t, c.net, c.to); !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", c.to, got, c.says)
		}
	}
}

func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

// tlsMute speaks TLS and then hangs up.
func tlsMute(t *testing.T, config *tls.Config) string {
	return listen(t, func(c net.Conn) {
		s := tls.Server(c, config)
		_ = s.HandshakeContext(t.Context())
		s.Close()
	})
}

func TestThroughAProxy(t *testing.T) {
	t.Parallel()
	good := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(good.Close)
	roots := x509.NewCertPool()
	roots.AddCert(good.Certificate())
	auth := make(chan string, 1)
	proxy := listen(t, func(c net.Conn) { relay(c, strings.TrimPrefix(good.URL, "https://"), auth) })
	refusing := listen(t, func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"); c.Close() })

	through := func(scheme, address string) *Net {
		return &Net{Roots: &tls.Config{RootCAs: roots}, Proxy: http.ProxyURL(&url.URL{Scheme: scheme, Host: address, User: url.UserPassword("me", "secret")})}
	}
	via := func(address string) *Net { return through("http", address) }
	// The certificate of httptest is for example.com.
	if got := probed(t, via(proxy), "example.com"); got != "ok through "+proxy {
		t.Errorf("through a proxy: %q", got)
	}
	if got := <-auth; got != "Basic bWU6c2VjcmV0" {
		t.Errorf("the proxy was told %q", got)
	}
	if got := probed(t, via(refusing), "example.com"); !strings.Contains(got, "it refuses to connect to example.com:443 (403)") || strings.Contains(got, "secret") {
		t.Errorf("a proxy that refuses: %q", got)
	}
	// To one that speaks TLS nothing is said in the clear.
	secure := listen(t, func(c net.Conn) {
		relay(tls.Server(c, good.TLS), strings.TrimPrefix(good.URL, "https://"), auth)
	})
	if got := probed(t, through("https", secure), "example.com"); got != "ok through "+secure {
		t.Errorf("through a proxy with TLS: %q", got)
	}
	if got := <-auth; got != "Basic bWU6c2VjcmV0" {
		t.Errorf("the proxy with TLS was told %q", got)
	}
	if got := probed(t, through("https", proxy), "example.com"); !strings.Contains(got, "TLS: no trusted connection") || <-auth != "" {
		t.Errorf("a proxy without TLS: %q", got)
	}
	if got := probed(t, through("socks5", proxy), "example.com"); !strings.Contains(got, "the doctor does not speak socks5") {
		t.Errorf("a proxy of another kind: %q", got)
	}
}

// relay is a proxy that connects everybody to one server.
func relay(c net.Conn, to string, auth chan<- string) {
	defer c.Close()
	buf := make([]byte, 4096)
	n, _ := c.Read(buf)
	_, rest, _ := strings.Cut(string(buf[:n]), "Proxy-Authorization: ")
	given, _, _ := strings.Cut(rest, "\r\n")
	auth <- given
	fmt.Fprint(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go io.Copy(out, c)
	io.Copy(c, out)
}

func TestSkew(t *testing.T) {
	t.Parallel()
	g := &group{name: "network"}
	skew(g, []probe{{}, {took: 2 * time.Second, date: now, seen: now.Add(time.Hour)}, {took: time.Millisecond, date: now, seen: now.Add(-7 * time.Minute)}})
	skew(g, []probe{{date: now, seen: now.Add(time.Second)}})
	skew(g, nil)
	wants(t, lines(&Report{Checks: g.checks}), "clock error: this clock is -7m0s off", "clock ok: 1s apart from GitHub's", "clock unknown")
}
