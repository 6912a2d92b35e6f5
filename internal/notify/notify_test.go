package notify_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/notify"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

var began = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const program = "/usr/local/sbin/tell-operator"

// A desk is a host whose operator is told by a program, with a clock of its own.
type desk struct {
	*hosttest.Machine
	t    *testing.T
	now  time.Time
	opt  notify.Options
	busy bool
	fail error    // of the program
	said []string // "STATE CAUSE: TEXT" of each message that was taken
	env  []string // of the last message
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("what is told is kept in files of root's")
	}
	d := &desk{Machine: hosttest.New(t, ""), t: t, now: began}
	d.WriteFile(program, "#!/bin/sh\n")
	d.must(d.SetPerm(program, host.Perm{Mode: 0o755}))
	d.OnRun = d.program
	d.opt = notify.Options{
		Notify: spec.Notify{Command: program},
		Getenv: func(string) string { return "" },
		Idle: func(context.Context) error {
			if d.busy {
				return reconcile.ErrBusy
			}
			return nil
		},
	}
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) program(cmd host.Command) (host.Output, error) {
	if d.fail != nil {
		return host.Output{}, d.fail
	}
	env := map[string]string{}
	for _, v := range cmd.Env {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	d.env = cmd.Env
	d.said = append(d.said, env["BENCHCTL_STATE"]+" "+env["BENCHCTL_CAUSE"]+": "+env["BENCHCTL_TEXT"])
	return host.Output{}, nil
}

// pass is one pass after some time, and what was told in it.
func (d *desk) pass(after time.Duration, s notify.State) (said []string, problems []error) {
	d.t.Helper()
	d.now, d.said = d.now.Add(after), nil
	d.opt.Now = d.now
	s.Host = "bench7"
	problems = notify.Tell(d.t.Context(), d.Machine, d.opt, s)
	return d.said, problems
}

// wants is a pass that has to tell these causes, each "STATE CAUSE", and no other.
func (d *desk) wants(after time.Duration, s notify.State, want ...string) {
	d.t.Helper()
	said, problems := d.pass(after, s)
	for i, line := range said {
		said[i], _, _ = strings.Cut(line, ":")
	}
	if !slices.Equal(said, want) || len(problems) > 0 {
		d.t.Errorf("at %s it told %q, want %q; problems %v", d.now.Format("02 15:04"), said, want, problems)
	}
}

// report is one of a verb; each word is ID=STATUS.
func report(verb string, outcomes ...string) notify.State {
	var list []reconcile.Outcome
	for _, o := range outcomes {
		id, status, _ := strings.Cut(o, "=")
		out := reconcile.Outcome{Status: reconcile.Status(status)}
		_ = out.ID.UnmarshalText([]byte(id))
		out.Kind = out.ID.Kind
		if status == "unknown" {
			out.Err = reconcile.ErrUnknown
		}
		list = append(list, out)
	}
	return notify.State{Report: reconcile.NewReport(verb, "bench7", reconcile.SpecRef{}, began, 0, list)}
}

const half = 30 * time.Minute

func TestOutOfStepForAnHour(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	drift, fine := report("pass", "cpufreq=pending", "hooks=unchanged", "user=pending"), report("pass", "cpufreq=unchanged", "hooks=unchanged")
	d.wants(0, fine)
	d.wants(half, drift)
	d.wants(half, drift)
	said, _ := d.pass(half, drift)
	want := "firing out-of-step: bench7: out of step with its spec: cpufreq, user. Seen since 2026-11-23 12:30 UTC. Next: see what differs with `benchctl diff` on the host; `benchctl apply` mends it, or says why not."
	if len(said) != 1 || said[0] != want {
		t.Errorf("after an hour: %q\nwant %q", said, want)
	}
	for range 47 { // half an hour short of a day later
		d.wants(half, drift)
	}
	d.wants(half, drift, "firing out-of-step")
	said, _ = d.pass(half, fine)
	if want := "resolved out-of-step: bench7: over since 2026-11-24 14:00 UTC: out of step with its spec: cpufreq, user."; len(said) != 1 || said[0] != want {
		t.Errorf("when it was over: %q\nwant %q", said, want)
	}
	d.wants(half, fine)
	d.wants(100*time.Hour, fine)
	if text := d.Text(notify.File); strings.Contains(text, "out-of-step") {
		t.Errorf("the book still has it: %s", text)
	}
}

// What is over before anybody was told is told nobody.
func TestWhatPassesByItselfIsNotTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for range 10 {
		d.wants(half, report("pass", "cpufreq=pending"))
		d.wants(half, report("pass", "cpufreq=unchanged"))
	}
	off, on := false, true
	d.wants(half, notify.State{Report: report("pass").Report, Online: &off})
	d.wants(5*time.Minute, notify.State{Report: report("pass").Report, Online: &on})
}

