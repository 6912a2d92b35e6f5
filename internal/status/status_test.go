package status_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/internal/status"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const (
	unit       = "actions.runner.octo-bench.bench7-bench.service"
	invocation = "0123456789abcdef0123456789abcdef"
	runnerDir  = "/var/lib/gha-runner/actions-runner"
)

// now is a Monday.
var now = time.Date(2026, 11, 23, 16, 40, 0, 0, time.UTC)

const text = `version: 1
user: gha-runner
runner: {url: https://github.com/octo/bench, version: "2.336.0", labels: [self-hosted, skainet]}
schedule: {cron: "*/30 * * * *", splay: 0s}
notify: {command: /usr/local/sbin/tell}
`

// machine is a host in step: a benchctl that set it up, a runner that listens.
const machine = `
-- proc/sys/kernel/hostname --
bench7
-- etc/passwd --
gha-runner:x:900:900::/var/lib/gha-runner:/usr/sbin/nologin
-- etc/systemd/system/actions.runner.octo-bench.bench7-bench.service --
[Service]
User=gha-runner
WorkingDirectory=/var/lib/gha-runner/actions-runner
[X-Benchctl]
Runner=bench7-bench
RunnerTemplate={hostname}-bench
-- var/lib/gha-runner/actions-runner/.runner --
{"agentId": 7, "agentName": "bench7-bench", "gitHubUrl": "https://github.com/octo/bench", "workFolder": "_work", "disableUpdate": true}
-- var/lib/gha-runner/actions-runner/.credentials --
{}
-- var/lib/gha-runner/actions-runner/.credentials_rsaparams --
{}
`

// A hub is a GitHub that can be asked of runners and of nothing else.
type hub struct {
	resources.GitHub
	runner actions.Runner
	err    error
	ends   time.Time // of the token
	d      actions.Deprecation
}

func (h *hub) Runners(context.Context, string) ([]actions.Runner, error) {
	return []actions.Runner{h.runner}, h.err
}

func (h *hub) Runner(context.Context, int64) (actions.Runner, error) { return h.runner, h.err }

func (h *hub) Deprecation(context.Context, string) (actions.Deprecation, error) { return h.d, h.err }

func (h *hub) TokenEnds() (time.Time, bool) { return h.ends, h.err == nil }

// A part of the host that differs or cannot be seen as a test wants it.
type part struct {
	kind    string
	changes []reconcile.Change
	err     error
}

func (p *part) ID() reconcile.ID { return reconcile.ID{Kind: p.kind} }

func (p *part) Diff(context.Context, host.Reader) ([]reconcile.Change, error) {
	return p.changes, p.err
}

func (p *part) Apply(context.Context, host.Host) error { panic("a look applies nothing") }

// queue is what is known of jobs.
type queue struct {
	workers []jobs.Worker
	idle    error
	err     error
}

func (q *queue) Workers() ([]jobs.Worker, error) { return q.workers, q.err }

func (q *queue) Idle(context.Context) error { return q.idle }

