//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// agentSpec is a runner with a schedule.
func agentSpec(cron string) string {
	return plainSpec + "github: {tokenFile: /etc/benchctl/token}\nschedule: {cron: \"" + cron + "\", splay: 0s}\n"
}

// newAgentWorld is a host in step whose agent runs.
func newAgentWorld(t *testing.T, cron string) *world {
	t.Helper()
	w := newWorld(t, lab.Debian13, prepared(t), networked)
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	w.spec(agentSpec(cron))
	w.apply(0)
	return w
}

// reaches waits until a line of shell answers with a text that holds want.
func (w *world) reaches(line, want string) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		is := w.look(line)
		if strings.Contains(is, want) {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: %q, and for a minute not %q\n%s", line, is, want, w.look("journalctl --no-pager -n 60 -u benchctl -u benchctl-apply"))
		}
	}
}

const (
	agentStatus = "systemctl show -P StatusText benchctl"
	governor1   = "cat " + governors + "policy1/scaling_governor"
)

func TestAgent(t *testing.T) {
	t.Parallel()
	w := newAgentWorld(t, "@every 2s")
	for _, part := range []struct {
		name string
		test func(*world)
	}{
		{"drift", (*world).agentCorrects},
		{"another spec", (*world).agentRereads},
		{"a job", (*world).agentDefers},
		{"a queue that is never empty", (*world).agentGetsItsTurn},
		{"a spec with problems", (*world).agentKeepsTheLastGood},
		{"a second agent", (*world).agentIsAlone},
		{"an apply at work", (*world).agentStandsBack},
		{"killed", (*world).agentComesBack},
		{"a bug in a pass", (*world).agentOutlivesABug},
		{"the bus restarts", (*world).agentOutlivesTheBus},
		{"another binary", (*world).agentGivesWay},
		{"footprint", (*world).agentIsSmall},
		{"a spec to begin with", (*world).agentRefuses},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(w.in(t)) }) {
			return
		}
	}
}

// agentCorrects what drifts, by the schedule alone.
func (w *world) agentCorrects() {
	w.reaches(agentStatus, "in step; next pass")
	w.flip()
	w.reaches(governor1, "performance")
	w.look("systemctl disable " + runnerUnit)
	w.reaches("systemctl is-enabled "+runnerUnit+" || true", "enabled")
	w.reaches(agentStatus, "in step")
	if said := w.look("journalctl --sync; journalctl -o cat -u benchctl-apply"); !strings.Contains(said, "powersave -> performance") {
		w.t.Errorf("the unit that applies said\n%s", said)
	}
}

// agentRereads a spec whose schedule changed, without being told.
func (w *world) agentRereads() {
	w.spec(agentSpec("@every 24h"))
	w.reaches("journalctl -o cat -u benchctl", "/etc/benchctl/runner.yaml changed and is in force")
	tomorrow := w.look("date -d '+1 day' +%a")
	w.reaches(agentStatus, "next pass "+tomorrow)
}

// agentDefers a pass while a job runs, and is woken by its end.
func (w *world) agentDefers() {
	job := w.lasts(standin.Job{})
	w.flip()
	w.asked()
	w.reaches(agentStatus, "deferred; next pass") // and what came before is over
	cpu := w.cpu()
	const passes = 10
	for range passes {
		w.asked()
	}
	w.reaches(agentStatus, "deferred; next pass")
	w.t.Logf("a pass that finds a job costs %v of CPU", (w.cpu()-cpu)/passes)
	if j, _ := w.hub.Job(job.id); j.Over() || w.look(governor1) != "powersave" {
		w.t.Errorf("during the job the governor became %s; the job: %+v", w.look(governor1), j)
	}
	j := job.ends()
	w.reaches(governor1, "performance")
	w.t.Logf("corrected %v after the job, at the latest", time.Since(j.Ended).Round(time.Millisecond))
	if j.Lost != "" || j.Result != "Succeeded" {
		w.t.Errorf("the job: %+v", j)
	}
	w.reaches(agentStatus, "in step")
}

