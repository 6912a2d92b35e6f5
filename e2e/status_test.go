//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/deadline"
	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/status"
	"github.com/SKaiNET-developers/benchctl/resources"
)

// byHand is a runner's unit as GitHub's svc.sh writes it.
const byHand = `[Unit]
Description=GitHub Actions Runner (octo-other.box)
[Service]
ExecStart=/home/ana/actions-runner/runsvc.sh
User=ana
WorkingDirectory=/home/ana/actions-runner
KillMode=process
[Install]
WantedBy=multi-user.target
`

const byHandUnit = "actions.runner.octo-other.box.service"

// TestStatus looks at one host through its life: as it came, set up, with a job,
// paused, drifted, with GitHub away, without its agent, and through the eyes of
// those who may not see everything. No look changes anything.
func TestStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t), networked)
	for _, part := range []struct {
		name string
		test func(*world)
	}{
		{"never set up", (*world).statusOfNothing},
		{"set up by somebody else", (*world).statusOfAnother},
		{"in step", (*world).statusInStep},
		{"a job runs", (*world).statusOfAJob},
		{"paused", (*world).statusPaused},
		{"drifted", (*world).statusDrifted},
		{"GitHub is away", (*world).statusWithoutGitHub},
		{"without credentials", (*world).statusWithoutCredentials},
		{"not root", (*world).statusOfANobody},
		{"without systemd", (*world).statusWithoutSystemd},
		{"the agent is down", (*world).statusWithoutAgent},
		{"a spec with problems", (*world).statusWithProblems},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(w.in(t)) }) {
			return
		}
	}
}

// untouched wants a look to leave all that the host keeps as it is, but for what a
// job is at.
func (w *world) untouched(look func()) {
	w.t.Helper()
	except := append([]string{boxDir + "/_work"}, systemTrees...)
	before := w.tree(except...)
	look()
	if touched := before.Touched(w.tree(except...)); len(touched) > 0 {
		w.t.Errorf("looking touched the host:\n%s", strings.Join(touched, "\n"))
	}
}

// status is the answer for a program. It has to say that these parts are not as
// they should be or, with a ? behind, could not be seen, and no others.
func (w *world) status(code int, bad ...string) *status.Status {
	w.t.Helper()
	r := w.benchctl(code, "status", "-o", "json")
	s := &status.Status{}
	if err := json.Unmarshal([]byte(r.Stdout), s); err != nil {
		w.t.Fatalf("%v\n%s%s", err, r.Stdout, r.Stderr)
	}
	got := slices.Clone(s.Wrong)
	for _, part := range s.Unknown {
		got = append(got, part+"?")
	}
	if s.Schema != status.Schema || !slices.Equal(got, bad) {
		w.t.Errorf("%s: not as it should be: %q, want %q\n%s", s.Schema, got, bad, r.Stdout)
	}
	return s
}

// screen is the answer for a person: short enough for a screen, nothing in it
// that speaks to the terminal, and with these lines.
func (w *world) screen(code int, lines ...string) string {
	w.t.Helper()
	r := w.benchctl(code, "status")
	w.t.Logf("\n%s", r.Stdout)
	if n := strings.Count(r.Stdout, "\n"); n > 34 {
		w.t.Errorf("it has %d lines", n)
	}
	if strings.ContainsAny(r.Stdout, "\x1b\r\a") {
		w.t.Errorf("it speaks to the terminal: %q", r.Stdout)
	}
	shown := r.Stdout
	r.Stdout += unwrapped(shown)
	w.says(r, lines...)
	return shown
}

// unwrapped is each line with the one below it: what fits on one at noon is
// wrapped where a time of tomorrow has its date.
func unwrapped(screen string) string {
	lines, text := strings.Split(screen, "\n"), ""
	for i, line := range lines[1:] {
		text += lines[i] + " " + strings.TrimSpace(line) + "\n"
	}
	return text
}