// A desk is somebody who asks how a host is.
type desk struct {
	*hosttest.Machine
	t     *testing.T
	opt   status.Options
	hub   *hub
	jobs  *queue
	knobs *part
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{Machine: hosttest.New(t, machine), t: t, jobs: &queue{}, knobs: &part{kind: "cpufreq"}}
	if err := os.Symlink("bin.2.336.0", d.Path(runnerDir+"/bin")); err != nil {
		t.Fatal(err)
	}
	s, err := spec.Load("runner.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	labels := []actions.Label{{Name: "self-hosted", Type: "read-only"}, {Name: "skainet", Type: "custom"}}
	d.hub = &hub{runner: actions.Runner{ID: 7, Name: "bench7-bench", Status: "online", Version: "2.336.0", Labels: labels}}
	began := now.Add(-16 * time.Minute)
	d.Units = map[string]host.Unit{
		unit:               {LoadState: "loaded", ActiveState: "active", SubState: "running", UnitFileState: "enabled", InvocationID: invocation, ActiveSince: began},
		"benchctl.service": {ActiveState: "active", ActiveSince: began, StatusText: "in step; next pass Mon 17:00:00"},
	}
	d.Journals[invocation] = []string{"2026-11-23 16:24:12Z: Listening for Jobs"}
	d.says(began.Add(time.Second), "√ Connected to GitHub")
	d.says(began.Add(2*time.Second), "2026-11-23 16:24:12Z: Listening for Jobs")
	config := resources.NewConfig(d, s, func(string) string { return "" })
	config.GitHub = d.hub
	w := &resources.Witness{Config: config, Patience: time.Minute}
	d.opt = status.Options{
		Reader: d, Now: now, Root: true, Spec: s, Files: "runner.yaml", Runner: jobs.Runner{Dir: runnerDir, Unit: unit},
		Jobs: d.jobs, AtWork: func() error { return nil }, Witness: w, Resources: []reconcile.Resource{w, d.knobs},
		GitHub: d.hub, Credentials: "GITHUB_TOKEN",
	}
	return d
}

// says puts a message of the runner's into the journal.
func (d *desk) says(at time.Time, text string) {
	d.Said = map[string][]host.Message{unit: append(d.Said[unit], host.Message{At: at, Invocation: invocation, Text: text})}
}

// ask is a look, which may not change a thing.
func (d *desk) ask() *status.Status {
	d.t.Helper()
	before := d.Tree()
	s := status.Here(d.t.Context(), d.opt)
	s.Compare(d.t.Context(), d.opt)
	if touched := hosttest.SameTree(before, d.Tree()); touched != nil || d.Writes != nil {
		d.t.Errorf("looking touched %q: %q", touched, d.Writes)
	}
	return s
}

// bad are the parts that are not as they should be, and with a ? those that could
// not be seen.
func bad(s *status.Status) string {
	all := slices.Clone(s.Wrong)
	for _, part := range s.Unknown {
		all = append(all, part+"?")
	}
	return strings.Join(all, " ")
}

func TestAllIsAsItShouldBe(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	s := d.ask()
	if !s.InStep || s.ExitCode() != 0 || bad(s) != "" || s.Host != "bench7" {
		t.Errorf("not as it should be: %q", bad(s))
	}
	began := now.Add(-16 * time.Minute)
	if v := s.Service; !v.Since.Equal(began) || !v.Connected.Equal(began.Add(time.Second)) || !v.Listening.Equal(began.Add(2*time.Second)) || v.Reconnects != 0 {
		t.Errorf("the service: %+v", v)
	}
	if r := s.Registration; r.Spec.Name != "bench7-bench" || r.Here.ID != 7 || r.GitHub.ID != 7 || r.GitHub.Status != "online" || *r.GitHub.Busy {
		t.Errorf("the registration: %+v", r)
	}
	if a := s.Agent; !a.Next.Equal(now.Add(20*time.Minute)) || a.Says != "in step; next pass Mon 17:00:00" {
		t.Errorf("the agent: %+v", a)
	}
}

// A runner that has had its one job is neither down nor offline: another
// registration is due.
func TestBetweenTwoJobs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.opt.Spec.Runner.Ephemeral, d.opt.Witness.Ephemeral = true, true
	d.unit(unit, func(u *host.Unit) { u.ActiveState = "inactive" })
	d.hub.runner = actions.Runner{ID: 9, Name: "else"}
	for _, name := range []string{".runner", ".credentials", ".credentials_rsaparams"} {
		if err := os.Remove(d.Path(runnerDir + "/" + name)); err != nil {
			t.Fatal(err)
		}
	}
	if s := d.ask(); s.Service.Spent || bad(s) != "service registration differs" {
		t.Errorf("a registration that somebody took away: %q", bad(s))
	}
	d.WriteFile("/var/lib/benchctl/registration.json", `{"url": "https://github.com/octo/bench", "name": "bench7-bench", "id": 7, "ours": true, "oneJob": true}`)
	s := d.ask()
	if !s.Service.Spent || s.Registration.Is != status.OK || s.Registration.Broken != "used up by its one job (id 7)" || bad(s) != "differs" {
		t.Errorf("%q; the service: %+v, the registration: %+v", bad(s), s.Service, s.Registration)
	}
	d.hub.err = errors.New("cannot list the runners: GitHub is away")
	if s := d.ask(); s.Registration.Is == status.OK || s.Service.Is != status.OK {
		t.Errorf("with GitHub away: %+v", s.Registration)
	}
}

