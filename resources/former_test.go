package resources

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const (
	homeDir  = "/home/ana/actions-runner"
	homeUnit = "actions.runner.octo-bench.box.service"
	bom      = "\xEF\xBB\xBF"
)

// inHome is a host as GitHub's scripts leave one: the runner in its operator's
// home, under the operator's account.
const inHome = `
-- etc/passwd --
ana:x:1000:1000::/home/ana:/bin/bash
gha-runner:x:900:900::/var/lib/gha-runner:/usr/sbin/nologin
-- etc/group --
ana:x:1000:
gha-runner:x:900:
-- etc/systemd/system/actions.runner.octo-bench.box.service --
[Service]
ExecStart=/home/ana/actions-runner/runsvc.sh
User=ana
WorkingDirectory=/home/ana/actions-runner
-- home/ana/actions-runner/.credentials --
{"scheme":"OAuth"}
-- home/ana/actions-runner/.credentials_rsaparams --
{"d":"canary-of-a-key"}
-- home/ana/actions-runner/_work/bench/file --
a job's
-- var/lib/gha-runner/actions-runner/ --
`

// A move is such a host, and a spec that wants its runner elsewhere.
type move struct {
	*hosttest.Machine
	*Config
	spec *spec.Spec
	gh   *fakeGitHub
}

func newMove(t *testing.T) *move {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("whose a file is takes root")
	}
	s, err := spec.Load("runner.yaml", []byte(`version: 1
user: gha-runner
runner: {url: https://github.com/octo/bench, version: "2.336.0", name: box, labels: [skainet]}
`))
	if err != nil && s == nil {
		t.Fatal(err)
	}
	m := &move{Machine: hosttest.New(t, inHome), spec: s}
	m.WriteFile(homeDir+"/.runner", bom+`{"agentId":7,"agentName":"box","gitHubUrl":"https://github.com/octo/bench","disableUpdate":true}`)
	for _, p := range []string{"/home/ana", homeDir, homeDir + "/.runner", homeDir + "/.credentials", homeDir + "/.credentials_rsaparams"} {
		if err := os.Chown(m.Path(p), 1000, 1000); err != nil {
			t.Fatal(err)
		}
	}
	m.gh = &fakeGitHub{runners: []actions.Runner{{ID: 7, Name: "box", Status: "online", Labels: defaults("skainet")}}}
	m.wire()
	return m
}

// wire makes the resource anew, as each run of benchctl does.
func (m *move) wire() {
	m.Config = NewConfig(m.Machine, m.spec, func(string) string { return "" })
	m.Config.GitHub, m.Config.Applying = m.gh, true
}

// moved wants the registration in the new place, and nowhere else.
func (m *move) moved(t *testing.T, when string) {
	t.Helper()
	if changes := diffOf(t, m.Machine, m.Config); changes != nil {
		t.Errorf("%s: still differs: %s", when, lines(changes))
	}
	for name, want := range map[string]string{".credentials": `{"scheme":"OAuth"}` + "\n", ".credentials_rsaparams": `{"d":"canary-of-a-key"}` + "\n"} {
		if got := m.Text(configDir + "/" + name); got != want {
			t.Errorf("%s: %s is %q, want %q", when, name, got, want)
		}
	}
	for _, name := range localFiles {
		if _, err := m.Lstat(homeDir + "/" + name); err == nil {
			t.Errorf("%s: %s is left in the old place", when, name)
		}
		if info, err := m.Lstat(configDir + "/" + name); err == nil && (info.UID != 900 || info.Mode != 0o600) {
			t.Errorf("%s: %s is %+v, want gha-runner's alone", when, name, info.Perm)
		}
	}
	if m.Text(homeDir+"/_work/bench/file") == "" {
		t.Errorf("%s: what a job left is gone", when)
	}
	if rec := readRecord(m.Machine, m.URL, m.Name); rec.ID != 7 || !rec.Ours {
		t.Errorf("%s: the record is %+v", when, rec)
	}
	if slices.ContainsFunc(m.gh.calls, func(call string) bool { return !strings.HasPrefix(call, "list ") && !strings.HasPrefix(call, "get ") }) {
		t.Errorf("%s: GitHub was asked for more than a look: %q", when, m.gh.calls)
	}
}