// Old files that wait for an idle host make no number worse, on a host that is
// never idle either. Processes do, and so does what could not be removed.
func TestFilesThatWaitToBeRemoved(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for range 10 {
		d.wants(half, report("pass", "cleanup=pending", "cpufreq=unchanged"))
		d.wants(half, report("apply", "cleanup=deferred", "cpufreq=deferred"))
	}
	d.wants(half, report("pass", "cleanup=pending", "cleanup/processes=pending"))
	d.wants(time.Hour, report("pass", "cleanup=pending", "cleanup/processes=pending"), "firing out-of-step")
	d.wants(half, report("pass", "cleanup=pending", "cleanup/processes=unchanged"), "resolved out-of-step")
	d.wants(half, report("apply", "cleanup=failed"), "firing failed/cleanup")
	d.wants(half, report("pass", "cleanup=pending"))
	d.wants(half, report("pass", "cleanup=unchanged"), "resolved failed/cleanup")
}

// A cause that comes and goes is told once a day.
func TestOneMessagePerCauseAndDay(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	bad, good := report("apply", "cpufreq=failed"), report("apply", "cpufreq=unchanged")
	count := map[string]int{}
	for i := range 10 * 48 {
		s := bad
		if i%2 == 1 {
			s = good
		}
		said, problems := d.pass(half, s)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for _, line := range said {
			word, _, _ := strings.Cut(line, " ")
			count[word]++
		}
	}
	if want := map[string]int{"firing": 10, "resolved": 10}; !maps.Equal(count, want) {
		t.Errorf("in ten days: %v, want %v", count, want)
	}
}

func TestACorrectionThatFailed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.wants(0, report("pass", "cpufreq=pending", "jdk=pending"))
	d.wants(time.Minute, report("apply", "cpufreq=failed", "jdk=failed", "service=skipped"), "firing failed/cpufreq", "firing failed/jdk")
	// What is told by itself is not told as out of step, too.
	d.wants(2*time.Hour, report("pass", "cpufreq=pending", "jdk=pending", "service=unchanged"))
	// A pass that could not look at it, and one that put it off, say nothing.
	d.wants(half, report("pass", "cpufreq=unknown", "jdk=unchanged", "service=unchanged"), "resolved failed/jdk")
	d.wants(half, report("apply", "cpufreq=deferred", "jdk=deferred", "service=deferred"))
	// One that leaves it out says nothing of it, and a spec that does, ends it.
	some := report("apply", "service=unchanged")
	some.Partial = true
	d.wants(half, some)
	d.wants(half, report("pass", "service=unchanged"), "resolved failed/cpufreq")
}

func TestOffline(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	off, on := false, true
	state := func(online *bool) notify.State {
		s := report("pass", "cpufreq=unchanged")
		s.Online = online
		return s
	}
	d.wants(0, state(&off))
	d.wants(half, state(&off), "firing offline")
	d.wants(half, state(nil)) // GitHub was not asked
	d.wants(half, state(&on), "resolved offline")
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ends := began.Add(8 * 24 * time.Hour)
	state := func(at time.Time) notify.State {
		s := report("pass", "cpufreq=unchanged")
		s.Deadlines = []notify.Deadline{{Cause: "credential", What: "the API token", At: at, Next: "make a new one"}}
		return s
	}
	d.wants(0, state(ends))
	d.wants(23*time.Hour, state(ends))
	said, _ := d.pass(2*time.Hour, state(ends))
	want := "firing deadline/credential: bench7: the API token ends on 2026-12-01 12:00 UTC. Seen since 2026-11-24 13:00 UTC. Next: make a new one."
	if len(said) != 1 || said[0] != want {
		t.Errorf("a week before: %q\nwant %q", said, want)
	}
	d.wants(half, report("pass", "cpufreq=unchanged")) // GitHub said nothing
	said, _ = d.pass(8*24*time.Hour, state(ends))
	if len(said) != 1 || !strings.Contains(said[0], "ended on 2026-12-01 12:00 UTC") {
		t.Errorf("afterwards: %q", said)
	}
	d.wants(half, state(ends.AddDate(1, 0, 0)), "resolved deadline/credential")
}

