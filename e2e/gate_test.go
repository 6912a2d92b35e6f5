//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

const (
	expectedFile = "/run/benchctl/expected.json"
	policy1      = governors + "policy1/scaling_governor"
	drifted      = "policy1/scaling_governor is powersave, not performance"
)

// gateSpec is a runner with a JDK and a policy. perf is left out: what a lab
// host has for kernel.perf_event_paranoid does not reach into the unit's /proc.
func gateSpec(policy, archive, sha256 string) string {
	return plainSpec + fmt.Sprintf("jdk: {version: 21, archive: %s, sha256: %s}\n%s\n", archive, sha256, gateLine(policy))
}

// gateLine has a policy, and lets the machine that the lab runs on be busy.
func gateLine(policy string) string { return "gate: {policy: " + policy + ", maxLoad: 9999}" }

// newGateWorld is a host in step, with one of gate's policies.
func newGateWorld(t *testing.T, release lab.Release, policy string, change ...func(*lab.Options)) *world {
	t.Helper()
	w := newWorld(t, release, change...)
	archive, err := standin.JDKArchive("21.0.8")
	if err != nil {
		t.Fatal(err)
	}
	w.put("/srv/jdk-21.tar.gz", string(archive.Data), 0o644)
	w.spec(gateSpec(policy, "/srv/jdk-21.tar.gz", archive.SHA256))
	w.benchctl(0, "apply", "--yes")
	return w
}

// job has the runner do a job, whatever becomes of it.
func (w *world) job(script string) standin.JobState {
	w.t.Helper()
	return w.waitJob(w.hub.Enqueue(standin.Job{Script: script}), over)
}

// wantJob holds a job to how it ended, to what its log says and to what its
// summary says. In a pattern * is any text on a line.
func (w *world) wantJob(j standin.JobState, result string, log, summary []string) {
	w.t.Helper()
	if j.Result != result {
		w.t.Errorf("the job ended as %s (%s), want %s", j.Result, j.Reason, result)
	}
	for _, c := range []struct {
		name, text string
		want       []string
	}{{"log", j.Log, log}, {"summary", j.Summary, summary}} {
		for _, pattern := range c.want {
			p := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
			if !regexp.MustCompile("(?m)^" + p + "$").MatchString(c.text) {
				w.t.Errorf("the job's %s has no line %q:\n%s", c.name, pattern, c.text)
			}
		}
	}
}

// Each check finds what it looks for inside the real unit, and nothing in it is
// unknown: on a host in step every row is.
func TestGateSeesAllInTheUnit(t *testing.T) {
	for _, release := range lab.Releases() {
		t.Run(release.Name, func(t *testing.T) {
			t.Parallel()
			w := newGateWorld(t, release, "fail")
			j := w.job("sleep 0.1")
			w.wantJob(j, "Succeeded", []string{
				"benchctl: this host was as it must be when the job started (looked for * ms)",
				"  in step      service    revision *",
				"  in step      cpufreq    performance on all 2",
				"  in step      jdk        Java 21.0.8*, first on PATH",
				"  in step      load       * on * CPUs*",
				"  in step      packages   no package manager at work",
				"  in step      processes  none left by earlier jobs",
				"benchctl: this host was as it must be when the job completed (looked for * ms)",
			}, []string{
				"### benchctl: this host was as it must be when the job started",
				"bench7: Linux * on *; revision *; * UTC",
				"| in step | cpufreq | performance on all 2 |",
				"### benchctl: this host was as it must be when the job completed",
			})
			if strings.Contains(j.Log, "unknown ") || strings.Contains(j.Log, "::") {
				t.Errorf("something is unknown, or called out:\n%s", j.Log)
			}
			t.Logf("\n%s\n%s", j.Log, j.Summary)
		})
	}
}

