package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const agentFile = unitDir + "/" + agentUnit

// agentSpec is a spec with everything that the agent's units take from it.
func agentSpec() *spec.Spec {
	s := laneSpec()
	s.File, s.Text = specFile, []byte("version: 1\n")
	s.Runner.URL.API = "https://api.github.com/"
	s.Schedule = &spec.Schedule{Cron: "*/30 * * * *", Splay: 3 * time.Minute, MaxDefer: 6 * time.Hour}
	s.Metrics = spec.DefaultMetrics
	return s
}

func agentOf(s *spec.Spec) agent {
	return agent{spec: s, binary: installedBinary, patience: 100 * time.Millisecond}
}

// newAgentHost is a host with its agent in step.
func newAgentHost(t *testing.T, change func(*spec.Spec)) (*hosttest.Machine, agent) {
	t.Helper()
	needRootForOwners(t)
	m := newLaneHost(t)
	m.WriteFile(specFile, "version: 1\n")
	m.WriteFile(installedBinary, "benchctl")
	m.WriteFile("/etc/benchctl/token", "a token")
	laneSystemd(m)
	a := agentOf(agentSpec())
	change(a.spec)
	settle(t, m, a)
	return m, a
}

func asItIs(*spec.Spec) {}

func TestAgentUnitTexts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*spec.Spec){
		"plain": asItIs,
		"everything": func(s *spec.Spec) {
			s.GitHub = spec.GitHub{TokenFile: "/etc/benchctl/100%", App: &spec.App{KeyFile: "/etc/benchctl/app.pem"}}
			s.Metrics = "/var/lib/prometheus/node-exporter/benchctl.prom"
			s.Notify = &spec.Notify{Webhook: "https://hooks.example/x", WebhookFile: "/etc/benchctl/webhook"}
			s.Runner.Env = map[string]string{"https_proxy": "http://me:canary@proxy.example:3128"}
			s.Runner.URL.API = "https://ghes.example:8443/api/v3/"
		},
	} {
		m := newLaneHost(t)
		m.WriteFile("/etc/benchctl/webhook", "https://secret.example/canary\n")
		a := agentOf(agentSpec())
		change(a.spec)
		var all strings.Builder
		for _, unit := range agentUnits {
			text, err := a.unit(m, unit, "0123456789abcdef")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&all, "-- %s --\n%s", unit, text)
		}
		if strings.Contains(all.String(), "canary") {
			t.Errorf("%s: a unit tells a secret", name)
		}
		golden(t, "agent-"+name+".txtar", all.String())
	}
}

func TestAgentUnitsAreKnownToSystemd(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed; the lab loads the units in four releases")
	}
	m, _ := newAgentHost(t, asItIs)
	dir := t.TempDir()
	var paths []string
	for _, name := range agentUnits {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(m.Text(unitDir+"/"+name)), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	said, _ := exec.Command(analyze, append([]string{"verify"}, paths...)...).CombinedOutput()
	for line := range strings.Lines(string(said)) {
		if strings.Contains(line, "benchctl") && !strings.Contains(line, "is not executable") {
			t.Error(line)
		}
	}
}

// What systemd is told to hand over is what internal/github looks for.
func TestAgentCredentialsHaveTheNamesThatAreLookedFor(t *testing.T) {
	t.Parallel()
	a := agentOf(agentSpec())
	a.spec.GitHub = spec.GitHub{TokenFile: "/a", App: &spec.App{KeyFile: "/b"}}
	want := []string{github.CredentialToken + ":/a", github.CredentialAppKey + ":/b"}
	if got := a.credentialLines(); !slices.Equal(got, want) {
		t.Errorf("the credentials are %q, want %q", got, want)
	}
}

func TestAgentFromNothing(t *testing.T) {
	t.Parallel()
	m, _ := newAgentHost(t, asItIs)
	for unit, want := range map[string]string{agentUnit: "enabled active", applyUnit: "disabled inactive", relaySocket: "disabled active", relayUnit: "disabled inactive"} {
		if u := m.Units[unit]; u.UnitFileState+" "+u.ActiveState != want {
			t.Errorf("%s is %s and %s, want %s", unit, u.UnitFileState, u.ActiveState, want)
		}
	}
}

