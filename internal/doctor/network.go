package doctor

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	probeLimit = 10 * time.Second // one destination
	abreast    = 8                // at a time
	mostSkew   = 5 * time.Minute  // beyond it GitHub lets no runner sign in
)

// A Net is how the runner reaches the outside.
type Net struct {
	// Proxy is which proxy a request goes through, nil for none, as
	// http.Transport asks it.
	Proxy func(*http.Request) (*url.URL, error)
	Roots *tls.Config // nil is the machine's own trust
}

// A destination is a host that the runner needs, on TCP port 443.
type destination struct{ group, host string }

// Source of the hosts: docs.github.com, self-hosted runners reference,
// "Requirements for communication with GitHub".
var destinations = []destination{
	{"control plane", "github.com"},
	{"control plane", "api.github.com"},
	{"job dispatch", "broker.actions.githubusercontent.com"},
	{"job dispatch", "pipelines.actions.githubusercontent.com"},
	{"job dispatch", "vstoken.actions.githubusercontent.com"},
	{"artifacts", "results-receiver.actions.githubusercontent.com"},
	{"artifacts", "productionresultssa0.blob.core.windows.net"},
	{"checkouts", "codeload.github.com"},
	{"checkouts", "github-cloud.githubusercontent.com"},
	{"containers", "ghcr.io"},
	{"packages", "release-assets.githubusercontent.com"},
	{"packages", "pkg.actions.githubusercontent.com"},
}

// destinations are those of a spec: a GHES host is all of them in one, but for
// the runner's own releases.
func (d *Doctor) destinations() []destination {
	at := d.Spec.Runner.URL.Host
	if at == "github.com" || strings.HasSuffix(at, ".ghe.com") {
		return destinations
	}
	return []destination{{"control plane", at}, {"packages", "github.com"}, {"packages", "release-assets.githubusercontent.com"}}
}

// network connects to every destination, side by side.
func (d *Doctor) network(ctx context.Context) []Check {
	g := &group{name: "network"}
	if d.Net == nil {
		g.add(Unknown, "destinations", "run it without --offline", "nothing was connected to")
		return g.checks
	}
	all := d.destinations()
	found := make([]probe, len(all))
	slots := make(chan struct{}, abreast)
	var wg sync.WaitGroup
	for i, to := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i] = d.Net.probe(ctx, to.host)
		})
	}
	wg.Wait()
	for i, to := range all {
		name := to.group + ": " + to.host
		if p := found[i]; p.err != nil {
			g.add(Error, name, p.next, "%v", p.err)
		} else {
			g.ok(name, "%s, %d ms", p.via, p.took.Milliseconds())
		}
	}
	skew(g, found)
	g.ok("direction", "the runner only ever connects outwards, to TCP port 443: a router with NAT needs nothing configured")
	return g.checks
}

// skew compares this clock with GitHub's, by the answer that came quickest.
func skew(g *group, found []probe) {
	var best *probe
	for i, p := range found {
		if !p.date.IsZero() && (best == nil || p.took < best.took) {
			best = &found[i]
		}
	}
	if best == nil {
		g.add(Unknown, "clock", "", "no server has said what time it is")
		return
	}
	off := best.seen.Sub(best.date).Round(time.Second)
	if off.Abs() > mostSkew {
		g.add(Error, "clock", "set it, and have chrony or systemd-timesyncd keep it", "this clock is %s off: GitHub lets no runner sign in beyond %s", off, mostSkew)
		return
	}
	g.ok("clock", "%s apart from GitHub's", off.Abs())
}

// A probe is what came of one destination.
type probe struct {
	via  string
	took time.Duration
	date time.Time // the server's
	seen time.Time // ours, when it came
	err  error
	next string
}