// A host that drifted fails the job, warns, or neither.
func TestGatePolicies(t *testing.T) {
	t.Parallel()
	w := newGateWorld(t, lab.Debian13, "fail", prepared(t))
	w.flip()
	j := w.job("echo measured")
	w.wantJob(j, "Failed",
		[]string{"  differs      cpufreq    " + drifted, "gate: fail fails the job.*", "::error title=benchctl gate::cpufreq: " + drifted},
		[]string{"| **differs** | cpufreq | policy1/scaling\\_governor is powersave, not performance |"})
	if strings.Contains(j.Log, "measured") {
		t.Errorf("the job's own step ran:\n%s", j.Log)
	}

	w.policy("warn")
	w.flip()
	w.wantJob(w.job("echo measured"), "Succeeded",
		[]string{"gate: warn lets the job go on*", "::warning title=benchctl gate::cpufreq: " + drifted, "measured"},
		[]string{"| **differs** | cpufreq | policy1/scaling\\_governor is powersave, not performance |"})

	w.policy("off")
	w.flip()
	if j := w.job("echo measured"); j.Result != "Succeeded" || j.Log != "measured\n" || j.Summary != "" {
		t.Errorf("off was not silent: %s\n%s\n%s", j.Result, j.Log, j.Summary)
	}
}

// policy changes the spec's gate, and applies it.
func (w *world) policy(name string) {
	w.t.Helper()
	w.sh("sed -i 's/^gate: .*/" + gateLine(name) + "/' /etc/benchctl/runner.yaml")
	w.benchctl(0, "apply", "--yes")
}

// What happens to a host while a job runs is told at its end.
func TestGateCompleted(t *testing.T) {
	t.Parallel()
	w := newGateWorld(t, lab.Debian13, "fail", prepared(t))
	id := w.hub.Enqueue(standin.Job{Script: "touch started; while [ -e started ]; do sleep 0.1; done"})
	w.waitJob(id, runs)
	work := boxWork + "/bench/bench"
	w.sh("until test -e " + work + "/started; do sleep 0.1; done")
	w.flip()
	w.look("echo 2000000 >" + governors + "policy0/scaling_max_freq")
	w.put("/root/torn.deb", torn(t), 0o644)
	w.sh("dpkg -i /root/torn.deb >/dev/null")
	w.sh("rm " + work + "/started")
	w.wantJob(w.waitJob(id, over), "Failed", []string{
		"benchctl: this host was NOT as it must be when the job completed*",
		"  differs      cpufreq  * changed during the job: policy1/scaling_governor from performance to powersave; " + drifted,
		"  differs      packages * packages were changed during the job, at * UTC",
		"  noted        frequency * a limit moved during the job: policy0/scaling_max_freq from 3000000 to 2000000 kHz",
	}, []string{"| **differs** | cpufreq | changed during the job: *"})
	w.benchctl(0, "apply", "--yes")

	w.wantJob(w.job("rm $RUNNER_TEMP/benchctl-gate.json; mkfifo $RUNNER_TEMP/benchctl-gate.json"), "Succeeded",
		[]string{"::warning title=benchctl gate::record: cannot tell what changed during this job: benchctl-gate.json is no plain file of reasonable size"}, nil)
}