func (w *world) statusOfNothing() {
	var s *status.Status
	w.untouched(func() { s = w.status(1, "spec") })
	if s.Service.Is != status.None || s.Pause.Is != status.None || s.Passes.Last != nil {
		w.t.Errorf("it sees %+v", s)
	}
	w.screen(1, "! spec          cannot read the spec /etc/benchctl/runner.yaml: there is no such file; name yours*")
	w.spec(plainSpec)
	s = w.status(2, "service", "registration", "differs")
	if s.Registration.Here != nil || s.Registration.GitHub != nil || s.Registration.Broken != "absent" {
		w.t.Errorf("the registration: %+v", s.Registration)
	}
	w.screen(2, "! service       there is no unit "+runnerUnit, "! differs       *to change*")
}

// statusOfAnother has a runner that svc.sh set up, in another place.
func (w *world) statusOfAnother() {
	w.put("/etc/systemd/system/"+byHandUnit, byHand, 0o644)
	w.look("systemctl daemon-reload; rm /etc/benchctl/runner.yaml")
	s := w.status(1, "spec", "service")
	if s.Service.Unit != byHandUnit || s.Service.Ours || len(s.Others) != 1 || s.Others[0].Dir != "/home/ana/actions-runner" {
		w.t.Errorf("it sees %+v and %+v", s.Service, s.Others)
	}
	w.screen(1, "on this host  "+byHandUnit+" in*")
	w.spec(plainSpec)
	s = w.status(2, "service", "registration", "differs")
	if s.Service.Unit != runnerUnit || len(s.Others) != 1 {
		w.t.Errorf("with a spec it sees %+v and %+v", s.Service, s.Others)
	}
	w.look("rm /etc/systemd/system/" + byHandUnit + "; systemctl daemon-reload")
}

// statusInStep is what a host in step says, with every deadline that GitHub has
// told of. Nothing but GET is sent.
func (w *world) statusInStep() {
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	w.spec(plainSpec + scheduled)
	w.apply(0)
	w.look("systemctl restart benchctl") // its first pass may have met the apply
	w.reaches(agentStatus, "in step; next pass")
	jobs, token := time.Now().Add(20*24*time.Hour).UTC().Truncate(time.Second), time.Now().Add(40*24*time.Hour).UTC().Truncate(time.Second)
	w.hub.Deprecate(standin.Deprecation{Version: runnerPin, Runtime: jobs, Registration: jobs.AddDate(0, 1, 0)})
	w.hub.EndToken(apiToken, token)
	w.look("rm -f " + deadline.File) // what a pass was told before
	w.hub.ForgetRequests()
	var s *status.Status
	w.untouched(func() { s = w.status(0) })
	for _, r := range w.hub.Requests() {
		if r.Method != http.MethodGet && strings.HasPrefix(r.Path, "/repos/") {
			w.t.Errorf("it sent %s %s", r.Method, r.Path)
		}
	}
	if !s.InStep || s.Host != "bench7" || s.Service.Unit != runnerUnit || !s.Service.Ours || s.Service.Since.IsZero() ||
		s.Service.Connected.IsZero() || s.Service.Listening.Before(s.Service.Connected) || s.Service.Enabled != "enabled" {
		w.t.Errorf("the service: %+v", s.Service)
	}
	w.threeViews(s)
	if a := s.Agent; a.Is != status.OK || a.Schedule != "0 0 1 1 *" || a.Next.Before(s.At) || !strings.Contains(a.Says, "in step") || s.Passes.Last == nil || s.Passes.LastApply == nil {
		w.t.Errorf("the agent: %+v %+v", a, s.Passes)
	}
	if r := s.Runner; r.Installed != runnerPin || !r.JobsUntil.Equal(jobs) || !r.RegistersUntil.Equal(jobs.AddDate(0, 1, 0)) || !s.Token.Ends.Equal(token) {
		w.t.Errorf("the deadlines: %+v %+v", r, s.Token)
	}
	w.screen(0, "service       active and listening since *, enabled", "Connected to GitHub *; Listening for Jobs *; no reconnect in 24 h",
		"job           none", "GitHub   "+runnerName+", id *, online, idle, "+runnerPin+", *", "runner        "+runnerPin+"; GitHub hands it jobs until * (in 20 days)*",
		"token         from GITHUB_TOKEN, ends * (in 40 days)", "differs       * in step", "All is as it should be.")

	w.hub.Deprecate(standin.Deprecation{Version: runnerPin, Runtime: time.Now().Add(48 * time.Hour)})
	w.hub.EndToken(apiToken, time.Now().Add(48*time.Hour))
	w.status(2, "runner", "token")
	w.hub.Deprecate(standin.Deprecation{Version: runnerPin})
	w.hub.EndToken(apiToken, time.Time{})
}