func TestADiskThatFills(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	d := newDesk(t)
	state := func(free uint64) notify.State {
		s := report("pass", "cpufreq=unchanged")
		s.Disks = []notify.Disk{{Path: "/var/lib/gha-runner", Free: free * gib, Floor: 20 * gib}}
		return s
	}
	cause := "disk/var/lib/gha-runner"
	d.wants(0, state(200))
	d.wants(half, state(100)) // one job left 100 GiB behind
	for day := range 3 {
		d.wants(24*time.Hour, state(100-uint64(day))) // and those after it next to nothing
	}
	d.wants(24*time.Hour, state(88))
	said, _ := d.pass(24*time.Hour, state(78))
	want := "firing " + cause + ": bench7: 78.0 GiB are free at /var/lib/gha-runner; at 10.0 GiB a day, as lately, the 20.0 GiB that should be are left for 6 days. Seen"
	if len(said) != 1 || !strings.HasPrefix(said[0], want) {
		t.Errorf("it told %q\nwant %q", said, want)
	}
	d.wants(24*time.Hour, state(150), "resolved "+cause)
	said, _ = d.pass(24*time.Hour, state(12))
	if want := "bench7: 12.0 GiB are free at /var/lib/gha-runner, and 20.0 GiB should be. "; len(said) != 1 || !strings.Contains(said[0], want) {
		t.Errorf("it told %q\nwant %q", said, want)
	}
}

// A message that is due while a job runs waits, and no time of it is lost.
func TestNothingIsToldDuringAJob(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.busy = true
	bad := report("apply", "cpufreq=failed")
	for range 5 {
		d.wants(half, bad)
	}
	if len(d.Ran) > 0 {
		t.Errorf("programs ran during a job: %q", d.Ran)
	}
	d.busy = false
	d.wants(half, report("apply", "cpufreq=deferred"))
	said, _ := d.pass(half, bad)
	if len(said) != 1 || !strings.Contains(said[0], "Seen since 2026-11-23 12:30 UTC") {
		t.Errorf("after the job it told %q", said)
	}
}

// A job that comes between two messages keeps the second back.
func TestAJobThatComesInBetween(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.OnRun = func(cmd host.Command) (host.Output, error) {
		d.busy = true
		return d.program(cmd)
	}
	d.wants(0, report("apply", "cpufreq=failed", "jdk=failed"), "firing failed/cpufreq")
	d.busy = false
	d.wants(half, report("apply", "cpufreq=failed", "jdk=failed"), "firing failed/jdk")
}

// Who watches an apply fail needs no message, but the others hear that what they
// were told is over.
func TestAnAttendedApply(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	attended := func(s notify.State) notify.State { s.Attended = true; return s }
	d.wants(0, attended(report("apply", "cpufreq=failed", "jdk=unchanged")))
	d.wants(half, report("apply", "cpufreq=failed", "jdk=failed"), "firing failed/cpufreq", "firing failed/jdk")
	d.wants(48*time.Hour, attended(report("apply", "cpufreq=unchanged", "jdk=failed")), "resolved failed/cpufreq")
}

func TestPassesThatCannotLook(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.wants(0, notify.State{})
	d.wants(half, notify.State{})
	d.wants(half, notify.State{}, "firing no-pass")
	d.wants(half, report("pass", "cpufreq=unchanged"), "resolved no-pass")
}

// What fails is said, with when it began, and tried again; nothing is told twice.
func TestATellingThatFails(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fail = &host.CommandError{Argv: []string{program}, Status: 7, Output: host.Output{Stderr: []byte("https://hooks.example/s3cret refused\n")}}
	bad := report("apply", "cpufreq=failed")
	said, problems := d.pass(0, bad)
	const want = "cannot tell notify.command " + program + ": it ended with status 7; run it by hand to see why; it is tried again with the next pass"
	if len(said) > 0 || len(problems) != 1 || problems[0].Error() != want {
		t.Errorf("told %q, problems %v\nwant %s", said, problems, want)
	}
	_, problems = d.pass(half, bad)
	if len(problems) != 1 || problems[0].Error() != want+", and has failed since 2026-11-23 12:00 UTC" {
		t.Errorf("problems %v", problems)
	}
	d.fail = nil
	d.wants(half, bad, "firing failed/cpufreq")
	d.wants(half, bad)
	d.fail = errors.New("gone")
	if said, problems := d.pass(half, report("apply", "cpufreq=changed")); len(said) > 0 || len(problems) != 1 {
		t.Errorf("told %q, problems %v", said, problems)
	}
	d.fail = nil
	d.wants(half, report("apply", "cpufreq=unchanged"), "resolved failed/cpufreq")
	// What nobody can be told for a week is let go.
	d.wants(48*time.Hour, bad, "firing failed/cpufreq")
	d.fail = errors.New("gone")
	for range 9 {
		d.pass(24*time.Hour, report("apply", "cpufreq=unchanged"))
	}
	if text := d.Text(notify.File); strings.Contains(text, "failed/cpufreq") {
		t.Errorf("the book still has it: %s", text)
	}
}