func TestARunnerMovesWithItsRegistration(t *testing.T) {
	t.Parallel()
	m := newMove(t)
	if r := Runner(m.Machine, m.spec); r.Dir != homeDir || r.UID != 1000 || r.Unit != homeUnit {
		t.Errorf("before the move it is %+v whose jobs must not be disturbed", r)
	}
	if !Registered(m.Machine, m.spec) {
		t.Error("it counts as not registered, for which an apply would want credentials")
	}
	if notes := Notes(t.Context(), m.Machine, m.spec); len(notes) == 0 || !strings.Contains(notes[0], "(.runner, .credentials*) is taken along") {
		t.Errorf("notes %q", notes)
	}
	want := "place of the registration: " + homeDir + " -> " + configDir + " [restart]"
	if got := lines(diffOf(t, m.Machine, m.Config)); got != want {
		t.Errorf("diff:\n%s\nwant:\n%s", got, want)
	}
	if err := m.Apply(t.Context(), m.Machine); err != nil {
		t.Fatal(err)
	}
	m.moved(t, "after an apply")
	m.wire()
	m.moved(t, "in the next run")
}

// Nobody is asked for credentials to go on with a registration that there is;
// what only `.runner` says of it is then not written down as this host's.
func TestARunnerMovesWithoutCredentials(t *testing.T) {
	t.Parallel()
	m := newMove(t)
	m.Config.GitHub = nil
	if err := m.Apply(t.Context(), m.Machine); err != nil {
		t.Fatal(err)
	}
	if l, err := readLocal(m.Machine, configDir); l == nil || err != nil || l.ID != 7 {
		t.Errorf("the registration is %+v (%v)", l, err)
	}
	if recorded(m.Machine) || m.Text(homeDir+"/.runner") != "" {
		t.Error("a record was written, or the old place was not left")
	}
}

// A registration that GitHub has forgotten is made anew in the new place.
func TestADeadRegistrationDoesNotMove(t *testing.T) {
	t.Parallel()
	m := newMove(t)
	m.gh.runners = nil
	b := &bench{Machine: m.Machine, Config: m.Config, gh: m.gh}
	m.OnRun = b.run
	want := "registration: deleted at GitHub (id 7) -> box at https://github.com/octo/bench [re-register]"
	if got := lines(diffOf(t, m.Machine, m.Config)); got != want {
		t.Errorf("diff:\n%s\nwant:\n%s", got, want)
	}
	if err := m.Apply(t.Context(), m.Machine); err != nil {
		t.Fatal(err)
	}
	if len(m.gh.runners) != 1 || m.gh.runners[0].ID == 7 || m.Text(homeDir+"/.credentials_rsaparams") != "" {
		t.Errorf("GitHub has %+v", m.gh.runners)
	}
	if changes := diffOf(t, m.Machine, m.Config); changes != nil {
		t.Errorf("still differs: %s", lines(changes))
	}
}

// Where a unit starts the runner in its place, what says the same elsewhere is
// left from another time, and its jobs are nobody's.
func TestARunnerInItsPlaceDoesNotMove(t *testing.T) {
	t.Parallel()
	m := newMove(t)
	m.WriteFile(unitDir+"/actions.runner.octo-bench.other.service", "[Service]\nUser=gha-runner\nWorkingDirectory="+configDir+"\n")
	m.wire()
	if r := Runner(m.Machine, m.spec); m.Former != nil || r.Dir != configDir {
		t.Errorf("former %+v, runner %+v", m.Former, r)
	}
}

// Before it is adopted it is for others to take apart.
func TestARunnerThatWasNotAdoptedIsNotRemoved(t *testing.T) {
	t.Parallel()
	m := newMove(t)
	if _, err := FindSetup(m.Machine, m.spec); err == nil || !strings.Contains(err.Error(), "cannot remove the runner in "+homeDir+": benchctl did not set it up") {
		t.Errorf("the error is %v", err)
	}
}

// Law 6: killed at any instant, the next apply ends the move, and there is never
// a moment without a whole registration somewhere.
func TestAMoveKilledAtAnyInstant(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		m := newMove(t)
		k := &killer{left: n}
		m.Machine.Machine.Before = func(string, string) { k.step() }
		b := &bench{Machine: m.Machine, Config: m.Config, gh: m.gh}
		if !b.dies(t, k) {
			if n < 8 {
				t.Errorf("only %d instants were tried", n)
			}
			return
		}
		k.left = 0
		whole := func(dir string) bool {
			l, err := readLocal(m.Machine, dir)
			return l != nil && err == nil
		}
		if !whole(homeDir) && !whole(configDir) {
			t.Fatalf("killed at instant %d, there is no registration", n)
		}
		m.wire()
		if diffOf(t, m.Machine, m.Config) != nil {
			if err := m.Apply(t.Context(), m.Machine); err != nil {
				t.Fatal(err)
			}
		}
		m.moved(t, "after a kill")
	}
}