func (w *world) threeViews(s *status.Status) {
	w.t.Helper()
	r := s.Registration
	if r.Here == nil || r.GitHub == nil || !r.Asked {
		w.t.Fatalf("the registration: %+v", r)
	}
	same := func(v resources.View) bool { return v.Name == runnerName && v.ID == w.runnerID() }
	if r.Spec.Name != runnerName || !same(*r.Here) || !same(*r.GitHub) || r.GitHub.Status != "online" || *r.GitHub.Busy ||
		!slices.Contains(r.GitHub.Labels, "skainet-bench-linux-x86") {
		w.t.Errorf("the registration: %+v", r)
	}
}

// statusOfAJob whose author gave it a name that is meant for a terminal. While it
// runs, GitHub is lost for a moment.
func (w *world) statusOfAJob() {
	const rude = "build \x1b[2J\x1b[31m\r\u202e(evil)"
	first := w.hub.Enqueue(standin.Job{Name: "warm-up"})
	w.waitJob(first, over)
	w.hub.Fail(standin.Fault{Path: "/_services/message", Mode: standin.Unavailable, Times: 1})
	job := w.lasts(standin.Job{Name: rude})
	j, _ := w.hub.Job(job.id)
	var s *status.Status
	w.untouched(func() { s = w.status(0) })
	const shown = `build \u001b[2J\u001b[31m \u202e(evil)`
	if !s.Job.Running || s.Job.Name != shown || s.Job.PID == 0 || s.Job.Since.Before(j.Queued.Add(-time.Minute)) || !*s.Registration.GitHub.Busy {
		w.t.Errorf("the job: %+v", s.Job)
	}
	if l := s.Job.Last; l == nil || l.Name != "warm-up" || l.Result != "Succeeded" {
		w.t.Errorf("the job before: %+v", l)
	}
	w.screen(0, `job           "`+shown+`" since * ago), process *`, `before: "warm-up" Succeeded *`, "GitHub   "+runnerName+", id *, online, busy, *")
	if j = job.ends(); j.Lost != "" || j.Result != "Succeeded" {
		w.t.Errorf("the job: %+v", j)
	}
	w.free()
	if s = w.status(0); s.Job.Running || s.Job.Last.Name != shown || s.Service.Reconnects != 1 || s.Service.Reconnected.IsZero() {
		w.t.Errorf("afterwards: %+v %+v %+v", s.Job, s.Job.Last, s.Service)
	}
}

func (w *world) statusPaused() {
	w.benchctl(0, "pause", "calibrating the power meter", "--for", "2h")
	s := w.status(0)
	if s.Pause.Reason != "calibrating the power meter" || s.Pause.Until.IsZero() {
		w.t.Errorf("the pause: %+v", s.Pause)
	}
	w.screen(0, "pause         by root since * ago), until *: calibrating the power meter")
	w.benchctl(0, "resume")
}

func (w *world) statusDrifted() {
	w.flip()
	s := w.status(2, "differs")
	if o := s.Differs.Outcomes; len(o) != 1 || o[0].Kind != "cpufreq" || !o[0].Changes[0].Corrective {
		w.t.Errorf("what differs: %+v", o)
	}
	w.screen(2, "! differs       1 to change, * in step", "cpufreq policy1: powersave -> performance", "Not as it should be: differs.")
	w.look("systemctl reload benchctl")
	w.reaches(governor1, "performance")
	w.reaches(agentStatus, "in step since")
	if s = w.status(0); s.Passes.Corrections["cpufreq"] != 1 {
		w.t.Errorf("corrections: %v", s.Passes.Corrections)
	}
	w.screen(0, "cpufreq was corrected 1 time in 24 h")
}