// TestAgentDrift breaks one thing at a time: diff names it, apply mends it, and
// never stops or restarts the agent for it.
func TestAgentDrift(t *testing.T) {
	t.Parallel()
	change := func(m *hosttest.Machine, unit string, f func(*host.Unit)) {
		u := m.Units[unit]
		f(&u)
		m.Units[unit] = u
	}
	for name, c := range map[string]struct {
		breaks            func(*hosttest.Machine)
		field, have, want string
		starts            bool // apply starts the agent; else it asks for a reload
		anew              bool // the revision changes, so that the agent gives way
	}{
		"a directive edited": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile(agentFile, strings.Replace(m.Text(agentFile), "ProtectSystem=strict", "ProtectSystem=no", 1))
			},
			field: agentUnit + " [Service] ProtectSystem", have: "no", want: "strict", anew: true},
		"what systemd ignores edited": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile(agentFile, strings.Replace(m.Text(agentFile), "Splay=3m0s", "Splay=0s", 1))
			},
			field: agentUnit + " [X-Benchctl] Splay", have: "0s", want: "3m0s"},
		"the other unit edited": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile(unitDir+"/"+applyUnit, strings.Replace(m.Text(unitDir+"/"+applyUnit), "--unattended", "", 1))
			},
			field: applyUnit + " [Service] ExecStart", have: installedBinary + " apply  -f " + specFile, want: installedBinary + " apply --unattended -f " + specFile},
		"a unit gone": {
			breaks: func(m *hosttest.Machine) { os.Remove(m.Path(unitDir + "/" + relayUnit)) },
			field:  unitDir + "/" + relayUnit, have: "absent", want: "present"},
		"a drop-in": {
			breaks: func(m *hosttest.Machine) { m.WriteFile(agentFile+".d/x.conf", "[Service]\nUser=x\n") },
			field:  agentUnit + " drop-in", have: agentFile + ".d/x.conf", want: "moved to /var/lib/benchctl/moved" + agentFile + ".d/x.conf", anew: true},
		"disabled": {
			breaks: func(m *hosttest.Machine) {
				change(m, agentUnit, func(u *host.Unit) { u.UnitFileState = "disabled" })
			},
			field: agentUnit + " enabled", have: "disabled", want: "enabled"},
		"masked": {
			breaks: func(m *hosttest.Machine) {
				change(m, agentUnit, func(u *host.Unit) { u.LoadState = "masked" })
			},
			field: agentUnit + " mask", have: "masked", want: "not masked", anew: true},
		"not reloaded": {
			breaks: func(m *hosttest.Machine) {
				change(m, applyUnit, func(u *host.Unit) { u.NeedReload = true })
			},
			field: applyUnit + " daemon-reload", have: "needed", want: "done"},
		"stopped": {
			breaks: func(m *hosttest.Machine) {
				change(m, agentUnit, func(u *host.Unit) { u.ActiveState, u.SubState = "failed", "failed" })
				m.Journals[m.Units[agentUnit].InvocationID] = []string{"cannot read \x1b the spec"}
			},
			field: agentUnit + " state", have: `failed (failed), last said: cannot read \x1b the spec`, want: "running", starts: true},
		"the relay's socket closed": {
			breaks: func(m *hosttest.Machine) {
				change(m, relaySocket, func(u *host.Unit) { u.ActiveState = "inactive" })
			},
			field: relaySocket + " state", have: "inactive", want: "listening"},
		"the relay's socket removed": {
			breaks: func(m *hosttest.Machine) { _ = os.Remove(m.Path(relayPath)) },
			field:  relaySocket + " state", have: "listening at a file that was removed", want: "listening"},
		"an older revision runs": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile(fmt.Sprintf("/proc/%d/environ", agentPID), agentRevision+"=old\x00")
			},
			field: agentUnit + " running revision", have: "old"},
		"an older program runs": {
			breaks: func(m *hosttest.Machine) {
				link(m, installedBinary+" (deleted)", fmt.Sprintf("/proc/%d/exe", agentPID))
			},
			field: agentUnit + " running program", have: "an earlier build", want: "the one on disk"},
		"the spec is another's": {
			breaks: func(m *hosttest.Machine) {
				if err := os.Chown(m.Path(specFile), 1000, 1000); err != nil {
					t.Error(err)
				}
			},
			field: specFile + " owner and mode", have: "1000:1000 0644", want: "0:0 0644"},
		"everybody writes the spec": {
			breaks: func(m *hosttest.Machine) {
				if err := os.Chmod(m.Path(specFile), 0o666); err != nil {
					t.Error(err)
				}
			},
			field: specFile + " owner and mode", have: "0:0 0666", want: "0:0 0644"},
		"the spec is a link": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile("/home/ana/runner.yaml", m.Text(specFile))
				link(m, "../../home/ana/runner.yaml", specFile)
			},
			field: specFile, have: "a link", want: "a plain file with the same text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, a := newAgentHost(t, asItIs)
			before, _ := a.revision(m)
			c.breaks(m)
			changes := diffOf(t, m, a)
			if len(changes) != 1 || changes[0].Field != c.field || len(changes[0].Effects) > 0 {
				t.Fatalf("changes %+v, want only %s", changes, c.field)
			}
			if changes[0].Have != c.have || c.want != "" && changes[0].Want != c.want {
				t.Errorf("%s: have %q want %q\nexpected have %q want %q", c.field, changes[0].Have, changes[0].Want, c.have, c.want)
			}
			m.Writes = nil
			settle(t, m, a)
			for op, want := range map[string]bool{"start " + agentUnit: c.starts, "reload " + agentUnit: !c.starts, "stop " + agentUnit: false} {
				if slices.Contains(m.Writes, op) != want {
					t.Errorf("apply did %q; %q should be %v", m.Writes, op, want)
				}
			}
			if after, _ := a.revision(m); (after != before) != c.anew {
				t.Errorf("the revision went from %s to %s", before, after)
			}
		})
	}
}

