package resources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

const (
	lanePID        = 4711
	agentPID       = 4800
	laneInvocation = "0123456789abcdef0123456789abcdef"
	listensNow     = "2026-11-23 12:00:00Z: Listening for Jobs"
)

// laneSystemd makes systemd behave: what is started becomes active with the
// environment of its unit file, and says lines. An agent that is asked to reload
// gives way to the one on disk.
func laneSystemd(m *hosttest.Machine, lines ...string) {
	m.OnRun = func(cmd host.Command) (host.Output, error) {
		return host.Output{Stdout: []byte("→ Overall exposure level for x.service: 1.3 OK 🙂\n")}, nil
	}
	m.OnStart = func(unit string) error {
		if unit == relaySocket || unit == agentUnit {
			m.WriteFile(relayPath, "")
		}
		if unit == relaySocket {
			return nil
		}
		u := m.Units[unit]
		u.MainPID, u.InvocationID = lanePID, laneInvocation
		if unit == agentUnit {
			socket := m.Units[relaySocket]
			socket.ActiveState = "active" // the agent wants it
			m.Units[relaySocket] = socket
			u.MainPID, u.InvocationID = agentPID, strings.Repeat("a", 32)
			link(m, installedBinary, fmt.Sprintf("/proc/%d/exe", agentPID))
		}
		m.Units[unit] = u
		m.Journals[u.InvocationID] = lines
		revision := directivesOf(m.Text(unitDir + "/" + unit))["[Service] Environment"]
		revision, _, _ = strings.Cut(revision, "; ")
		m.WriteFile(fmt.Sprintf("/proc/%d/environ", u.MainPID), revision+"\x00HOME=/x\x00")
		if unit == agentUnit {
			return nil
		}
		m.PutProcess(host.Process{PID: lanePID, PPID: 1, UID: 998, Name: "bash"}, "/system.slice/"+unit)
		status := fmt.Sprintf("/proc/%d/status", lanePID)
		m.WriteFile(status, m.Text(status)+"Cpus_allowed_list:\t2-3\n")
		return nil
	}
	m.OnReload = m.OnStart
}

// link puts a link on a machine.
func link(m *hosttest.Machine, target, path string) {
	m.WriteFile(path, "") // and the directories above it
	_ = os.Remove(m.Path(path))
	if err := os.Symlink(target, m.Path(path)); err != nil {
		panic(err)
	}
}

// newLaneService is a host with its service in step.
func newLaneService(t *testing.T) (*hosttest.Machine, service) {
	t.Helper()
	m := newLaneHost(t)
	laneSystemd(m, "Current runner version: '2.336.0'", listensNow)
	s := service{launch: newLaunch(laneSpec()), patience: time.Second}
	settle(t, m, s)
	return m, s
}

func TestServiceFromNothing(t *testing.T) {
	t.Parallel()
	m, _ := newLaneService(t)
	if got := m.Text(laneDir + "/.service"); got != laneUnit+"\n" {
		t.Errorf(".service is %q", got)
	}
	if u := m.Units[laneUnit]; u.UnitFileState != "enabled" || u.ActiveState != "active" {
		t.Errorf("the unit is %s and %s", u.UnitFileState, u.ActiveState)
	}
}