// A unit of another name would start the runner once more.
func TestAMoveRetiresTheUnitOfAnotherName(t *testing.T) {
	t.Parallel()
	m := newMove(t)
	const byHand = "gh-runner.service"
	if err := os.Rename(m.Path(unitDir+"/"+homeUnit), m.Path(unitDir+"/"+byHand)); err != nil {
		t.Fatal(err)
	}
	m.Units[byHand] = host.Unit{LoadState: "loaded", ActiveState: "active", UnitFileState: "enabled"}
	m.wire()
	if r := Runner(m.Machine, m.spec); r.Unit != byHand {
		t.Errorf("the unit to stop is %s", r.Unit)
	}
	if err := m.Apply(t.Context(), m.Machine); err != nil {
		t.Fatal(err)
	}
	m.moved(t, "with a unit of another name")
	if u := m.Units[byHand]; u.ActiveState != "inactive" || m.Text(unitDir+"/"+byHand) != "" || m.Text(asideDir+unitDir+"/"+byHand) == "" {
		t.Errorf("the unit is %+v", u)
	}
}

// The old place is not root's: nothing is read through a link there, or that is
// not the runner's own.
func TestAMoveTakesNothingElseAlong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breaks func(*move) error
		seen   bool // it is still known for the runner's place
	}{
		"a directory behind a link": {func(m *move) error {
			return errors.Join(os.Rename(m.Path(homeDir), m.Path("/home/ana/real")), os.Symlink("real", m.Path(homeDir)))
		}, false},
		"a home behind a link": {func(m *move) error {
			return errors.Join(os.Rename(m.Path("/home/ana"), m.Path("/home/ben")), os.Symlink("ben", m.Path("/home/ana")), os.Lchown(m.Path("/home/ana"), 1000, 1000))
		}, false},
		"a settings file that is a link": {func(m *move) error {
			return errors.Join(os.Rename(m.Path(homeDir+"/.runner"), m.Path(homeDir+"/r")), os.Symlink("r", m.Path(homeDir+"/.runner")))
		}, false},
		"another runner's": {func(m *move) error {
			return os.WriteFile(m.Path(homeDir+"/.runner"), []byte(`{"agentId":8,"agentName":"other","gitHubUrl":"https://github.com/octo/bench"}`), 0o644)
		}, false},
		"a key of somebody else's": {func(m *move) error { return os.Chown(m.Path(homeDir+"/.credentials_rsaparams"), 1001, 1001) }, true},
		"a key that is none": {func(m *move) error {
			return os.WriteFile(m.Path(homeDir+"/.credentials_rsaparams"), []byte("root:secret"), 0o600)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMove(t)
			if err := c.breaks(m); err != nil {
				t.Fatal(err)
			}
			m.wire()
			if (m.Former != nil) != c.seen {
				t.Fatalf("the former place is %+v", m.Former)
			}
			if !c.seen {
				return
			}
			if err := m.Apply(t.Context(), m.Machine); err == nil || !strings.Contains(err.Error(), "is not what config.sh wrote as ana; nothing was changed there") {
				t.Errorf("the error is %v", err)
			}
			for _, p := range []string{configDir + "/.credentials_rsaparams", configDir + "/.runner"} {
				if m.Text(p) != "" {
					t.Errorf("%s was written", path.Base(p))
				}
			}
		})
	}
}

// What cannot be fetched must not cost the runner that is at work elsewhere: the
// new place is made, and tried, before anything is stopped.
func TestTheNewPlaceIsPreparedWhileTheRunnerWorks(t *testing.T) {
	t.Parallel()
	m := newMove(t)
	if err := os.RemoveAll(m.Path(configDir)); err != nil {
		t.Fatal(err)
	}
	runner := tarballOf(m.spec, Options{Host: m.Machine})
	if err := runner.Prepare(t.Context(), m.Machine); err == nil || !strings.Contains(err.Error(), "--offline forbids talking to GitHub") {
		t.Errorf("the error is %v", err)
	}
	if info, err := m.Lstat(configDir); err != nil || info.Mode != homeMode || info.GID != 900 {
		t.Errorf("the new place is %+v (%v)", info, err)
	}
}
