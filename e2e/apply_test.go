//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// paranoid is what a host's kernel.perf_event_paranoid says before benchctl.
const paranoid = "4"

// fullSpec is what the first users write: everything that a benchmark host
// takes. Debian 12 has no Java 21 of its own, so there it comes from a signed
// repository of somebody else.
func (w *world) fullSpec(release lab.Release) string {
	w.t.Helper()
	jdk := "jdk: 21"
	if release.Name == lab.Debian12.Name {
		jdk = temurin(w.adoptium().Fingerprint)
	}
	return plainSpec + "service: {needs: [perf]}\n" + jdk + "\n" + ptsLine("10.8.6", w.pts("10.8.6")) + "\n"
}

// newFullWorld is a bare host with a spec that asks for everything.
func newFullWorld(t *testing.T, release lab.Release) *world {
	t.Helper()
	w := newWorld(t, release, networked)
	w.knob("/proc/sys/kernel/perf_event_paranoid", paranoid)
	w.spec(w.fullSpec(release))
	return w
}

// TestApply takes a bare host of each release to a benchmark runner that
// listens, and then tries what could be wrong with that, and what an agent on it
// sees.
func TestApply(t *testing.T) {
	for _, release := range lab.Releases() {
		t.Run(release.Name, func(t *testing.T) {
			t.Parallel()
			w := newFullWorld(t, release)
			began := time.Now()
			w.looksWithoutTouching()
			first := w.apply(0)
			t.Logf("%s: bare to listening in %s", release, time.Since(began).Round(time.Second))
			if got := changed(first); len(got) != len(first.Results)-2 { // benchctl itself was in place, and no agent is asked for
				t.Errorf("of %d resources only %q were changed", len(first.Results), got)
			}
			if err := w.hub.WaitOnline(t.Context(), standin.Repo(repository), runnerName); err != nil {
				t.Error(err)
			}
			w.staysAsItIs()
			w.runsJava21()
			switch release.Name {
			case lab.Debian13.Name:
				w.drifts(accountDrifts, unitDrifts, startDrifts, fullDrifts, hostileDrifts)
			case lab.Ubuntu2204.Name:
				w.drifts(accountDrifts, unitDrifts, startDrifts, needrestartDrifts)
			}
			t.Run("the agent sees all", func(t *testing.T) { w.in(t).agentSeesAll(release) })
		})
	}
}

// looksWithoutTouching holds diff to law 1 on a host where everything is
// pending: not a file changes, and GitHub is asked but told nothing.
func (w *world) looksWithoutTouching() {
	w.t.Helper()
	before := w.tree()
	w.hub.ForgetRequests()
	said := w.benchctl(2, "diff").Stdout
	for _, kind := range []string{"user", "packages", "jdk", "pts", "tarball", "config", "env", "cpufreq", "sysctl/kernel.perf_event_paranoid", "hooks", "service"} {
		if !strings.Contains("\n"+said, "\n"+kind+"\n") && !strings.Contains("\n"+said, "\n"+kind+"  [") {
			w.t.Errorf("diff on a bare host does not call %s pending:\n%s", kind, said)
		}
	}
	if touched := before.Touched(w.tree()); touched != nil {
		w.t.Errorf("diff touched the host:\n%s", strings.Join(touched, "\n"))
	}
	for _, r := range w.hub.Requests() {
		if r.Method != "GET" && r.Method != "HEAD" {
			w.t.Errorf("diff sent %s", r)
		}
	}
}

// staysAsItIs wants nothing to differ, and a second apply to change nothing:
// neither a file, but for its own notes, nor the running service.
func (w *world) staysAsItIs() {
	w.t.Helper()
	if r := w.benchctl(0, "diff"); strings.Contains(r.Stdout, "->") {
		w.t.Errorf("after apply something differs:\n%s", r.Stdout)
	}
	before, life := w.tree(), w.life()
	if changed := changed(w.apply(0)); changed != nil {
		w.t.Errorf("the second apply changed %q", changed)
	}
	if touched := unnoted(before.Touched(w.tree())); len(touched) > 0 {
		w.t.Errorf("the second apply touched the host:\n%s", strings.Join(touched, "\n"))
	}
	if w.life() != life {
		w.t.Error("the second apply restarted the runner")
	}
}

// life names the present life of the runner's service.
func (w *world) life() string {
	w.t.Helper()
	return w.sh("systemctl show -P InvocationID " + runnerUnit)
}

// runsJava21 has the runner do a job, which has to find that Java first.
func (w *world) runsJava21() {
	w.t.Helper()
	job := w.runJob(`test "$(command -v java)" = "$JAVA_HOME/bin/java" && java -version`)
	if !strings.Contains(job.Log, `openjdk version "21.`) {
		w.t.Errorf("a job finds another Java:\n%s", job.Log)
	}
}

// runJob queues a job for the runner's labels and waits for its end.
func (w *world) runJob(script string) standin.JobState {
	w.t.Helper()
	id := w.hub.Enqueue(standin.Job{
		Scope: standin.Repo(repository), Labels: []string{"x86_64", "skainet-bench-linux-x86"}, Script: script,
	})
	job, err := w.hub.WaitJob(w.t.Context(), id, standin.JobState.Over)
	if err != nil {
		w.t.Fatal(err)
	}
	if job.Result != "Succeeded" {
		w.t.Errorf("the job ended as %s (%s%s):\n%s", job.Result, job.Reason, job.Lost, job.Log)
	}
	return job
}