// Everything that an agent is started with is in its revision, and what it reads
// anew is not.
func TestAgentRevision(t *testing.T) {
	t.Parallel()
	m, a := newAgentHost(t, func(s *spec.Spec) { s.GitHub.TokenFile = "/etc/benchctl/token" })
	revision := func() string {
		r, err := a.revision(m)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := revision()
	a.spec.Schedule = &spec.Schedule{Cron: "@hourly"}
	a.spec.Notify = &spec.Notify{Webhook: "https://hooks.example/"}
	if revision() != first {
		t.Error("the schedule is in the revision")
	}
	a.spec.Metrics = "/srv/metrics/benchctl.prom"
	second := revision()
	if second == first {
		t.Error("where metrics go is not in the revision")
	}
	m.WriteFile("/etc/benchctl/token", "another token")
	if revision() == second {
		t.Error("a new secret does not reach the agent")
	}
	if err := os.Remove(m.Path("/etc/benchctl/token")); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Diff(t.Context(), m); err == nil || !strings.Contains(err.Error(), "there is no file /etc/benchctl/token; write the secret there") {
		t.Errorf("without the token: %v", err)
	}
}

// What runs is the agent's own affair: its pass and its apply look at the files.
func TestAgentDoesNotLookAtItself(t *testing.T) {
	t.Parallel()
	m, a := newAgentHost(t, asItIs)
	a.unattended = true
	u := m.Units[agentUnit]
	u.ActiveState = "deactivating"
	m.Units[agentUnit] = u
	m.WriteFile(fmt.Sprintf("/proc/%d/environ", agentPID), agentRevision+"=old\x00")
	if changes := diffOf(t, m, a); changes != nil {
		t.Errorf("it finds %+v", changes)
	}
	m.WriteFile(agentFile, "[Service]\n")
	m.Writes = nil
	settle(t, m, a)
	if slices.Contains(m.Writes, "start "+agentUnit) {
		t.Errorf("an agent that ends was started: %q", m.Writes)
	}
}

// An agent in the middle of a pass does not give way at once; the apply says so
// when it has waited long enough.
func TestAgentThatDoesNotGiveWay(t *testing.T) {
	t.Parallel()
	m, a := newAgentHost(t, asItIs)
	m.OnReload = nil
	a.spec.Metrics = "/srv/metrics/benchctl.prom"
	err := a.Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "gives way when the pass that it makes is over") || !strings.Contains(err.Error(), "running revision is ") {
		t.Errorf("the error is %v", err)
	}
	m.OnReload = func(string) error { return errors.New("the job was canceled") }
	if err := a.Apply(t.Context(), m); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	m.OnReload = func(string) error { cancel(); return nil }
	if err := a.Apply(ctx, m); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestAgentThatDoesNotStart(t *testing.T) {
	t.Parallel()
	m, a := newAgentHost(t, asItIs)
	u := m.Units[agentUnit]
	u.ActiveState = "inactive"
	m.Units[agentUnit] = u
	m.Unread = map[string][]string{u.InvocationID: {"runner.yaml:1:1: version: is missing"}}
	m.OnStart = func(unit string) error {
		if unit == agentUnit {
			return errors.New(`the job of systemd ended as "failed"`)
		}
		return nil
	}
	err := a.Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "cannot start the agent") || !strings.Contains(err.Error(), "it said: runner.yaml:1:1: version: is missing; see journalctl -u benchctl.service") {
		t.Errorf("the error is %v", err)
	}
}

