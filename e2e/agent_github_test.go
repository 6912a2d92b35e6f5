//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/deadline"
	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// organised is a runner in a group of an organisation, with an agent that tells
// somebody: a pass of it has all the questions there are.
const organised = `version: 1
user: gha-runner
runner:
  url: https://github.com/octo
  version: "` + runnerPin + `"
  group: bench
governor: performance
notify: {command: ` + tellerPath + `}
schedule: {cron: "@every 24h", splay: 0s}
`

const byFile = "github: {tokenFile: /etc/benchctl/token}\n"

// The questions of a pass, with their answers.
const (
	sameRunner = "GET /orgs/octo/actions/runners 304"
	fullRunner = "GET /orgs/octo/actions/runners 200"
)

// TestAgentAndGitHub counts what the agent asks GitHub, while it is well, while
// it wants to be left alone and while it is away. Whatever it is, drift is
// corrected.
func TestAgentAndGitHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t), networked)
	w.hub.AddGroup(standin.Org("octo"), "bench")
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	w.put(tellerPath, teller, 0o755)
	w.spec(organised + byFile)
	w.apply(0)
	w.reaches(agentStatus, "in step")
	for _, part := range []struct {
		name string
		test func(*world)
	}{
		{"asks little", (*world).asksLittle},
		{"with an App", (*world).asksLittleWithAnApp},
		{"a limit is reached", (*world).leavesItAlone},
		{"GitHub is in trouble", (*world).doesNotHammer},
		{"nobody is there", (*world).goesOnWithout},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(w.in(t)) }) {
			return
		}
	}
}

// requests are those of benchctl since the last call, each as METHOD PATH STATUS.
func (w *world) requests() (all []string) {
	for _, r := range w.hub.Requests() {
		if strings.HasPrefix(r.Header.Get("User-Agent"), "benchctl/") || strings.HasSuffix(r.Path, "/access_tokens") {
			all = append(all, fmt.Sprintf("%s %s %d", r.Method, r.Path, r.Status))
		}
	}
	w.hub.ForgetRequests()
	return all
}

// passAsks has a pass made, and wants it to have asked GitHub just that.
func (w *world) passAsks(want ...string) {
	w.t.Helper()
	w.requests()
	w.asked()
	w.reaches("pgrep -f 'benchctl[ ](pass|apply)' || echo over", "over")
	if got := w.requests(); !slices.Equal(got, want) {
		w.t.Errorf("the pass asked %q, want %q", got, want)
	}
}

// later has the rest that GitHub is given be over.
func (w *world) later() {
	w.t.Helper()
	w.look(`sed -i 's/"until":"[^"]*"/"until":"2026-01-01T00:00:00Z"/' ` + github.MemoryFile)
}

func (w *world) asksLittle() {
	w.look("rm -f " + github.MemoryFile + " " + deadline.File)
	w.passAsks(fullRunner, "GET /orgs/octo/actions/runner-groups 200", "GET /orgs/octo/actions/runners/deprecations/"+runnerPin+" 404")
	w.passAsks(sameRunner)
	w.passAsks(sameRunner)
	w.benchctl(0, "diff")
	if got := w.requests(); !slices.Equal(got, []string{sameRunner, "GET /orgs/octo/actions/runner-groups 304"}) {
		w.t.Errorf("diff asked %q", got)
	}
}

// asksLittleWithAnApp, whose tokens live for an hour, so that each pass has one of
// its own, and GitHub's answers are never the same.
func (w *world) asksLittleWithAnApp() {
	app, _ := w.app()
	w.spec(organised + app)
	w.benchctlAs(0, nil, "apply", "--yes")
	w.reaches(agentStatus, "in step")
	w.passAsks("POST /app/installations/9/access_tokens 201", fullRunner)
	w.spec(organised + byFile)
	w.apply(0)
	w.reaches(agentStatus, "in step")
}

// leavesItAlone for as long as GitHub asks for it.
func (w *world) leavesItAlone() {
	for says, limit := range map[string]standin.Fault{
		"the rate limit of 5000 requests an hour is used up; run again after": {Mode: standin.PrimaryLimit, Delay: 40 * time.Minute},
		"GitHub asks for fewer requests (its secondary rate limit)":           {Mode: standin.SecondaryLimit, Delay: 10 * time.Minute},
		"GitHub has had too many requests (429)":                              {Mode: standin.TooManyRequests, Delay: 10 * time.Minute},
	} {
		limit.Path = "/orgs/*/actions/runners"
		limited := w.hub.Fail(limit)
		refused := "GET /orgs/octo/actions/runners 403"
		if limit.Mode == standin.TooManyRequests {
			refused = "GET /orgs/octo/actions/runners 429"
		}
		w.passAsks(refused)
		limited.Remove()
		w.flip()
		w.passAsks()
		w.reaches(governor1, "performance")
		w.passAsks()
		if r := w.benchctl(1, "diff"); !strings.Contains(r.Stdout, says) || len(w.requests()) > 0 {
			w.t.Errorf("diff says\n%s", r.Stdout)
		}
		w.later()
		w.passAsks(sameRunner)
		w.reaches(agentStatus, "in step")
	}
}

// doesNotHammer a GitHub that answers with nothing but trouble.
func (w *world) doesNotHammer() {
	trouble := w.hub.Fail(standin.Fault{Path: "/orgs/*/actions/runners", Mode: standin.Unavailable})
	const refused = "GET /orgs/octo/actions/runners 503"
	w.passAsks(refused, refused, refused)
	for range 3 {
		w.flip()
		w.passAsks()
		w.reaches(governor1, "performance")
		w.reaches(agentStatus, "corrected, but needs somebody: see benchctl diff")
	}
	w.later()
	w.passAsks(refused)
	w.passAsks()
	w.reaches(agentStatus, "needs somebody: see benchctl diff")
	if r := w.benchctl(1, "diff"); !strings.Contains(r.Stdout, "GitHub is in trouble (503: Service unavailable)") {
		w.t.Errorf("diff says\n%s", r.Stdout)
	}
	if got := w.requests(); !slices.Equal(got, []string{refused}) {
		w.t.Errorf("diff asked %q", got)
	}
	trouble.Remove()
	w.apply(0)
	w.requests()
	w.passAsks(sameRunner)
	w.reaches(agentStatus, "in step")
}

// goesOnWithout any GitHub, which the runner has lost, too. It tries again by
// itself, and is not started anew for it.
func (w *world) goesOnWithout() {
	const unit = "actions.runner.octo." + runnerName + ".service"
	pid := w.look("systemctl show -P MainPID " + unit)
	w.hub.Close()
	w.reaches("journalctl -o cat -u "+unit, "Runner connect error")
	for range 2 {
		w.flip()
		w.asked()
		w.reaches(governor1, "performance")
	}
	w.reaches(agentStatus, "corrected, but needs somebody: see benchctl diff")
	r := w.benchctl(1, "diff")
	w.says(r, "*api.github.com refuses connections; *", "*the runner does not get through to GitHub, and goes on trying; it said: *Runner connect error: *; see whether this host reaches GitHub")
	if now := w.look("systemctl show -P MainPID " + unit); now != pid || pid == "0" {
		w.t.Errorf("the runner's service was restarted: process %s is now %s", pid, now)
	}
}