// agentGetsItsTurn after maxDefer, although the next job always waits.
func (w *world) agentGetsItsTurn() {
	w.flip()
	var queue []string
	for range 6 {
		queue = append(queue, w.hub.Enqueue(standin.Job{Sleep: 1500 * time.Millisecond}))
	}
	w.waitJob(queue[0], runs)
	w.asked()
	w.look(`sed -i 's/"deferred_since": ".*"/"deferred_since": "2026-01-01T00:00:00Z"/' /var/lib/benchctl/marks.json`)
	w.asked()
	w.reaches("journalctl -o cat -u benchctl", "jobs have put passes off since 2026-01-01")
	w.reaches(governor1, "performance")
	corrected := time.Now()
	for _, id := range queue {
		if j := w.waitJob(id, over); j.Lost != "" || j.Result != "Succeeded" {
			w.t.Errorf("a job: %+v", j)
		}
	}
	if last, _ := w.hub.Job(queue[len(queue)-1]); corrected.After(last.Ended) {
		w.t.Errorf("corrected %v after the last job", corrected.Sub(last.Ended))
	}
	w.reaches(agentStatus, "in step")
}

// asked asks for a pass, and waits until it has left its line in the history.
func (w *world) asked() {
	w.t.Helper()
	const lines = "wc -l </var/lib/benchctl/history.jsonl"
	n, err := strconv.Atoi(w.look(lines))
	if err != nil {
		w.t.Fatal(err)
	}
	w.look("kill -HUP " + w.agentPID())
	w.reaches("[ $("+lines+") = "+strconv.Itoa(n)+" ] || echo more", "more")
}

// cpu is what the agent and its passes have used.
func (w *world) cpu() time.Duration {
	usec, err := strconv.Atoi(w.look("awk '$1 == \"usage_usec\" {print $2}' /sys/fs/cgroup/system.slice/benchctl.service/cpu.stat"))
	if err != nil {
		w.t.Fatal(err)
	}
	return time.Duration(usec) * time.Microsecond
}

// agentKeepsTheLastGood spec, and corrects by it.
func (w *world) agentKeepsTheLastGood() {
	w.spec(strings.Replace(agentSpec("@every 24h"), "performance", "perfromance", 1))
	w.reaches(agentStatus, "the spec has problems")
	w.reaches("journalctl -o cat -u benchctl", "did you mean performance?")
	w.flip()
	w.look("systemctl reload benchctl")
	w.reaches(governor1, "performance")
	w.spec(agentSpec("@every 24h"))
	w.reaches("systemctl show -P StatusText benchctl | grep -c problems || true", "0")
}

func (w *world) agentIsAlone() {
	pid := w.agentPID()
	r := w.benchctl(1, "agent")
	if !strings.Contains(r.Stderr, "another one runs on this host: benchctl agent, process "+pid+", since ") {
		w.t.Errorf("the second agent was told %q", r.Stderr)
	}
}

func (w *world) agentPID() string { w.t.Helper(); return w.look("systemctl show -P MainPID benchctl") }

// agentStandsBack while an apply is in the middle of something.
func (w *world) agentStandsBack() {
	w.put("/root/lock.pl", `open F, ">>", "/run/benchctl/lock"; flock F, 2; sleep 1000`, 0o644) // one that writes, as benchctl's
	w.look("systemd-run --quiet --unit=lab-lock perl /root/lock.pl")
	w.reaches("flock -n /run/benchctl/lock true || echo held", "held")
	w.flip()
	for _, args := range [][]string{{"pass"}, {"apply", "--unattended"}} {
		if r := w.benchctl(3, args...); !strings.Contains(r.Stderr, "another benchctl is at work on this host") {
			w.t.Errorf("benchctl %v said %q", args, r.Stderr)
		}
	}
	w.look("systemctl reload benchctl")
	w.reaches(agentStatus, "deferred by another benchctl")
	if is := w.look(governor1); is != "powersave" {
		w.t.Errorf("meanwhile the governor became %s", is)
	}
	w.look("systemctl stop lab-lock")
	w.reaches(governor1, "performance")
	w.reaches(agentStatus, "in step")
}

// another waits for an agent that is up and not the one with that process.
func (w *world) another(pid string) {
	w.t.Helper()
	w.reaches("[ $(systemctl show -P MainPID benchctl) = "+pid+" ] || ! systemctl -q is-active benchctl || echo up", "up")
}

func (w *world) agentComesBack() {
	pid := w.agentPID()
	w.flip()
	w.look("kill -9 " + pid)
	w.another(pid)
	w.reaches(governor1, "performance")
	w.reaches(agentStatus, "in step")
}