// Whatever is wrong with the gate itself, the policy decides and says so.
func TestGateThatCannotAnswer(t *testing.T) {
	t.Parallel()
	w := newGateWorld(t, lab.Debian13, "fail", prepared(t))
	ruins := []struct{ name, shell, says string }{
		{"no expectation", "rm " + expectedFile, "expectation is unknown: nobody vouched for this host since it booted: *run benchctl apply"},
		{"hangs", `printf '#!/bin/sh\nexec sleep 600\n' >/usr/local/bin/benchctl`, "The gate came to no answer: it was not done after 10 seconds. *"},
		{"crashes", `printf '#!/bin/sh\nkill -ABRT $$\n' >/usr/local/bin/benchctl`, "The gate came to no answer: it ended with status 134. *"},
		{"is gone", "rm /usr/local/bin/benchctl", "The gate came to no answer: it cannot be started. *"},
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, policy := range []string{"fail", "warn"} {
		w.policy(policy)
		level, result := "warning", "Succeeded"
		if policy == "fail" {
			level, result = "error", "Failed"
		}
		for _, ruin := range ruins {
			if ruin.name == "hangs" && policy == "warn" {
				continue // twice ten seconds, for what TestHookScripts of resources shows, too
			}
			w.sh(ruin.shell)
			began := time.Now()
			j := w.job("")
			w.wantJob(j, result, []string{"::" + level + " title=benchctl gate::" + ruin.says}, nil)
			if j.Summary == "" {
				t.Errorf("%s, %s: the summary says nothing", policy, ruin.name)
			}
			t.Logf("%s, %s: %s after %s", policy, ruin.name, j.Result, time.Since(began).Round(100*time.Millisecond))
			w.install(path)
		}
		w.benchctl(0, "apply", "--yes")
	}
}

// A package manager at work, and what an earlier job left, are named.
func TestGateNamesNeighbours(t *testing.T) {
	t.Parallel()
	for _, legacy := range []bool{false, true} {
		t.Run(fmt.Sprintf("legacy cgroups %v", legacy), func(t *testing.T) {
			t.Parallel()
			w := newGateWorld(t, lab.Debian13, "warn", prepared(t), func(o *lab.Options) { o.LegacyCgroups = legacy })
			w.put("/root/held.deb", scripted(t, "held", "touch /run/held; while test -e /run/held; do sleep 0.1; done"), 0o644)
			w.sh("systemd-run -q --collect dpkg -i /root/held.deb; until test -e /run/held; do sleep 0.1; done")
			pid := w.sh("pgrep -x dpkg")
			w.wantJob(w.job(""), "Succeeded",
				[]string{"  differs      packages * packages are being changed: process " + strings.TrimSpace(pid) + " holds /var/lib/dpkg/lock*"}, nil)

			w.sh("rm /run/held; while pgrep -x dpkg; do sleep 0.1; done")
			j := w.job(`RUNNER_TRACKING_ID= GITHUB_RUN_ID=4211 setsid sleep 300 >/dev/null 2>&1 </dev/null &
				until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done; disown`)
			w.wantJob(j, "Succeeded", []string{"::warning title=benchctl gate::processes: will outlive the job: sleep (pid *, of run 4211)"}, nil)
			w.wantJob(w.job(""), "Succeeded",
				[]string{"  differs      processes  left by earlier jobs: sleep (pid *, of run 4211)"}, nil)
			w.sh("pkill -x sleep")
			if j := w.job(""); strings.Contains(j.Log, "sleep") {
				t.Errorf("a process that is gone is named:\n%s", j.Log)
			}
		})
	}
}

// gated: on a real kernel and a real disk, too, the gate sees all there is from
// inside the unit. How busy the lab is, is the lab's affair.
func (g *guest) gated() {
	look := func(want ...string) {
		g.t.Helper()
		j := g.job("")
		for _, pattern := range want {
			if !regexp.MustCompile("(?m)^  " + pattern).MatchString(j.Log) {
				g.t.Errorf("the job's log has no line %q:\n%s", pattern, j.Log)
			}
		}
		if strings.Contains(j.Log, "unknown") {
			g.t.Errorf("something is unknown:\n%s", j.Log)
		}
	}
	look("in step +service ", "in step +cpufreq +performance on all 2$", "in step +sysctl/kernel.perf_event_paranoid +-?[01]$",
		"[a-z ]+ load +.*[0-9.]+ ", "in step +packages ", "in step +processes +none left", "unsupported +throttling ")
	g.setGovernors("performance", "schedutil")
	g.put("/root/held.deb", scripted(g.t, "held", "touch /run/held; while test -e /run/held; do sleep 0.1; done"), 0o644)
	g.sh("systemd-run -q --collect dpkg -i /root/held.deb; until test -e /run/held; do sleep 0.1; done")
	look("differs +cpufreq +policy1/scaling_governor is schedutil, not performance$", "differs +packages .* holds /var/lib/dpkg/lock")
	g.sh("rm /run/held; while pgrep -x dpkg >/dev/null; do sleep 0.1; done; dpkg -P held")
	g.setGovernors("performance", "performance")
}