// probe goes through name, connection, TLS and HTTP, and says at which of them
// it ends.
func (n *Net) probe(ctx context.Context, name string) (p probe) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	began := time.Now()
	hostname, port, err := net.SplitHostPort(name)
	if err != nil {
		hostname, port = name, "443"
	}
	conn, via, p := n.connect(ctx, hostname, port)
	if p.err != nil {
		return p
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	secure := tls.Client(conn, n.trust(hostname))
	if err := secure.HandshakeContext(ctx); err != nil {
		return failed("see whether something on the way opens the connection; its certificate then belongs into this machine's trust",
			"TLS: no trusted connection (%s)", reason(ctx, err))
	}
	resp, err := ask(secure, hostname)
	if err != nil {
		return failed("see whether something on the way filters what it does not know", "HTTP: connected, and no answer (%s)", reason(ctx, err))
	}
	resp.Body.Close()
	date, _ := http.ParseTime(resp.Header.Get("Date"))
	return probe{via: via, took: time.Since(began), date: date, seen: time.Now()}
}

// trust is how the other end of a connection proves who it is.
func (n *Net) trust(hostname string) *tls.Config {
	config := &tls.Config{}
	if n.Roots != nil {
		config = n.Roots.Clone()
	}
	config.ServerName, config.NextProtos = hostname, []string{"http/1.1"}
	return config
}

// ask sends the smallest request; any answer of HTTP will do.
func ask(conn net.Conn, hostname string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodHead, "https://"+hostname+"/", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "benchctl")
	req.Close = true
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(conn), req)
}

// connect opens the way, through a proxy where one is set.
func (n *Net) connect(ctx context.Context, hostname, port string) (net.Conn, string, probe) {
	target := net.JoinHostPort(hostname, port)
	proxy, err := n.proxyFor(hostname)
	if err != nil {
		return nil, "", failed("correct https_proxy in runner.env", "proxy: its address cannot be used")
	}
	if proxy == nil {
		conn, p := dial(ctx, hostname, port, "open TCP port 443 outwards, or set https_proxy in runner.env")
		return conn, "direct", p
	}
	usual := map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	if usual == "" {
		return nil, "", failed("see by hand whether the runner gets through it", "proxy %s: the doctor does not speak %s", proxy.Host, proxy.Scheme)
	}
	at := cmp.Or(proxy.Port(), usual)
	conn, p := dial(ctx, proxy.Hostname(), at, "see whether the proxy of runner.env runs")
	if p.err != nil {
		p.err = fmt.Errorf("proxy %s: %w", proxy.Host, p.err)
		return nil, "", p
	}
	if proxy.Scheme == "https" { // nothing goes to it in the clear, its password above all
		secure := tls.Client(conn, n.trust(proxy.Hostname()))
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, "", failed("see whether https_proxy in runner.env should begin with http://", "proxy %s: TLS: no trusted connection (%s)", proxy.Host, reason(ctx, err))
		}
		conn = secure
	}
	if err := tunnel(ctx, conn, proxy, target); err != nil {
		conn.Close()
		return nil, "", failed("have the proxy let it through", "proxy %s: %v", proxy.Host, err)
	}
	return conn, "through " + proxy.Host, probe{}
}

func (n *Net) proxyFor(hostname string) (*url.URL, error) {
	if n.Proxy == nil {
		return nil, nil
	}
	req, err := http.NewRequest(http.MethodHead, "https://"+hostname+"/", nil)
	if err != nil {
		return nil, err
	}
	return n.Proxy(req)
}

// dial looks the name up and connects, and tells the two apart.
func dial(ctx context.Context, hostname, port, next string) (net.Conn, probe) {
	if _, err := net.DefaultResolver.LookupHost(ctx, hostname); err != nil {
		return nil, failed("see whether this machine's resolver works", "DNS: %s has no address (%s)", hostname, reason(ctx, err))
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(hostname, port))
	if err != nil {
		return nil, failed(next, "TCP: no connection to port %s (%s)", port, reason(ctx, err))
	}
	return conn, probe{}
}

// tunnel asks a proxy to connect (RFC 9110, section 9.3.6).
func tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, target string) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if u := proxy.User; u != nil {
		secret, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+secret)))
	}
	if err := req.Write(conn); err != nil {
		return errors.New("it hangs up")
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return errors.New("it does not answer like a proxy")
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it refuses to connect to %s (%d)", target, resp.StatusCode)
	}
	return nil
}

func failed(next, format string, args ...any) probe {
	return probe{err: fmt.Errorf(format, args...), next: next}
}

// reason is the innermost part of an error, which names neither address nor
// request again.
func reason(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return fmt.Sprintf("nothing within %s", probeLimit)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}
