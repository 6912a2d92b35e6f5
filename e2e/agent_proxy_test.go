//go:build e2e

package e2e

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

// proxyPassword is what nobody but root, and the runner, may see.
const proxyPassword = "canary-proxy-password-d41f"

// newProxy is the only way to GitHub, for whoever has the password. It counts
// the connections to GitHub's API.
func newProxy(t *testing.T, w *world) (asked *atomic.Int64, place string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(w.address, "3128"))
	if err != nil {
		t.Fatal(err)
	}
	asked = new(atomic.Int64)
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
		if r.Method != http.MethodConnect || password != proxyPassword {
			http.Error(rw, "no", http.StatusProxyAuthRequired)
			return
		}
		if r.Host == "api.github.com:443" {
			asked.Add(1)
		}
		tunnel(rw, net.JoinHostPort(w.address, "443"))
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return asked, l.Addr().String()
}

func tunnel(rw http.ResponseWriter, to string) {
	far, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	go io.Copy(far, near)
	io.Copy(near, far)
}

// TestAgentBehindAProxy has the proxy of the runner take the agent to GitHub,
// out of a sandbox without a network, and its password into no unit.
func TestAgentBehindAProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t), networked)
	asked, place := newProxy(t, w)
	w.put(tokenFile, apiToken+"\n", 0o600)
	proxy := "  env: {https_proxy: \"http://runner:" + proxyPassword + "@" + place + "\"}\n"
	w.spec(strings.Replace(plainSpec, "governor:", proxy+"governor:", 1) + scheduled)
	// Of an operator's own shell, nothing leads to the proxy.
	w.apply(0)
	if asked.Load() == 0 {
		t.Error("the apply went past the proxy")
	}
	w.agentRested()
	w.reaches(agentStatus, "in step; next pass")
	before := asked.Load()
	w.hub.ForgetRequests()
	w.agentRested()
	if n := len(w.hub.Requests()); asked.Load() == before || n == 0 {
		t.Errorf("the agent made %d connections by the proxy, and GitHub was asked %d times", asked.Load()-before, n)
	}
	units := w.look("systemctl show --all 'benchctl*'; cat /etc/systemd/system/benchctl*")
	if strings.Contains(units, proxyPassword) || !strings.Contains(units, "ExecStart=/usr/local/bin/benchctl relay "+place+" api.github.com:443") {
		t.Errorf("the units are\n%s", units)
	}
}
