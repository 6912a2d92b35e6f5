package notify_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const secretPath = "/services/s3cret"

// byWebhook is a desk whose operator listens at an address that is a secret.
func byWebhook(t *testing.T, h http.HandlerFunc) *desk {
	t.Helper()
	d := newDesk(t)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	d.opt.Notify = spec.Notify{WebhookFile: "/etc/benchctl/webhook"}
	d.WriteFile("/etc/benchctl/webhook", srv.URL+secretPath+"\n")
	d.must(d.SetPerm("/etc/benchctl/webhook", host.Perm{Mode: 0o600}))
	return d
}

func TestAWebhook(t *testing.T) {
	t.Parallel()
	var got []map[string]any
	d := byWebhook(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var message map[string]any
		if json.Unmarshal(body, &message) != nil || r.Method != "POST" || r.URL.Path != secretPath || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %q: %s", r.Method, r.URL.Path, r.Header, body)
		}
		got = append(got, message)
	})
	dialled := 0
	d.opt.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled++
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	d.wants(0, report("apply", "cpufreq=failed"))
	d.wants(half, report("apply", "cpufreq=unchanged"))
	if len(got) != 2 || dialled != 2 {
		t.Fatalf("messages: %v, connections: %d", got, dialled)
	}
	for i, want := range []map[string]any{
		{"host": "bench7", "cause": "failed/cpufreq", "state": "firing", "subject": "correction failed", "since": "2026-11-23T12:00:00Z",
			"next": "run `benchctl apply` on the host, which says why",
			"text": "bench7: could not be brought into step: cpufreq. Seen since 2026-11-23 12:00 UTC. Next: run `benchctl apply` on the host, which says why."},
		{"host": "bench7", "cause": "failed/cpufreq", "state": "resolved", "next": "",
			"text": "bench7: over since 2026-11-23 12:30 UTC: could not be brought into step: cpufreq."},
	} {
		for key, value := range want {
			if got[i][key] != value {
				t.Errorf("message %d: %s is %q, want %q", i, key, got[i][key], value)
			}
		}
	}
}

// Whatever a server does is a sentence without its address, and costs no more
// than its time.
func TestAWebhookThatFails(t *testing.T) {
	t.Parallel()
	answer := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, "no such hook: "+r.URL.String())
		}
	}
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		says   string
	}{
		"gone":       {answer(404), "it takes no message from this address (404); make a new webhook there"},
		"overloaded": {answer(429), "it is overloaded or in trouble (429)"},
		"broken":     {answer(503), "it is overloaded or in trouble (503)"},
		"picky":      {answer(400), "it does not take the message (400); check that it takes JSON with a text"},
		"moved": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.2:9/x", http.StatusTemporaryRedirect)
		}, "it answers with a redirect to somewhere else (307)"},
		"login page": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, "it answers with a redirect to somewhere else (302)"},
		"in circles": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, "it answers with a redirect to somewhere else (307)"},
		"cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the connection to it broke"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := byWebhook(t, c.handle)
			_, problems := d.pass(0, report("apply", "cpufreq=failed", "jdk=failed"))
			if c.says == "" {
				if len(problems) > 0 {
					t.Errorf("problems: %v", problems)
				}
				return
			}
			if len(problems) != 1 || !strings.Contains(problems[0].Error(), "cannot tell the webhook at 127.0.0.1: "+c.says) || strings.Contains(problems[0].Error(), "s3cret") {
				t.Errorf("problems: %v\nwant: %s", problems, c.says)
			}
		})
	}
}

// A webhook that moved within its host is followed, with the message.
func TestAWebhookThatMovedWithinItsHost(t *testing.T) {
	t.Parallel()
	var body []byte
	d := byWebhook(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == secretPath {
			http.Redirect(w, r, "/new", http.StatusPermanentRedirect)
			return
		}
		body, _ = io.ReadAll(r.Body)
	})
	d.wants(0, report("apply", "cpufreq=failed"))
	if !strings.Contains(string(body), "failed/cpufreq") {
		t.Errorf("the message became %q", body)
	}
}

// A webhook that hangs costs its limit, and what comes after it is told all the same.
func TestAWebhookThatHangs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes the whole limit")
	}
	var asked atomic.Int32
	end := make(chan struct{})
	d := byWebhook(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-end:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(end) })
	issues := &fakeIssues{}
	d.opt.Issue, d.opt.Issues = true, issues
	_, problems := d.pass(0, report("apply", "cpufreq=failed", "jdk=failed"))
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "cannot tell the webhook at 127.0.0.1: it took longer than 15s; check the network, and https_proxy if there is one; it is tried again with the next pass") {
		t.Errorf("problems: %v", problems)
	}
	if asked.Load() != 1 || issues.issue.Number != 1 {
		t.Errorf("it was asked %d times; the issue: %+v", asked.Load(), issues.issue)
	}
}

func TestTheFileOfAWebhook(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		mode host.Perm
		says string
	}{
		"read by others":  {"https://x.example/s3cret", host.Perm{Mode: 0o644}, "others than root can read it; run `chown root: /etc/benchctl/webhook && chmod 600 /etc/benchctl/webhook`"},
		"somebody else's": {"https://x.example/s3cret", host.Perm{Mode: 0o600, UID: 1000}, "others than root can read it"},
		"no address":      {"s3cret", host.Perm{Mode: 0o600}, "cannot use notify.webhookFile /etc/benchctl/webhook: it is no https address"},
		"two":             {"https://x.example/s3cret\nhttps://y.example/s3cret", host.Perm{Mode: 0o600}, "it is no https address"},
		"empty":           {"", host.Perm{Mode: 0o600}, "it is no https address"},
		"in the clear":    {"http://x.example/s3cret", host.Perm{Mode: 0o600}, "plain http lets anyone on the way read along; write https://"},
		"long":            {strings.Repeat("x", 5000), host.Perm{Mode: 0o600}, "it is no short, plain file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := byWebhook(t, func(http.ResponseWriter, *http.Request) {})
			d.WriteFile("/etc/benchctl/webhook", c.text)
			d.must(d.SetPerm("/etc/benchctl/webhook", c.mode))
			_, problems := d.pass(0, report("apply", "cpufreq=failed"))
			if len(problems) != 1 || !strings.Contains(problems[0].Error(), c.says) || strings.Contains(problems[0].Error(), "s3cret") {
				t.Errorf("problems: %v\nwant: %s", problems, c.says)
			}
		})
	}
	d := byWebhook(t, func(http.ResponseWriter, *http.Request) {})
	d.must(d.Remove("/etc/benchctl/webhook"))
	if _, problems := d.pass(0, report("apply", "cpufreq=failed")); len(problems) != 1 ||
		!strings.Contains(problems[0].Error(), "cannot read notify.webhookFile /etc/benchctl/webhook: no such file or directory; write the address there, as root, with mode 0600") {
		t.Errorf("problems: %v", problems)
	}
}