// TestServiceDrift breaks one thing at a time: diff names it, apply mends it.
func TestServiceDrift(t *testing.T) {
	t.Parallel()
	unitPath := unitDir + "/" + laneUnit
	change := func(m *hosttest.Machine, f func(*host.Unit)) {
		u := m.Units[laneUnit]
		f(&u)
		m.Units[laneUnit] = u
	}
	for name, c := range map[string]struct {
		breaks            func(*hosttest.Machine)
		field, have, want string
		running           bool // the engine need not stop it
	}{
		"a directive edited": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile(unitPath, strings.Replace(m.Text(unitPath), "ProtectSystem=strict", "ProtectSystem=no", 1))
			},
			field: "[Service] ProtectSystem", have: "no", want: "strict"},
		"a directive added": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile(unitPath, strings.Replace(m.Text(unitPath), "[Install]", "[Service]\nNice=-20\n[Install]", 1))
			},
			field: "[Service] Nice", have: "-20", want: "absent"},
		"a comment added": {
			breaks: func(m *hosttest.Machine) { m.WriteFile(unitPath, m.Text(unitPath)+"# hello\n") },
			field:  unitPath, have: "", want: ""},
		"a drop-in": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile("/etc/systemd/system/"+laneUnit+".d/x.conf", "[Service]\nUser=root\n")
			},
			field: "drop-in", have: "/etc/systemd/system/" + laneUnit + ".d/x.conf",
			want: "moved to /var/lib/benchctl/moved/etc/systemd/system/" + laneUnit + ".d/x.conf"},
		"a drop-in until the reboot": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile("/run/systemd/system.control/"+laneUnit+".d/50-CPUQuota.conf", "[Service]\nCPUQuota=10%\n")
			},
			field: "drop-in", have: "/run/systemd/system.control/" + laneUnit + ".d/50-CPUQuota.conf",
			want: "moved to /var/lib/benchctl/moved/run/systemd/system.control/" + laneUnit + ".d/50-CPUQuota.conf"},
		"stopped": {
			breaks: func(m *hosttest.Machine) {
				m.Journals[laneInvocation] = append(m.Journals[laneInvocation], "The runner no longer exists on the server.")
				change(m, func(u *host.Unit) { u.ActiveState, u.SubState = "inactive", "dead" })
			},
			field: "state", have: "inactive (dead), last said: The runner no longer exists on the server.", want: "listening"},
		"disabled": {
			breaks: func(m *hosttest.Machine) { change(m, func(u *host.Unit) { u.UnitFileState = "disabled" }) },
			field:  "enabled", have: "disabled", want: "enabled", running: true},
		"masked": {
			breaks: func(m *hosttest.Machine) { change(m, func(u *host.Unit) { u.LoadState = "masked" }) },
			field:  "mask", have: "masked", want: "not masked"},
		"not reloaded": {
			breaks: func(m *hosttest.Machine) { change(m, func(u *host.Unit) { u.NeedReload = true }) },
			field:  "daemon-reload", have: "needed", want: "done", running: true},
		"an older revision runs": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile(fmt.Sprintf("/proc/%d/environ", lanePID), "BENCHCTL_REVISION=old\x1b[0m\x00")
			},
			field: "running revision", have: `old\x1b[0m`, want: ""},
		"an older PATH runs": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", lanePID), "4712 ")
				m.WriteFile("/proc/4712/comm", "Runner.Listener\n")
				m.WriteFile("/proc/4712/environ", "HOME=/x\x00PATH=/evil\x00")
			},
			field: "running PATH", have: "/evil", want: laneJava + "/bin:" + systemPath},
		"another name in .service": {
			breaks: func(m *hosttest.Machine) { m.WriteFile(laneDir+"/.service", "ssh.service\n") },
			field:  ".service", have: "ssh.service", want: laneUnit, running: true},
		"a second unit of this runner": {
			breaks: func(m *hosttest.Machine) {
				m.WriteFile(unitDir+"/actions.runner.old.box.service", "[Service]\nWorkingDirectory="+laneDir+"\n")
				m.Units["actions.runner.old.box.service"] = host.Unit{LoadState: "loaded", ActiveState: "active", UnitFileState: "enabled"}
			},
			field: "other unit of this runner", have: "actions.runner.old.box.service", want: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, s := newLaneService(t)
			c.breaks(m)
			changes := diffOf(t, m, s)
			if len(changes) != 1 || changes[0].Field != c.field {
				t.Fatalf("changes %+v, want only %s", changes, c.field)
			}
			if c.have != "" && changes[0].Have != c.have || c.want != "" && changes[0].Want != c.want {
				t.Errorf("%s: have %q want %q\nexpected have %q want %q", c.field, changes[0].Have, changes[0].Want, c.have, c.want)
			}
			if restarts := len(changes[0].Effects) == 1; restarts == c.running {
				t.Errorf("effects %v", changes[0].Effects)
			}
			if !c.running { // as the engine does for the effect restart
				if err := errors.Join(m.Systemd().Stop(t.Context(), laneUnit), os.RemoveAll(m.Path("/proc/4712"))); err != nil {
					t.Fatal(err)
				}
			}
			settle(t, m, s)
		})
	}
}

// A runner that does not get through to GitHub is not started anew for it.
func TestARunnerThatTriesAgainIsLeftAlone(t *testing.T) {
	t.Parallel()
	const lost = "2026-11-23 13:00:00Z: Runner connect error: no route. Retrying until reconnected."
	for name, said := range map[string][]string{
		"it cannot reach GitHub":     {"2026-11-23 12:00:00Z: Listening for Jobs", lost},
		"a job pretends that it can": {lost, "Listening for Jobs", "Job: 2026-11-23 13:00:00Z: Listening for Jobs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, s := newLaneService(t)
			m.Journals[laneInvocation] = said
			changes, err := s.Diff(t.Context(), m)
			if len(changes) != 0 || !errors.Is(err, reconcile.ErrUnknown) || reconcile.IsTolerated(err) || !strings.Contains(err.Error(), "goes on trying; it said: "+lost) {
				t.Errorf("changes %+v, error %v", changes, err)
			}
		})
	}
}

