//go:build e2e

package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// anyVerb are the verbs that somebody types, those that undo things last.
var anyVerb = [][]string{
	{"validate"}, {"doctor"}, {"doctor", "--offline"}, {"diff"}, {"diff", "--offline"}, {"status"}, {"status", "--offline"},
	{"import"}, {"dispatch", "engine.yml"}, {"rotate"}, {"agent"}, {"gate", "--job=started"}, {"gate", "--job=completed"},
	{"ready"}, {"pass"}, {"pause", "a look"}, {"resume"}, {"version"}, {"revert"},
}

// TestEveryVerbOnOddHosts has each verb answer on hosts that are not as it would
// like them: by an exit code that means something, and where that is an error by
// a sentence. A verb that changes nothing leaves a host as it is, so they share one.
func TestEveryVerbOnOddHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.answers("never set up", nil)
	w.answers("never set up, without a spec", []string{"-f", "/root/lost.yaml"})
	w.benchctl(0, "apply", "--yes", "--only=user,packages,tarball")
	w.answers("half set up", nil)
	for _, path := range []string{"/repos/*/*", "/repos/*/*/*", "/repos/*/*/*/*", "/repos/*/*/*/*/*"} {
		w.hub.Fail(standin.Fault{Path: path, Mode: standin.Forbidden})
	}
	w.answers("half set up, with a token that may nothing", nil)
	w.look("sed -i '/github/d' /etc/hosts")
	w.answers("half set up, without a network", nil)
	w.answers("half set up, removed", nil, []string{"remove", "--yes"})
	w.answers("removed twice", nil, []string{"remove", "--purge", "--yes"})
}

// sentence is what an error has to be: what could not be done, and why.
var sentence = regexp.MustCompile(`(?m)^(benchctl: |  |\S+\.yaml:|cannot ).*\S`)

// trace is what nobody should have to read.
var trace = regexp.MustCompile(`panic:|goroutine \d|runtime error|%!|<nil>|0xc000|no such file or directory(;|$)`)

// answers has each verb, or only those given, answer in a state of the host.
func (w *world) answers(state string, flags []string, verbs ...[]string) {
	w.t.Helper()
	if verbs == nil {
		verbs = anyVerb
	}
	for _, verb := range verbs {
		args := slices.Concat(verb, flags)
		r, err := w.host.Do(w.t.Context(), lab.Command{
			Argv: append([]string{"/usr/local/bin/benchctl"}, args...),
			Env:  []string{"GITHUB_TOKEN=" + apiToken, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "BENCHCTL_PATIENCE=1s"},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		said := r.Stdout + r.Stderr
		last := strings.Split(strings.TrimSpace(said), "\n")
		w.t.Logf("%s: %s: %d: %s", state, strings.Join(args, " "), r.Status, last[len(last)-1])
		if r.Status < 0 || r.Status > 3 || strings.TrimSpace(said) == "" && r.Status != 0 {
			w.t.Errorf("%s: %q ended with %d\n%s", state, args, r.Status, said)
		}
		if found := trace.FindString(said); found != "" {
			w.t.Errorf("%s: %q says %q in\n%s", state, args, found, said)
		}
		if r.Status == 1 && !sentence.MatchString(said) {
			w.t.Errorf("%s: %q fails without a sentence:\n%s", state, args, said)
		}
	}
}
