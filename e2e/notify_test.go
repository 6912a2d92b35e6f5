//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// teller is the operator's own program: it keeps what it is given, one file of
// messages and one of environments.
const teller = `#!/bin/sh
cat >>/var/log/told.jsonl
env >>/var/log/told.env
`

const tellerPath = "/usr/local/sbin/tell-operator"

// A chat takes messages by a webhook whose address is a secret.
type chat struct {
	mu    sync.Mutex
	hangs bool
	said  []string // "STATE CAUSE"
	all   string
}

// newChat listens beside the world's GitHub.
func newChat(t *testing.T, w *world) (c *chat, address string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(w.address, "8065"))
	if err != nil {
		t.Fatal(err)
	}
	c = &chat{}
	srv := &http.Server{Handler: c}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return c, "http://" + l.Addr().String() + "/hooks/canary-webhook-7f3a"
}

func (c *chat) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	hangs := c.hangs
	c.mu.Unlock()
	if hangs || err != nil {
		<-r.Context().Done()
		return
	}
	var n struct{ State, Cause string }
	_ = json.Unmarshal(body, &n)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, n.State+" "+n.Cause)
	c.all += string(body) + "\n"
}

// takes empties the chat of what was said.
func (c *chat) takes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := c.said
	c.said = nil
	return said
}

func (c *chat) hang(hangs bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hangs = hangs
}

// TestSomebodyIsTold has a host fail, have a deadline, run a job and recover,
// and looks at what its operator hears of that, by each of three ways.
func TestSomebodyIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	room, address := newChat(t, w)
	w.put("/etc/benchctl/webhook", address+"\n", 0o600)
	w.put(tellerPath, teller, 0o755)
	w.spec(plainSpec + "notify: {command: " + tellerPath + ", webhookFile: /etc/benchctl/webhook, issue: true}\n")
	w.benchctl(0, "apply", "--yes")
	repo := standin.Repo(repository)
	if n := len(w.hub.Issues(repo)); n != 0 || len(room.takes()) != 0 {
		t.Errorf("a host in step told somebody; %d issues", n)
	}

	// A governor that cannot be set is a correction that fails. The webhook
	// hangs: that is a sentence, and the others are told.
	w.flip()
	w.look("mount -o remount,bind,ro " + governors)
	room.hang(true)
	r := w.benchctl(1, "apply", "--unattended")
	wantSays(t, r, "cannot tell the webhook at "+w.address+": it took longer than 15s;")
	if strings.Contains(r.Stderr, "canary-webhook") {
		t.Errorf("the webhook's address is printed:\n%s", r.Stderr)
	}
	w.commandTold("firing failed/cpufreq")
	w.issueSays("open", 0, "could not be brought into step: cpufreq")

	// The next pass tells the one that was not reached, and nobody else again.
	room.hang(false)
	w.benchctl(1, "apply", "--unattended")
	w.told(room, "firing failed/cpufreq")
	w.benchctl(1, "apply", "--unattended")
	w.told(room)
	w.commandTold("firing failed/cpufreq")

	// While a job runs, a token that is about to end has to wait.
	w.hub.EndToken(apiToken, time.Now().Add(72*time.Hour))
	job := w.lasts(standin.Job{})
	w.benchctl(2, "pass")
	w.told(room)
	job.ends()
	w.free()
	w.benchctl(2, "pass")
	w.told(room, "firing deadline/credential")
	w.issueSays("open", 1, "the API token that benchctl shows GitHub ends on ")

	// Somebody mends both. It is over, and the issue is closed.
	w.look("mount -o remount,bind,rw " + governors)
	w.hub.EndToken(apiToken, time.Now().Add(1000*time.Hour))
	w.benchctl(0, "apply", "--unattended")
	w.told(room, "resolved deadline/credential", "resolved failed/cpufreq")
	w.issueSays("closed", 2, "is as it should be again")
	w.benchctl(0, "pass")
	w.told(room)

	// Drift that nobody corrects is told after an hour.
	w.flip()
	w.benchctl(2, "pass")
	w.told(room)
	w.sh(`sed -i 's/"since": "20/"since": "19/' /var/lib/benchctl/notices.json`)
	w.benchctl(2, "pass")
	w.told(room, "firing out-of-step")
	w.benchctl(0, "apply", "--yes")
	w.told(room, "resolved out-of-step")

	// No message, and nothing that a program was given, holds a secret.
	said := room.all + w.sh("cat /var/log/told.jsonl /var/log/told.env") + strings.Join(issueTexts(w, repo), "\n")
	leaks(t, "what was told", []byte(said), append(w.hub.Secrets(), apiToken, "canary-webhook"))
	if env := w.sh("grep -c ^BENCHCTL_CAUSE= /var/log/told.env"); strings.TrimSpace(env) != "6" {
		t.Errorf("the program was run %s times, want 6", env)
	}
	leaks(t, "the book of what was told", []byte(w.sh("cat /var/lib/benchctl/notices.json")), []string{apiToken, "canary-webhook"})
}

// free waits until benchctl sees no job any more.
func (w *world) free() {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		r, err := w.host.Run(w.t.Context(), "/usr/local/bin/benchctl", "apply", "--yes", "--offline", "--only=user")
		if err == nil && r.Status == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("for a minute: %v, status %d\n%s%s", err, r.Status, r.Stdout, r.Stderr)
		}
	}
}

func wantSays(t *testing.T, r lab.Result, want string) {
	t.Helper()
	if !strings.Contains(r.Stderr, want) {
		t.Errorf("it should say %q:\n%s", want, r.Stderr)
	}
}

// told wants a chat to have heard these messages since it was last asked.
func (w *world) told(room *chat, want ...string) {
	w.t.Helper()
	if got := room.takes(); !slices.Equal(got, want) {
		w.t.Errorf("the chat heard %q, want %q", got, want)
	}
}

// commandTold wants the operator's program to have been given these messages.
func (w *world) commandTold(want ...string) {
	w.t.Helper()
	var got []string
	for line := range strings.Lines(w.sh("cat /var/log/told.jsonl")) {
		var n struct{ State, Cause string }
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			w.t.Errorf("%v: %s", err, line)
		}
		got = append(got, n.State+" "+n.Cause)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("the program was told %q, want %q", got, want)
	}
}

// issueSays wants exactly one issue, in a state, with so many comments.
func (w *world) issueSays(state string, comments int, text string) {
	w.t.Helper()
	all := w.hub.Issues(standin.Repo(repository))
	if len(all) != 1 || all[0].State != state || len(all[0].Comments) != comments || !strings.Contains(all[0].Body, text) ||
		all[0].Title != "benchctl: bench7 needs attention" {
		w.t.Errorf("want one issue, %s, with %d comments and %q; there are %+v", state, comments, text, all)
	}
}

func issueTexts(w *world, repo standin.Scope) (texts []string) {
	for _, i := range w.hub.Issues(repo) {
		texts = append(append(texts, i.Title, i.Body), i.Comments...)
	}
	return texts
}
