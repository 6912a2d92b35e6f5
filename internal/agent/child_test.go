package agent

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

func sh(script string, env ...string) Child {
	return Child{Argv: []string{"/bin/sh", "-c", script}, Env: env, Stderr: &strings.Builder{}}
}

func TestWhatAChildSaw(t *testing.T) {
	t.Parallel()
	const report = `{"schema": "benchctl/report/v1", "Code": 9, "summary": {"pending": 2, "unchanged": 9}}`
	for script, want := range map[string]Seen{
		"echo '" + report + "'; exit 2":   {2, map[reconcile.Status]int{reconcile.Pending: 2, reconcile.Unchanged: 9}},
		`echo '{"summary": {}}'`:          {0, map[reconcile.Status]int{}},
		`echo '{"summary": {}}' ; exit 3`: {3, map[reconcile.Status]int{}},
	} {
		seen, err := sh(script).Look(t.Context())
		if err != nil || seen.Code != want.Code || len(seen.Summary) != len(want.Summary) || seen.Summary[reconcile.Pending] != want.Summary[reconcile.Pending] {
			t.Errorf("%s: %+v, %v, want %+v", script, seen, err, want)
		}
	}
}

// A panic of Go ends with 2, as does a report with differences.
func TestAChildWithoutAReport(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"a panic":        "echo 'panic: a bug' >&2; exit 2",
		"half a report":  `printf '{"summary": {"pen'; exit 2`,
		"no summary":     `echo '{}'; exit 2`,
		"killed":         `echo '{"summary": {}}'; kill -9 $$`,
		"an odd status":  `echo '{"summary": {}}'; exit 77`,
		"endless output": "yes | head -c 30000000; exit 2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen, err := sh(script, "PATH=/usr/bin:/bin").Look(t.Context())
			if err == nil || !strings.Contains(err.Error(), "ended without a report (") {
				t.Errorf("saw %+v, %v", seen, err)
			}
		})
	}
	if _, err := (Child{Argv: []string{"/nowhere/benchctl"}}).Look(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot look at the host") {
		t.Errorf("without a binary: %v", err)
	}
}

func TestAChildThatHangs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := sh("exec sleep 1000", "PATH=/usr/bin:/bin").Look(ctx); err == nil || !strings.Contains(err.Error(), "did not end in time") {
		t.Errorf("the error is %v", err)
	}
}

// A pass knows what it needs, and nothing that came with the agent by accident.
func TestChildEnv(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"GITHUB_TOKEN": "canary", "GH_RUNNER_TOKEN": "canary", "NOTIFY_SOCKET": "/run/systemd/notify", "WATCHDOG_USEC": "1", "LD_PRELOAD": "/x.so",
		"CREDENTIALS_DIRECTORY": "/run/credentials/benchctl.service", "JOURNAL_STREAM": "8:1", "https_proxy": "http://proxy:1", "PATH": "/tmp", "NO_PROXY": "",
	}
	out := &strings.Builder{}
	cmd := exec.Command("/usr/bin/env")
	cmd.Env, cmd.Stdout = ChildEnv(func(name string) string { return env[name] }), out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	const want = `PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LANG=C.UTF-8
CREDENTIALS_DIRECTORY=/run/credentials/benchctl.service
JOURNAL_STREAM=8:1
https_proxy=http://proxy:1
`
	if out.String() != want {
		t.Errorf("a pass has\n%s", out)
	}
}

func TestSucceeds(t *testing.T) {
	t.Parallel()
	if err := sh("exit 0").Succeeds(t.Context()); err != nil {
		t.Error(err)
	}
	if err := sh("exit 1").Succeeds(t.Context()); err == nil {
		t.Error("what failed succeeds")
	}
}
