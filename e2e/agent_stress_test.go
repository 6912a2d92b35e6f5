//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// TestAgentUnderStress does to an agent on a host what happens to one in years:
// it is killed in each phase of a pass, it hangs, its notes cannot be written or
// are damaged, the host reboots. Each time it comes back, the host is brought
// into step, and no job is harmed.
func TestAgentUnderStress(t *testing.T) {
	t.Parallel()
	w := newAgentWorld(t, "@every 24h")
	for _, part := range []struct {
		name string
		test func(*world)
	}{
		{"killed while it looks", (*world).killedInTheLook},
		{"killed while a correction is at work", (*world).killedBesideTheCorrection},
		{"a correction killed at some of its changes", (*world).killedInTheCorrection},
		{"a correction killed while it waits for a job", (*world).killedBeforeItsTurn},
		{"paused while a correction waits for a job", (*world).pausedBeforeItsTurn},
		{"another spec while a correction waits for a job", (*world).respecifiedBeforeItsTurn},
		{"killed while a job runs", (*world).killedBesideAJob},
		{"hangs", (*world).hangs},
		{"the host reboots", (*world).comesBackWithTheHost},
		{"no room for notes", (*world).hasNoRoom},
		{"notes damaged by hand", (*world).findsItsNotesDamaged},
		{"directories removed by hand", (*world).losesItsDirectories},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			sub := w.in(t)
			part.test(sub)
			sub.isWell()
		}) {
			return
		}
	}
}

// isWell wants a host in step by the agent's word and by that of diff, its runner
// online, and every job that there ever was to have come to its own end.
func (w *world) isWell() {
	w.t.Helper()
	w.asked()
	w.reaches(agentStatus, "in step")
	w.inStep(w.t.Name())
	for _, j := range w.hub.Jobs() {
		if j = w.waitJob(j.ID, over); j.Lost != "" || j.Result != "Succeeded" {
			w.t.Errorf("a job: %+v", j)
		}
	}
}

// slowly has GitHub take its time with what a pass asks, and a pass begun that
// waits for it.
func (w *world) slowly() *standin.Injected {
	w.t.Helper()
	slow := w.hub.Fail(standin.Fault{Path: "/repos/*/*/actions/runners", Mode: standin.Slow, Delay: 10 * time.Second})
	w.look("systemctl reload benchctl")
	w.reaches("pgrep -c -f 'benchctl[ ]pass' || true", "1")
	return slow
}

// manager sets variables of each service that is started from now on, and none
// for "".
func (w *world) manager(vars string) {
	w.t.Helper()
	w.look("systemctl unset-environment BENCHCTL_KILL_AT BENCHCTL_PAUSE")
	if vars != "" {
		w.look("systemctl set-environment " + vars)
	}
}

func (w *world) killedInTheLook() {
	slow := w.slowly()
	pid := w.agentPID()
	w.flip()
	w.look("kill -9 " + pid)
	w.another(pid)
	slow.Remove()
	w.reaches(governor1, "performance")
}

// killedBesideTheCorrection, which goes on without it.
func (w *world) killedBesideTheCorrection() {
	w.manager("BENCHCTL_KILL_AT=0 BENCHCTL_PAUSE=1s")
	w.flip()
	w.look("systemctl reload benchctl")
	w.reaches(agentStatus, "benchctl-apply.service is at work")
	pid := w.agentPID()
	w.look("kill -9 " + pid)
	w.manager("")
	w.reaches(governor1, "performance")
	w.another(pid)
}

// killedInTheCorrection at its first change, its last and some in between, of a
// correction that stops the runner. A job that comes then waits at most.
func (w *world) killedInTheCorrection() {
	const invocation = "systemctl show -P InvocationID benchctl-apply"
	damage := func(trial int, status string) {
		before := w.look(invocation)
		w.look("echo true >>/usr/local/lib/benchctl/job-started.sh")
		w.flip()
		w.spec(trialSpec(trial) + strings.TrimPrefix(agentSpec("@every 24h"), plainSpec))
		w.reaches("[ $("+invocation+") = \""+before+"\" ] || "+agentStatus, status)
	}
	w.manager("BENCHCTL_KILL_AT=0")
	damage(0, "in step since the last correction")
	all := steps(w.t, w.look("journalctl --sync; journalctl -o cat -u benchctl-apply"))
	if len(all) < 12 {
		w.t.Fatalf("the correction is only %d changes: %v", len(all), all)
	}
	down := 0
	for i, s := range []step{all[0], all[len(all)/3], all[2*len(all)/3], all[len(all)-1]} {
		w.manager(fmt.Sprint("BENCHCTL_KILL_AT=", s.n))
		damage(i+1, "correcting failed: see journalctl -u benchctl-apply")
		if w.unitState("ActiveState") != "active" {
			down++
		}
		w.manager("")
		id := w.hub.Enqueue(standin.Job{Script: "echo trial $TRIAL"})
		w.look("systemctl reload benchctl")
		w.reaches(agentStatus, "in step")
		if j := w.waitJob(id, over); j.Lost != "" || j.Result != "Succeeded" {
			w.t.Errorf("killed at %v, and a job that came then: %+v", s, j)
		}
		w.inStep(s)
	}
	w.t.Logf("killed at 4 of %d changes; at %d of them the runner was down", len(all), down)
	w.spec(agentSpec("@every 24h"))
}