func (w *world) agentOutlivesABug() {
	pid := w.agentPID()
	w.look("touch /run/lab-bug && systemctl reload benchctl")
	w.reaches(agentStatus, "the last pass failed")
	w.reaches("journalctl -o cat -u benchctl", "panic: as the test asked")
	w.look("rm /run/lab-bug && systemctl reload benchctl")
	w.reaches(agentStatus, "in step")
	if now := w.agentPID(); now != pid {
		w.t.Errorf("the agent is process %s, was %s", now, pid)
	}
}

// agentOutlivesTheBus that ends in the middle of a correction. While that goes
// on the watchdog is armed, and afterwards it is not.
func (w *world) agentOutlivesTheBus() {
	w.put("/etc/systemd/system/benchctl-apply.service.d/slow.conf", "[Service]\nExecStartPre=/bin/sleep 3\n", 0o644)
	w.look("systemctl daemon-reload")
	w.flip()
	w.look("systemctl reload benchctl")
	w.reaches(agentStatus, "benchctl-apply.service is at work")
	w.reaches("systemctl show -P WatchdogUSec benchctl", "2h 1min")
	w.look("systemctl restart dbus")
	w.reaches(governor1, "performance")
	w.reaches(agentStatus, "in step")
	w.reaches("systemctl show -P WatchdogUSec benchctl", "0")
	w.look("rm -r /etc/systemd/system/benchctl-apply.service.d && systemctl daemon-reload")
}

func (w *world) agentGivesWay() {
	pid := w.agentPID()
	w.look("cd /usr/local/bin && cp benchctl benchctl.new && mv benchctl.new benchctl && systemctl reload benchctl")
	w.another(pid)
	w.reaches(agentStatus, "in step")
	if said := w.look("journalctl --sync; journalctl -o cat -u benchctl"); !strings.Contains(said, "/usr/local/bin/benchctl is another one now: the agent ends") {
		w.t.Errorf("said\n%s", said)
	}
}

// agentIsSmall between passes, and sleeps.
func (w *world) agentIsSmall() {
	pid := w.agentPID()
	cpu := w.cpu()
	w.asked()
	w.reaches(agentStatus, "in step")
	time.Sleep(time.Second) // for what comes after a pass
	w.t.Logf("a pass that looks at everything costs %v of CPU", w.cpu()-cpu)
	switches := fmt.Sprintf("cat /proc/%s/task/*/status | awk '/ctxt_switches/ {n += $2} END {print n}'", pid)
	before := w.look(switches)
	cpu = w.cpu()
	time.Sleep(5 * time.Second)
	rss, err := strconv.Atoi(w.look("awk '/^VmRSS/ {print $2}' /proc/" + pid + "/status"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("between passes: %.1f MiB resident (%s); in 5 s %s -> %s context switches, %v of CPU", float64(rss)/1024,
		w.look("grep -h ^Rss /proc/"+pid+"/status | tr -s '\\n\\t ' ' '"), before, w.look(switches), w.cpu()-cpu)
	if rss > 20<<10 {
		w.t.Errorf("%d KiB resident, more than 20 MiB", rss)
	}
}

// agentRefuses to begin with a spec that cannot be read, and its unit says so,
// and why.
func (w *world) agentRefuses() {
	const file = "/etc/benchctl/runner.yaml"
	w.look("systemctl stop benchctl")
	for _, unreadable := range []struct{ made, says string }{
		{"echo 'version: 2' >" + file, "runner.yaml:1:10: version: "},
		{"rm " + file, "there is no such file; name yours with -f"},
		{"mkdir " + file, "is a directory"},
	} {
		w.look(unreadable.made)
		r, err := w.host.Look(w.t.Context(), "systemctl", "start", "benchctl")
		if err != nil || r.Status == 0 {
			w.t.Errorf("it began after %s: %v, %+v", unreadable.made, err, r)
		}
		if state := w.look("systemctl show -p ActiveState -p Result -p ExecMainStatus -p StatusText benchctl | sort"); state !=
			"ActiveState=failed\nExecMainStatus=1\nResult=exit-code\nStatusText=cannot begin: the spec "+file+" has problems" {
			w.t.Errorf("after %s the unit says %q", unreadable.made, state)
		}
		w.reaches("journalctl -q -o cat -u benchctl -n 12", unreadable.says)
	}
	w.look("rmdir " + file)
	w.spec(plainSpec)
	if r := w.benchctl(1, "agent"); !strings.Contains(r.Stderr, "has no schedule; add one") {
		w.t.Errorf("without a schedule it said %q", r.Stderr)
	}
}