// What a host, and so a job on it, had a say in has no way into a message.
func TestNothingReadFromTheHostIsTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const canary = "canary-ghp_0123456789 @everyone <script>"
	s := report("apply", "cpufreq=failed", "config=pending", "user=unknown")
	for i := range s.Report.Results {
		o := &s.Report.Results[i]
		o.Changes = []reconcile.Change{{Field: canary, Have: canary, Want: canary, Cause: canary}}
		o.Error, o.Err = canary, errors.New(canary)
	}
	var out strings.Builder
	d.OnRun = func(cmd host.Command) (host.Output, error) {
		fmt.Fprintf(&out, "%q %s", cmd.Env, cmd.Stdin)
		return d.program(cmd)
	}
	issues := &fakeIssues{}
	d.opt.Issue, d.opt.Issues = true, issues
	d.wants(0, s, "firing failed/cpufreq")
	d.wants(2*time.Hour, s, "firing out-of-step")
	d.wants(time.Hour, report("apply", "cpufreq=unchanged"), "resolved failed/cpufreq", "resolved out-of-step")
	fmt.Fprint(&out, issues.log, d.Text(notify.File))
	if text := out.String(); strings.Contains(text, "canary") || strings.Contains(text, "ghp_") || len(text) < 500 {
		t.Errorf("told: %s", text)
	}
}

func TestADamagedBook(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"torn": `{"causes": {"out-of`, "empty": "", "no object": "7", "no entry": `{"causes": {"offline": null}}`,
		"endless": `{"causes": {}}` + strings.Repeat(" ", 2<<20), "bad time": `{"saved": "yesterday"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.WriteFile(notify.File, text)
			said, problems := d.pass(0, report("apply", "cpufreq=failed"))
			if len(said) != 1 || len(problems) != 1 || !strings.Contains(problems[0].Error(), "cannot read what was told so far: "+notify.File+" is damaged (") ||
				!strings.Contains(problems[0].Error(), "it is notices.json.damaged now, and what is still wrong is told again") {
				t.Errorf("told %q, problems %v", said, problems)
			}
			if d.Text(notify.File+".damaged") != text {
				t.Error("the damaged book is lost")
			}
			d.wants(half, report("apply", "cpufreq=failed"))
		})
	}
}

// While the state directory takes nothing, what was told is remembered elsewhere.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	bad := report("apply", "cpufreq=failed")
	d.wants(0, bad, "firing failed/cpufreq")
	d.must(os.RemoveAll(d.Path("/var/lib/benchctl")))
	d.WriteFile("/var/lib/benchctl", "in the way")
	bad = report("apply", "cpufreq=failed", "jdk=failed")
	said, problems := d.pass(half, bad)
	if len(said) != 2 || len(problems) == 0 || !strings.Contains(problems[len(problems)-1].Error(), "until a reboot it is kept in /run/benchctl/notices.json") {
		t.Errorf("told %q, problems %v", said, problems)
	}
	if said, _ := d.pass(half, bad); len(said) != 0 {
		t.Errorf("told again: %q", said)
	}
	d.must(os.Remove(d.Path("/var/lib/benchctl")))
	d.wants(half, report("apply", "cpufreq=failed", "jdk=unchanged"), "resolved failed/jdk")
	if d.Text(notify.File) == "" || d.Text("/run/benchctl/notices.json") != "" {
		t.Error("the book did not go back to where it belongs")
	}
}

// A clock that was a year ahead silences nobody.
func TestAClockThatWasPutBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	bad := report("apply", "cpufreq=failed")
	d.wants(365*24*time.Hour, bad, "firing failed/cpufreq")
	d.wants(-365*24*time.Hour, bad, "firing failed/cpufreq")
	d.wants(half, bad)
	d.wants(24*time.Hour, bad, "firing failed/cpufreq")
}

func TestTheBookIsBounded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf("kind/%d=failed", i))
	}
	said, _ := d.pass(0, report("apply", many...))
	if size := len(d.Text(notify.File)); len(said) != 64 || size == 0 || size > 64<<10 {
		t.Errorf("%d messages, %d bytes", len(said), size)
	}
	d.pass(half, report("apply", "kind/0=unchanged"))
	d.pass(25*time.Hour, report("apply", "kind/0=unchanged"))
	if text := d.Text(notify.File); strings.Contains(text, "kind/") {
		t.Errorf("left: %s", text)
	}
}

// Nobody to tell, nothing to keep.
func TestNobodyToTell(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.opt.Notify = spec.Notify{}
	d.wants(0, report("apply", "cpufreq=failed"))
	if len(d.Writes) != 1 { // the program's mode, by newDesk
		t.Errorf("it wrote: %q", d.Writes)
	}
}