// killedBeforeItsTurn: the job that it waits for goes on, and after its end the
// agent sees to it.
func (w *world) killedBeforeItsTurn() {
	job := w.correctionInWaiting()
	w.look("systemctl kill -s KILL benchctl-apply")
	w.reaches(agentStatus, "correcting failed")
	job.ends()
	w.reaches(governor1, "performance")
}

// pausedBeforeItsTurn, and so nothing is touched when the job has ended.
func (w *world) pausedBeforeItsTurn() {
	job := w.correctionInWaiting()
	w.benchctl(0, "pause", "calibrating")
	job.ends()
	w.reaches(agentStatus, "paused")
	if got := w.look(governor1); got != "powersave" {
		w.t.Errorf("although the host is paused, the governor became %s", got)
	}
	w.benchctl(0, "resume")
	w.look("systemctl reload benchctl")
	w.reaches(governor1, "performance")
}

// respecifiedBeforeItsTurn: the host never becomes what the earlier spec says.
func (w *world) respecifiedBeforeItsTurn() {
	job := w.correctionInWaiting()
	w.spec(agentSpec("@every 25h"))
	job.ends()
	w.reaches("journalctl -o cat -u benchctl-apply", "deferred: the spec changed while a job was waited for; nothing was touched")
	w.reaches(governor1, "performance")
	w.reaches("grep ^Schedule= "+agentUnitFile, "@every 25h")
	w.spec(agentSpec("@every 24h"))
	w.reaches("grep ^Schedule= "+agentUnitFile, "@every 24h")
	w.reaches(agentStatus, "in step")
}

// correctionInWaiting is one of what drifted, for the end of the job that is
// returned.
func (w *world) correctionInWaiting() lasting {
	w.reaches(agentStatus, "in step") // no pass is at work that would write the marks, too
	job := w.lasts(standin.Job{})
	w.flip()
	w.asked()
	w.look(`sed -i 's/"deferred_since": ".*"/"deferred_since": "2026-01-01T00:00:00Z"/' ` + history.Marks)
	w.look("systemctl reload benchctl")
	w.reaches("systemctl show -P ActiveState benchctl-apply", "activating")
	w.reaches("journalctl -o cat -n 3 -u benchctl-apply", "a job is running")
	return job
}

// killedBesideAJob that goes on until systemd has started it again.
func (w *world) killedBesideAJob() {
	job := w.lasts(standin.Job{})
	w.flip()
	w.asked()
	pid := w.agentPID()
	w.look("kill -9 " + pid)
	w.another(pid)
	w.reaches(agentStatus, "deferred")
	if j, _ := w.hub.Job(job.id); j.Over() || w.look(governor1) != "powersave" {
		w.t.Errorf("during the job the governor became %s; the job: %+v", w.look(governor1), j)
	}
	job.ends()
	w.reaches(governor1, "performance")
}

// hangs in the middle of a pass: systemd's watchdog ends it, here after a second
// in place of sixteen minutes.
func (w *world) hangs() {
	slow := w.slowly()
	pid := w.agentPID()
	w.reaches("systemctl show -P WatchdogUSec benchctl", "16min")
	w.look("kill -STOP " + pid + " && NOTIFY_SOCKET=/run/systemd/notify systemd-notify --pid=" + pid + " WATCHDOG_USEC=1000000")
	w.another(pid)
	slow.Remove()
	if said := w.look("journalctl --sync; journalctl -o cat -u benchctl _PID=1"); !strings.Contains(said, "Watchdog timeout (limit 1s)") {
		w.t.Errorf("systemd says\n%s", said)
	}
}