// statusWithoutGitHub while it hangs: what this host knows is there all the same.
func (w *world) statusWithoutGitHub() {
	const list = "/repos/*/*/actions/runners"
	gone := w.hub.Fail(standin.Fault{Path: list, Mode: standin.Slow, Delay: time.Hour})
	w.screen(2, "service       active and listening*", "? registration  spec     *", ".runner  "+runnerName+", id *", "GitHub   not seen", "Not seen: registration, differs.")
	gone.Remove()
	gone = w.hub.Fail(standin.Fault{Path: list, Mode: standin.Forbidden})
	s := w.status(2, "registration?", "differs?")
	if s.Registration.Here == nil || s.Registration.GitHub != nil || s.Service.Is != status.OK || !strings.HasPrefix(s.Registration.Error, "cannot list the runners") {
		w.t.Errorf("%+v %+v", s.Registration, s.Service)
	}
	gone.Remove()
}

func (w *world) statusWithoutCredentials() {
	w.look("mv /etc/benchctl/token /etc/benchctl/away")
	defer w.look("mv /etc/benchctl/away /etc/benchctl/token")
	r := w.benchctlAs(2, []string{"X=x"}, "status")
	w.says(r, "! registration  spec *", "cannot use github.tokenFile /etc/benchctl/token: there is no such file; *")
	w.says(w.benchctlAs(2, []string{"X=x"}, "status", "--offline"), "GitHub   not asked")
}

// statusOfANobody sees what everybody may, and says what takes root.
func (w *world) statusOfANobody() {
	r, err := w.host.RunAs(w.t.Context(), "nobody", "/usr/local/bin/benchctl", "status")
	if err != nil || r.Status != 2 {
		w.t.Errorf("as nobody: %v, status %d\n%s%s", err, r.Status, r.Stdout, r.Stderr)
	}
	w.t.Logf("\n%s", r.Stdout)
	w.says(r, "agent         active since*", "? job           none has a worker; *root", "? differs       what differs can only be seen by root; *", "? pause         *",
		"? last pass     what passes found can only be seen by root", "? registration  spec *")
}

func (w *world) statusWithoutSystemd() {
	r, err := w.host.Look(w.t.Context(), "unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && GITHUB_TOKEN="+apiToken+" exec /usr/local/bin/benchctl status")
	if err != nil || r.Status != 2 {
		w.t.Errorf("without systemd: %v, status %d\n%s%s", err, r.Status, r.Stdout, r.Stderr)
	}
	w.t.Logf("\n%s", r.Stdout)
	w.says(r, "? service       systemd does not answer here; *", "? agent         the same", "GitHub   "+runnerName+", *")
}

func (w *world) statusWithoutAgent() {
	w.look("systemctl stop benchctl")
	w.status(2, "agent", "differs")
	w.screen(2, "! agent         it is inactive, and makes no pass; see journalctl -u benchctl.service", "Not as it should be: agent, differs.")
	w.look("systemctl start benchctl")
	w.reaches(agentStatus, "in step")
}

// statusWithProblems goes by the last good spec, and by none where there is none.
func (w *world) statusWithProblems() {
	w.spec(strings.Replace(plainSpec+scheduled, "performance", "perfromance", 1))
	s := w.status(2, "spec")
	if !s.Spec.LastGood || s.Service.Is != status.OK {
		w.t.Errorf("the spec: %+v", s.Spec)
	}
	w.screen(2, "! spec          the last good one, sha256 *", "/etc/benchctl/runner.yaml has problems; see benchctl validate")
	w.look("rm /var/lib/benchctl/last-good.yaml")
	w.status(1, "spec")
	w.spec(plainSpec + scheduled)
}