// Right after a reboot a Listener has still to reach GitHub: a pass leaves it its
// time, and a person is shown what is.
func TestPassLeavesAStartingServiceItsTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state, sub string
		age        time.Duration
		young      bool
	}{
		"knobs are being set":  {"activating", "start-pre", 0, true},
		"just started":         {"active", "running", time.Minute, true},
		"started long ago":     {"active", "running", time.Hour, false},
		"between two attempts": {"activating", "auto-restart", 0, false},
		"about to try again":   {"activating", "auto-restart-queued", 0, false},
		"the clock was set":    {"active", "running", -time.Hour, false},
		"stopped":              {"inactive", "dead", time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, s := newLaneService(t)
			u := m.Units[laneUnit]
			u.ActiveState, u.SubState, u.ActiveSince = c.state, c.sub, time.Now().Add(-c.age)
			m.Units[laneUnit] = u
			m.Journals[laneInvocation] = nil
			if changes := diffOf(t, m, s); len(changes) != 1 || changes[0].Want != "listening" {
				t.Errorf("a person is shown %+v", changes)
			}
			s.unattended = true
			changes, err := s.Diff(t.Context(), m)
			if c.young != (len(changes) == 0 && errors.Is(err, reconcile.ErrUnknown) && reconcile.IsTolerated(err)) {
				t.Errorf("a pass finds %+v, %v", changes, err)
			}
			m.Journals[laneInvocation] = []string{listensNow}
			if c.state != "active" {
				return
			}
			if changes, err := s.Diff(t.Context(), m); len(changes) > 0 || err != nil {
				t.Errorf("one that listens: %+v, %v", changes, err)
			}
		})
	}
}

// A look waits for a Listener that has only just been started, and no longer than
// it has grace.
func TestLookWaitsForAListenerOnItsWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state, sub string
		begin      time.Duration // when the unit is active, and its Listener listens
		grace      time.Duration
		want       int
	}{
		"listens in a moment":   {"active", "running", 300 * time.Millisecond, time.Minute, 0},
		"its knobs come first":  {"activating", "start-pre", 300 * time.Millisecond, time.Minute, 0},
		"takes too long":        {"active", "running", time.Hour, 300 * time.Millisecond, 1},
		"its knobs do not come": {"activating", "start-pre", time.Hour, 300 * time.Millisecond, 1},
		"a glance":              {"active", "running", time.Hour, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, s := newLaneService(t)
			u := m.Units[laneUnit]
			u.ActiveState, u.SubState, u.ActiveSince = c.state, c.sub, time.Now()
			m.Units[laneUnit], m.Journals[laneInvocation] = u, nil
			s.grace = c.grace
			changes, err := s.Diff(t.Context(), starting{m, time.Now().Add(c.begin)})
			if err != nil || len(changes) != c.want {
				t.Errorf("found %+v, %v", changes, err)
			}
		})
	}
}

// A host that is slow to answer makes the grace no longer.
func TestGraceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, begun := hosttest.New(t, ""), time.Now()
		m.Units[laneUnit] = host.Unit{Name: laneUnit, ActiveState: "activating", SubState: "start-pre"}
		const answer = 5 * time.Second
		_, err := service{grace: startGrace}.settled(t.Context(), tardy{m, answer}, laneUnit)
		if took := time.Since(begun); err != nil || took < startGrace || took > startGrace+answer {
			t.Errorf("it waited for %v: %v", took, err)
		}
	})
}

// tardy is a machine on which systemd takes its time.
type tardy struct {
	*hosttest.Machine
	takes time.Duration
}

func (t tardy) Unit(ctx context.Context, name string) (host.Unit, error) {
	time.Sleep(t.takes)
	return t.Machine.Unit(ctx, name)
}

// starting is a machine whose runner listens from a moment on.
type starting struct {
	*hosttest.Machine
	from time.Time
}

func (s starting) Unit(ctx context.Context, name string) (host.Unit, error) {
	u, err := s.Machine.Unit(ctx, name)
	if time.Now().After(s.from) {
		u.ActiveState, u.SubState = "active", "running"
	}
	return u, err
}

func (s starting) Journal(ctx context.Context, unit, invocation string, n int) ([]string, error) {
	if time.Now().After(s.from) {
		return []string{listensNow}, nil
	}
	return s.Machine.Journal(ctx, unit, invocation, n)
}

func TestDropInsForEveryServiceAreNamedAndLeft(t *testing.T) {
	t.Parallel()
	m, s := newLaneService(t)
	const path = "/etc/systemd/system/service.d/timeout.conf"
	m.WriteFile(path, "[Service]\nTimeoutStopSec=1\n")
	u := m.Units[laneUnit]
	u.DropInPaths = []string{path}
	m.Units[laneUnit] = u
	changes, err := s.Diff(t.Context(), m)
	if len(changes) != 0 || !errors.Is(err, reconcile.ErrUnknown) || !reconcile.IsTolerated(err) || !strings.Contains(err.Error(), path) {
		t.Errorf("changes %+v, error %v", changes, err)
	}
}