// hasNoRoom: what cannot be noted is said, passes go on, and what was noted before
// stays as it was.
func (w *world) hasNoRoom() {
	w.look("systemctl stop benchctl && cp -a " + history.Dir + " /tmp/state && mount -t tmpfs -o size=1m,mode=700 none " + history.Dir +
		" && cp -a /tmp/state/. " + history.Dir + " && systemctl start benchctl")
	w.reaches(agentStatus, "in step")
	kept := "cd " + history.Dir + " && sha256sum $(find . -type f ! -name filler ! -name '*.jsonl' | sort)"
	w.look("head -c 2m /dev/zero >" + history.Dir + "/filler 2>/dev/null || true; cp " + history.Lines + " /tmp/lines")
	before := w.look(kept)
	w.flip()
	w.look("systemctl reload benchctl")
	w.reaches(governor1, "performance")
	w.reaches(agentStatus, "in step since the last correction")
	const cannot = "cannot keep what this run came to: cannot write " + history.Marks + ": no space left on device; the host itself is as reported, see to " + history.Dir
	for _, unit := range []string{"benchctl", "benchctl-apply"} {
		if said := w.look("journalctl --sync; journalctl -o cat -n 20 -u " + unit); !strings.Contains(said, cannot) {
			w.t.Errorf("%s says\n%s", unit, said)
		}
	}
	if after := w.look(kept); after != before {
		w.t.Errorf("the notes were\n%s\nand are\n%s", before, after)
	}
	w.look("cmp -n $(stat -c %s /tmp/lines) /tmp/lines " + history.Lines) // the last block may have had room
	w.look("rm " + history.Dir + "/filler")
	w.asked()
	w.look("systemctl stop benchctl && umount " + history.Dir + " && systemctl start benchctl")
}

// findsItsNotesDamaged, all of them at once: that is said, they are set aside, and
// passes go on. So they do when the spec is damaged at the same time.
func (w *world) findsItsNotesDamaged() {
	damage := func(what string) {
		w.look("cd " + history.Dir + " && find . -maxdepth 1 -type f " + what + ` -exec sh -c 'head -c 100 /dev/urandom >"$0"' {} \;`)
		w.flip()
	}
	damage("! -name originals.json")
	w.spec("version: 2\n")
	w.reaches(governor1, "performance")
	w.reaches(agentStatus, "the spec has problems, and the last good one stays in force")
	said := w.look("journalctl --sync; journalctl -o cat -n 40 -u benchctl")
	for _, file := range []string{history.Marks, history.LastRun, history.Settled} {
		w.look("ls " + file + ".damaged-*")
		if !strings.Contains(said, file+" was damaged; it is now "+file+".damaged-") {
			w.t.Errorf("nothing is said of %s:\n%s", file, said)
		}
	}
	w.spec(agentSpec("@every 24h"))
	w.asked()

	// Without the originals no knob is touched, until somebody says so.
	damage("-name originals.json")
	w.look("systemctl reload benchctl")
	w.reaches(agentStatus, "correcting failed")
	if r := w.benchctl(1, "apply", "--yes"); !strings.Contains(r.Stdout, "cannot read the knobs' originals in "+originals.File) ||
		!strings.Contains(r.Stdout, "move the file aside to go on without them") || w.look(governor1) != "powersave" {
		w.t.Errorf("without originals apply says\n%s", r.Stdout)
	}
	w.look("mv " + originals.File + " /root && systemctl reload benchctl")
	w.reaches(governor1, "performance")
}

// losesItsDirectories, of which its sandbox would leave the one read-only for good,
// and in the other it has its way to GitHub. Passes remember again what they saw.
func (w *world) losesItsDirectories() {
	for _, dir := range []string{history.Dir, "/run/benchctl"} {
		w.look("rm -r " + dir)
		w.flip()
		w.look("systemctl reload benchctl || true") // it may have given way already
		w.reaches(governor1, "performance")
		w.reaches("cat "+history.Lines+" || true", "cpufreq")
		w.reaches(agentStatus, "in step")
	}
}

// comesBackWithTheHost, to one pass, with nothing forgotten: a pause goes on, and
// the knobs are set all the same.
func (w *world) comesBackWithTheHost() {
	w.benchctl(0, "pause", "calibrating", "--for", "2h")
	before, saved := w.passes(), w.book()
	if err := w.host.Reboot(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.reaches(agentStatus, "paused; next pass")
	if n := w.passes() - before; n != 1 {
		w.t.Errorf("%d passes after the reboot", n)
	}
	if now := w.book(); len(saved) == 0 || !maps.Equal(now, saved) {
		w.t.Errorf("the originals were %v and are %v", saved, now)
	}
	if got := w.governor("policy1"); got != "performance" {
		w.t.Errorf("the governor is %s", got)
	}
	if r := w.benchctl(3, "apply", "--yes"); !strings.Contains(r.Stderr, "this host is paused by root since ") {
		w.t.Errorf("after the reboot, apply said %q", r.Stderr)
	}
	w.benchctl(0, "resume")
}

// passes is how many lines the history has.
func (w *world) passes() int {
	w.t.Helper()
	n, err := strconv.Atoi(w.look("wc -l <" + history.Lines))
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}