// Each part is judged by itself, and the exit code by all of them.
func TestWhatIsNotAsItShouldBe(t *testing.T) {
	t.Parallel()
	away := errors.New("cannot list the runners of octo/bench: api.github.com did not answer in time; check the network")
	for name, tt := range map[string]struct {
		change func(*desk)
		bad    string
		code   int
		says   string // in the error of one of the parts
	}{
		"no unit":            {func(d *desk) { delete(d.Units, unit) }, "service", 2, "there is no unit " + unit},
		"a unit that failed": {func(d *desk) { d.unit(unit, func(u *host.Unit) { u.ActiveState = "failed" }) }, "service", 2, "takes no job; see journalctl -u " + unit},
		"a lost connection": {func(d *desk) {
			const word = "2026-11-23 16:30:00Z: Runner connect error: no route."
			d.Journals[invocation] = append(d.Journals[invocation], word)
			d.says(now.Add(-10*time.Minute), word)
		}, "service", 2, "Runner connect error: no route."},
		"a journal that says nothing": {func(d *desk) { d.Journals, d.Said = nil, nil }, "service", 2, "active, but not listening"},
		"offline at GitHub":           {func(d *desk) { d.hub.runner.Status = "offline" }, "registration", 2, "GitHub calls the runner offline, though its service listens"},
		"down and offline": {func(d *desk) {
			d.hub.runner.Status = "offline"
			d.unit(unit, func(u *host.Unit) { u.ActiveState = "inactive" })
		}, "service", 2, ""},
		"an agent that is down":  {func(d *desk) { d.unit("benchctl.service", func(u *host.Unit) { u.ActiveState = "failed" }) }, "agent", 2, "it is failed, and makes no pass"},
		"a difference":           {func(d *desk) { d.knobs.changes = []reconcile.Change{{Field: "policy0"}} }, "differs", 2, ""},
		"a look that failed":     {func(d *desk) { d.knobs.err = errors.New("cannot see it") }, "differs", 2, ""},
		"what this host cannot":  {func(d *desk) { d.knobs.err = reconcile.ErrUnsupported }, "differs", 2, ""},
		"what could not be seen": {func(d *desk) { d.knobs.err = reconcile.ErrUnknown }, "differs?", 2, ""},
		"what nobody expects":    {func(d *desk) { d.knobs.err = reconcile.Tolerate(reconcile.ErrUnsupported) }, "", 0, ""},
		"labels that differ":     {func(d *desk) { d.hub.runner.Labels = nil }, "registration differs", 2, ""},
		"another one's id":       {func(d *desk) { d.hub.runner.Name = "else" }, "registration differs", 2, ""},
		"GitHub is away":         {func(d *desk) { d.hub.err = away }, "registration? differs?", 2, away.Error()},
		"away, and not registered": {func(d *desk) {
			d.hub.err = away
			d.WriteFile(runnerDir+"/.runner", "not JSON")
		}, "registration differs", 2, away.Error()},
		"without credentials": {func(d *desk) { d.opt.GitHub, d.opt.Witness.GitHub = nil, nil }, "", 0, "for want of API credentials"},
		"credentials that cannot be used": {func(d *desk) {
			d.opt.GitHub, d.opt.Witness.GitHub, d.opt.GitHubFault = nil, nil, errors.New("others can read it")
		}, "registration", 2, "others can read it"},
		"a version that ends":        {func(d *desk) { d.hub.d.Runtime = now.Add(6 * 24 * time.Hour) }, "runner", 2, "hands it no jobs from 2026-11-29 on"},
		"a version that ends later":  {func(d *desk) { d.hub.d.Runtime = now.Add(8 * 24 * time.Hour) }, "", 0, ""},
		"a version nobody registers": {func(d *desk) { d.hub.d.Registration = now.Add(-time.Hour) }, "runner", 2, "does not register it any more from 2026-11-23 on"},
		"a token that ends":          {func(d *desk) { d.hub.ends = now.Add(24 * time.Hour) }, "token", 2, "it ends on 2026-11-24"},
		"a pause":                    {func(d *desk) { d.WriteFile("/var/lib/benchctl/pause.json", `{"reason": "calibrating", "by": "ana"}`) }, "", 0, ""},
		"a damaged pause":            {func(d *desk) { d.WriteFile("/var/lib/benchctl/pause.json", "{") }, "pause", 2, "counts as paused"},
		"damaged notes":              {func(d *desk) { d.WriteFile("/var/lib/benchctl/marks.json", "{") }, "passes?", 2, "it is damaged"},
		"a notice":                   {func(d *desk) { d.notices(`"causes": {"offline": {"since": "2026-11-23T15:00:00Z"}}`) }, "notices", 2, ""},
		"a notice that is young": {func(d *desk) {
			d.notices(`"causes": {"offline": {"since": "2026-11-23T16:39:00Z", "patience": 600000000000}}`)
		}, "", 0, ""},
		"a way that reaches nobody":    {func(d *desk) { d.notices(`"fails": {"webhook": "2026-11-23T15:00:00Z"}`) }, "notices", 2, ""},
		"damaged notices":              {func(d *desk) { d.WriteFile("/var/lib/benchctl/notices.json", "{") }, "notices?", 2, "notices.json is damaged"},
		"the last good spec":           {func(d *desk) { d.opt.Fault = errors.New("runner.yaml has problems") }, "spec", 2, "runner.yaml has problems"},
		"another runner of benchctl's": {func(d *desk) { d.opt.Blocked, d.opt.Resources = errors.New("a benchmark host has one"), nil }, "differs?", 2, "a benchmark host has one"},
		"no spec": {func(d *desk) {
			d.opt.Spec, d.opt.Fault, d.opt.Witness, d.opt.Resources, d.opt.GitHub = nil, errors.New("there is no such file"), nil, nil, nil
		}, "spec", 1, "there is no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			tt.change(d)
			s := d.ask()
			if got := bad(s); got != tt.bad || s.ExitCode() != tt.code || s.InStep != (tt.bad == "") {
				t.Errorf("not as it should be: %q, exit code %d; want %q, %d", got, s.ExitCode(), tt.bad, tt.code)
			}
			said := strings.Join([]string{
				s.Spec.Error, s.Service.Error, s.Agent.Error, s.Passes.Error, s.Pause.Error, s.Notices.Error, s.Registration.Error,
				s.Runner.Error, s.Token.Error, s.Differs.Error,
			}, "\n")
			if !strings.Contains(said, tt.says) {
				t.Errorf("nothing says %q:\n%s", tt.says, said)
			}
		})
	}
}

