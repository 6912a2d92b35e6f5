package resources

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/spec"
)

func TestUnitText(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*spec.Spec){
		"plain": func(*spec.Spec) {},
		"every-need": func(s *spec.Spec) {
			s.Service.Needs = []string{spec.NeedPerf, spec.NeedPtrace, spec.NeedSetarch, spec.NeedRealtime}
		},
		"containers": func(s *spec.Spec) { s.Service.Needs = []string{spec.NeedContainers} },
		"among-people": func(s *spec.Spec) {
			s.User = spec.User{Name: "ana", Home: "/home/ana", Existing: true}
			s.Runner.WorkDir = "/srv/100%/work"
			s.Runner.AutoUpdate = true
			s.Service.CPUs = "2-5,8"
			s.Service.Directives = map[string]string{"MemoryMax": "8G", "CapabilityBoundingSet": "CAP_SYS_NICE"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := laneSpec()
			change(s)
			unit, text, err := RunnerUnit(newLaneHost(t), s, "/usr/local/bin/benchctl")
			if err != nil {
				t.Fatal(err)
			}
			if unit != laneUnit {
				t.Errorf("the unit is %s", unit)
			}
			golden(t, "unit-"+name+".service", text)
		})
	}
}

// TestUnitIsKnownToSystemd has this machine's systemd read the unit. A path
// that is not there is no fault of the unit.
func TestUnitIsKnownToSystemd(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed; the lab loads the unit in four releases")
	}
	dir := t.TempDir()
	for _, name := range []string{"plain", "every-need", "containers"} {
		text, err := os.ReadFile("testdata/unit-" + name + ".service")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".service")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		said, _ := exec.Command(analyze, "verify", path).CombinedOutput()
		for line := range strings.Lines(string(said)) {
			if strings.Contains(line, name+".service:") && !strings.Contains(line, "is not executable") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

func TestNeedsLoosenOnlyWhatTheyMust(t *testing.T) {
	t.Parallel()
	plainLines := sandboxOf()
	for need, want := range map[string]struct{ without, with []string }{
		spec.NeedTaskset:  {},
		spec.NeedPerf:     {with: []string{"SystemCallFilter=perf_event_open"}},
		spec.NeedPtrace:   {with: []string{"SystemCallFilter=ptrace pidfd_getfd"}},
		spec.NeedSetarch:  {without: []string{"LockPersonality=yes"}},
		spec.NeedRealtime: {without: []string{"RestrictRealtime=yes"}, with: []string{"LimitRTPRIO=99"}},
	} {
		lines := sandboxOf(need)
		if got := linesBeyond(plainLines, lines); !slices.Equal(got, want.without) {
			t.Errorf("needs %s takes away %v, want %v", need, got, want.without)
		}
		if got := linesBeyond(lines, plainLines); !slices.Equal(got, want.with) {
			t.Errorf("needs %s adds %v, want %v", need, got, want.with)
		}
	}
}

func sandboxOf(needs ...string) []string {
	s := laneSpec()
	s.Service.Needs = needs
	return newLaunch(s).sandboxLines("/var/log/benchctl/x")
}

// linesBeyond is what of a is not in b.
func linesBeyond(a, b []string) []string {
	var out []string
	for _, line := range a {
		if !slices.Contains(b, line) {
			out = append(out, line)
		}
	}
	return out
}

func TestEverySandboxRowSaysWhy(t *testing.T) {
	t.Parallel()
	for _, d := range sandbox {
		if d.why == "" {
			t.Errorf("%s=%s has no reason", d.name, d.value)
		}
	}
}

func TestRevisionCoversTheLaunch(t *testing.T) {
	t.Parallel()
	m := newLaneHost(t)
	revision := func(change func(*spec.Spec)) string {
		s := laneSpec()
		change(s)
		r, err := newLaunch(s).revision(m)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	same := func(*spec.Spec) {}
	first := revision(same)
	if again := revision(same); again != first {
		t.Errorf("the revision is %s, then %s", first, again)
	}
	for name, change := range map[string]func(*spec.Spec){
		"the environment": func(s *spec.Spec) { s.Runner.Env = map[string]string{"A": "1"} },
		"the hooks":       func(s *spec.Spec) { s.Gate.Policy = "fail" },
		"the unit":        func(s *spec.Spec) { s.Service.Needs = []string{spec.NeedPerf} },
		"the JDK":         func(s *spec.Spec) { s.JDK = nil },
	} {
		if revision(change) == first {
			t.Errorf("%s changed and the revision did not", name)
		}
	}
	if err := os.Remove(m.Path(laneDir + "/bin")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("bin.2.337.0", m.Path(laneDir+"/bin")); err != nil {
		t.Fatal(err)
	}
	if revision(same) == first {
		t.Error("the runner's version changed and the revision did not")
	}
}