func TestWhatWasMovedAsideIsNeverOverwritten(t *testing.T) {
	t.Parallel()
	m := newLaneHost(t)
	for _, text := range []string{"first", "second", "third"} {
		m.WriteFile("/etc/x.conf", text)
		if err := setAside(m, "/etc/x.conf"); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{"": "first", ".1": "second", ".2": "third"} {
		if got := m.Text(asideDir + "/etc/x.conf" + path); got != want {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
}

func TestServiceThatEndsSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ said, next string }{
		"deleted":    {"Failed to create a session. The runner registration has been deleted from the server, please re-configure.", "registers it anew"},
		"deprecated": {"An error occurred: Runner version v2.300.0 is deprecated and cannot receive messages.", "set a newer runner.version"},
		"hostile":    {"\x1b]0;owned\x07", `\x1b]0;owned\a`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newLaneHost(t)
			laneSystemd(m, c.said)
			s := service{launch: newLaunch(laneSpec()), patience: time.Millisecond}
			err := s.Apply(t.Context(), m)
			if err == nil || !strings.Contains(err.Error(), c.next) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("the error is %q", err)
			}
		})
	}
}

func TestListeningIsInferredFromAConnection(t *testing.T) {
	t.Parallel()
	m, s := newLaneService(t)
	m.Journals[laneInvocation] = nil
	if changes := diffOf(t, m, s); len(changes) != 1 || changes[0].Have != "active, but not listening" {
		t.Errorf("a silent runner without a connection gives %+v", changes)
	}
	const child = 4712
	m.WriteFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", lanePID), fmt.Sprintf("%d ", child))
	m.WriteFile(fmt.Sprintf("/proc/%d/comm", child), "Runner.Listener\n")
	m.WriteFile(fmt.Sprintf("/proc/%d/fd/", child), "")
	m.WriteFile(fmt.Sprintf("/proc/%d/net/tcp", child), "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"+
		"   0: 0100007F:A1B2 0100007F:01BB 01 00000000:00000000 00:00000000 00000000   998        0 77 1 0\n")
	if err := os.Symlink("socket:[77]", m.Path(fmt.Sprintf("/proc/%d/fd/9", child))); err != nil {
		t.Fatal(err)
	}
	if changes := diffOf(t, m, s); changes != nil {
		t.Errorf("a Listener with a connection gives %+v", changes)
	}
}

func TestCPUsAreThoseOfTheMainProcess(t *testing.T) {
	t.Parallel()
	m, s := newLaneService(t)
	s.spec.Service.CPUs = "0-1"
	u := m.Units[laneUnit]
	var found []string
	changes, err := s.diffRunning(t.Context(), m, u, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		found = append(found, c.Field+" "+c.Have+" "+c.Want)
	}
	if got := strings.Join(found, ";"); !strings.Contains(got, "CPUs 2-3 0-1") {
		t.Errorf("changes %s", got)
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{{"0-3", "0,1,2,3", true}, {"2-5,8", "8 2-5", true}, {"0", "1", false}, {"0-", "0", false}, {"x", "x", false}, {"0-99999999", "0", false}} {
		if sameCPUs(c.a, c.b) != c.same {
			t.Errorf("sameCPUs(%q, %q) is not %v", c.a, c.b, c.same)
		}
	}
}

func TestNeedrestartLeavesTheRunnerAlone(t *testing.T) {
	t.Parallel()
	m := newLaneHost(t)
	m.WriteFile("/etc/needrestart/conf.d/", "")
	laneSystemd(m, listensNow)
	settle(t, m, service{launch: newLaunch(laneSpec()), patience: time.Second})
	want := `$nrconf{override_rc}->{qr(^actions\.runner\.SKaiNET-developers-SKaiNET\.box-bench\.service$)} = 0;`
	if got := m.Text("/etc/needrestart/conf.d/benchctl.conf"); !strings.Contains(got, want) {
		t.Errorf("the exemption is %q", got)
	}
}

// A unit that has not run since the host booted is not told of in the words that
// it said late in the life before.
func TestNoLastWordsOfAnotherLife(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	m.Units[laneUnit] = host.Unit{Name: laneUnit, ActiveState: "inactive"}
	m.Unread = map[string][]string{"": {"An error occurred: runner registration has been deleted"}}
	err := failedStart(t.Context(), m, laneUnit, errors.New("it is masked"))
	if said := err.Error(); !strings.Contains(said, "it said nothing") || strings.Contains(said, "deleted") {
		t.Error(said)
	}
}