func (d *desk) unit(name string, change func(*host.Unit)) {
	u := d.Units[name]
	change(&u)
	d.Units[name] = u
}

func (d *desk) notices(text string) {
	d.WriteFile("/var/lib/benchctl/notices.json", `{"saved": "2026-11-23T16:00:00Z", `+text+`}`)
}

// Who is not root sees what everybody may see, and no part of it is called wrong
// for what he may not.
func TestNotRoot(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.opt.Root, d.opt.Resources, d.opt.Blocked = false, nil, errors.New("takes root")
	d.Journals, d.Said = nil, nil
	s := d.ask()
	if got := bad(s); got != "service? job? differs?" || s.ExitCode() != 2 {
		t.Errorf("not as it should be: %q, exit code %d", got, s.ExitCode())
	}
	if s.Registration.GitHub == nil || s.Service.Since.IsZero() {
		t.Errorf("not even what he may see: %+v", s)
	}
	d.opt.GitHubFault = errors.New("cannot read the secret")
	if s = d.ask(); s.Registration.Is != status.Unknown {
		t.Errorf("the registration is %s: %s", s.Registration.Is, s.Registration.Error)
	}
}

// Without a spec there is what the host itself knows, and whose runners it has.
func TestARunnerOfSomebodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root's units count")
	}
	t.Parallel()
	d := newDesk(t)
	s := d.ask()
	if !s.Service.Ours || len(s.Others) != 0 {
		t.Errorf("its own: %+v, others: %+v", s.Service, s.Others)
	}
	d.WriteFile("/etc/systemd/system/actions.runner.octo-other.box.service", "[Service]\nUser=ana\nWorkingDirectory=/home/ana/\x1b[31mrunner\n")
	s = d.ask()
	if len(s.Others) != 1 || s.Others[0].Ours || s.Others[0].User != "ana" || s.Others[0].Dir != `/home/ana/\x1b[31mrunner` {
		t.Errorf("others: %+v", s.Others)
	}
	d.opt.Spec, d.opt.Witness, d.opt.Resources = nil, nil, nil
	if s = d.ask(); len(s.Others) != 2 {
		t.Errorf("without a spec: %+v", s.Others)
	}
}
