package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start runs a relay to some places, and returns the environment that leads
// there and what Serve came to.
func start(t *testing.T, idle time.Duration, places ...string) (getenv func(string) string, ended <-chan error) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "relay")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), l, idle, places) }()
	t.Cleanup(func() { l.Close() })
	return func(name string) string { return map[string]string{SocketEnv: socket}[name] }, done
}

func TestTLSGoesThroughTheRelay(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 1<<20)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, big+string(body))
	}))
	defer server.Close()
	env, _ := start(t, time.Minute, Place(server.URL))
	transport := server.Client().Transport.(*http.Transport)
	transport.DialContext = Dialer(env)
	for range 3 {
		resp, err := server.Client().Post(server.URL, "text/plain", strings.NewReader(big))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		transport.CloseIdleConnections() // the next one is another connection
		if err != nil || string(body) != big+big {
			t.Fatalf("%d bytes came, %v", len(body), err)
		}
	}
}

func TestFailuresAreThoseOfTheNetwork(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	env, _ := start(t, time.Minute, gone.Addr().String(), "nobody.invalid:443")
	dial := Dialer(env)
	if _, err := dial(t.Context(), "tcp", gone.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	var lookup *net.DNSError
	if _, err := dial(t.Context(), "tcp", "nobody.invalid:443"); !errors.As(err, &lookup) || lookup.Name != "nobody.invalid" {
		t.Errorf("nobody has the name: %v", err)
	}
	if _, err := dial(t.Context(), "tcp", "127.0.0.1:22"); err == nil || !strings.Contains(err.Error(), `no business with "127.0.0.1:22"`) {
		t.Errorf("a place of others: %v", err)
	}
}

func TestUnderstandGivesEachKindItsError(t *testing.T) {
	t.Parallel()
	var lookup *net.DNSError
	var wait net.Error
	for line, is := range map[string]func(error) bool{
		"ok":                 func(err error) bool { return err == nil },
		"no name x":          func(err error) bool { return errors.As(err, &lookup) && lookup.IsNotFound },
		"no lookup try more": func(err error) bool { return errors.As(err, &lookup) && !lookup.IsNotFound },
		"no refused x":       func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) },
		"no timeout x":       func(err error) bool { return errors.As(err, &wait) && wait.Timeout() },
		"no other no route":  func(err error) bool { return strings.Contains(err.Error(), "no route") },
	} {
		if err := understand(line, "tcp", "github.example:443"); !is(err) {
			t.Errorf("%q becomes %v", line, err)
		}
	}
	for kind, err := range map[string]error{
		noName:  &net.OpError{Err: &net.DNSError{IsNotFound: true}},
		noReply: &net.OpError{Err: &net.DNSError{IsTimeout: true}},
		refused: &net.OpError{Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		slow:    &net.OpError{Err: os.ErrDeadlineExceeded},
		other:   errors.New("no route to host"),
	} {
		if got := kindOf(err); got != kind {
			t.Errorf("%v is %s, want %s", err, got, kind)
		}
	}
}

func TestNoRelayIsASentence(t *testing.T) {
	t.Parallel()
	if Dialer(func(string) string { return "" }) != nil {
		t.Error("without a relay the network is not one's own")
	}
	dial := Dialer(func(string) string { return filepath.Join(t.TempDir(), "none") })
	if _, err := dial(t.Context(), "tcp", "a:1"); err == nil || !strings.Contains(err.Error(), "systemctl status benchctl-relay.socket") {
		t.Errorf("got %v", err)
	}
}

// A relay that never answers holds nobody for longer than he wants to wait.
func TestAskEndsWithItsContext(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	defer there.Close()
	go io.Copy(io.Discard, there)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ask(ctx, here, "tcp", "a:1"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestServeEndsWhenNobodyComes(t *testing.T) {
	t.Parallel()
	_, ended := start(t, time.Millisecond)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A connection that is open keeps the relay up, however long nothing is said.
// The socket is opened anew only once its service is gone, so that a stop must not
// take as long as the relay waits for company.
func TestServeEndsAtOnceWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "relay"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, time.Hour, nil) }()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestServeStaysForAnOpenConnection(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	env, ended := start(t, time.Millisecond, server.Addr().String())
	conn, err := Dialer(env)(t.Context(), "tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(far, "late")
	far.Close()
	if text, err := io.ReadAll(conn); err != nil || string(text) != "late" {
		t.Errorf("%q, %v", text, err)
	}
	select {
	case err := <-ended:
		t.Errorf("the relay ended with a connection open: %v", err)
	default:
	}
	conn.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://api.github.com/": "api.github.com:443", "http://127.0.0.1:8080/api/v3/": "127.0.0.1:8080",
		"https://[::1]/x": "[::1]:443", "": "", "nonsense": "", "ftp://x/": "", "socks5://p": "p:1080",
	} {
		if got := Place(text); got != want {
			t.Errorf("the place of %q is %q, want %q", text, got, want)
		}
	}
	env := map[string]string{"https_proxy": "http://me:secret@proxy.example:3128", "HTTP_PROXY": "other.example:8080", "no_proxy": "x"}
	got := strings.Join(Proxies(func(name string) string { return env[name] }), " ")
	if got != "proxy.example:3128 other.example:8080" {
		t.Errorf("the proxies are at %q", got)
	}
}