// A spec from elsewhere is copied to where the agent reads it; what the operator
// had there is kept, and what benchctl copied is not.
func TestSpecFromElsewhere(t *testing.T) {
	t.Parallel()
	m, a := newAgentHost(t, asItIs)
	kept := func(n string) string { return m.Text(asideDir + specFile + n) }
	a.spec.File = "/root/mine.yaml"
	for i, text := range []string{"version: 1\nuser: a\n", "version: 1\nuser: b\n"} {
		a.spec.Text = []byte(text)
		changes := diffOf(t, m, a)
		if len(changes) != 1 || changes[0].Field != specFile {
			t.Fatalf("changes %+v", changes)
		}
		settle(t, m, a)
		if m.Text(specFile) != text || kept("") != "version: 1\n" || kept(".1") != "" {
			t.Errorf("copy %d is %q; kept are %q and %q", i, m.Text(specFile), kept(""), kept(".1"))
		}
	}
	m.WriteFile(specFile, "edited where it lies\n")
	settle(t, m, a)
	if kept(".1") != "edited where it lies\n" {
		t.Errorf("an edit was lost: %q", kept(".1"))
	}
	a.unattended, a.spec.Text = true, []byte("the last good one")
	if changes := diffOf(t, m, a); changes != nil {
		t.Errorf("a pass with the last good spec wants %+v", changes)
	}
	if err := os.Chown(m.Path("/etc/benchctl"), 1000, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Diff(t.Context(), m); err == nil || !strings.Contains(err.Error(), "give it to root") {
		t.Errorf("whoever owns the directory owns the host: %v", err)
	}
}

// Without a schedule nothing of the agent is left, and nothing else is touched.
func TestNoAgentLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"the operator's spec": specFile, "a copied spec": "/root/mine.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needRootForOwners(t)
			m := newLaneHost(t)
			m.WriteFile(installedBinary, "benchctl")
			laneSystemd(m)
			m.WriteFile(file, "version: 1\n")
			if err := (noAgent{}).Apply(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			before := m.Tree()
			a := agentOf(agentSpec())
			a.spec.File = file
			settle(t, m, a)
			link(m, agentFile, unitDir+"/multi-user.target.wants/"+agentUnit)
			settle(t, m, noAgent{})
			for _, dir := range []string{"/var/lib/benchctl", "/etc/systemd", "/proc/4800", "/run"} {
				if err := os.RemoveAll(m.Path(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
			if differ := hosttest.SameTree(before, m.Tree()); differ != nil {
				t.Errorf("left behind or lost: %q", differ)
			}
			if u := m.Units[agentUnit]; u.ActiveState != "inactive" || u.LoadState != "not-found" {
				t.Errorf("the agent is %s and %s", u.LoadState, u.ActiveState)
			}
		})
	}
}

// A unit of that name which a package brought is none of benchctl's business,
// and what runs without its file is.
func TestNoAgentKnowsItsOwn(t *testing.T) {
	t.Parallel()
	m := newLaneHost(t)
	m.Units[agentUnit] = host.Unit{LoadState: "loaded", ActiveState: "active", FragmentPath: "/usr/lib/systemd/system/" + agentUnit}
	if changes := diffOf(t, m, noAgent{}); changes != nil {
		t.Errorf("it wants %+v", changes)
	}
	m.Units[agentUnit] = host.Unit{LoadState: "not-found", ActiveState: "active"}
	wantOnly(t, diffOf(t, m, noAgent{}), agentUnit, "active", "removed")
	settle(t, m, noAgent{})
}

// The apply that the agent started is not ended by removing the agent.
func TestNoAgentDoesNotEndItself(t *testing.T) {
	t.Parallel()
	m, _ := newAgentHost(t, asItIs)
	u := m.Units[applyUnit]
	u.ActiveState = "activating"
	m.Units[applyUnit] = u
	settle(t, m, noAgent{})
	if slices.Contains(m.Writes, "stop "+applyUnit) || m.Units[applyUnit].ActiveState != "activating" {
		t.Errorf("the apply was ended: %q", m.Writes)
	}
}
