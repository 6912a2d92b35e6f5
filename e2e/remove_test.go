//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
)

// atHome is benchctl where an operator put it, so that the one in /usr/local/bin
// is a copy of benchctl's own making.
const atHome = "/root/benchctl"

// operated runs benchctl from the operator's place and wants an exit code.
func (w *world) operated(code int, env []string, args ...string) lab.Result {
	w.t.Helper()
	r, err := w.host.Do(w.t.Context(), lab.Command{Argv: append([]string{atHome}, args...), Env: env})
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Status != code {
		w.t.Fatalf("benchctl %q ended with %d, want %d\n%s%s", args, r.Status, code, r.Stdout, r.Stderr)
	}
	return r
}

var withToken = []string{"GITHUB_TOKEN=" + apiToken}

// A removed is what remove says in JSON.
type removed struct {
	reconcile.Report
	Left []resources.Leftover `json:"left"`
}

func (w *world) removed(r lab.Result) (all removed) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil {
		w.t.Fatalf("%v\n%s%s", err, r.Stdout, r.Stderr)
	}
	return all
}

// before is what a host has before the first apply, but for what apt, dpkg and
// the linker's cache write down each time that there is another package.
func (w *world) before() lab.Tree {
	w.t.Helper()
	tree := w.tree("/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/var/cache/debconf", "/var/cache/ldconfig", "/var/log")
	maps.DeleteFunc(tree, func(path string, _ lab.Entry) bool {
		return strings.HasPrefix(path, "/etc/") && strings.HasSuffix(path, "-") // shadow's own backups
	})
	return tree
}

// noGhost wants GitHub to have no entry of the host.
func (w *world) noGhost() {
	w.t.Helper()
	if all := w.hub.Runners(standin.Repo(repository)); len(all) != 0 {
		w.t.Errorf("GitHub still has %+v", all)
	}
}

// removeSpec asks for everything there is: a JDK from an archive, the Phoronix
// Test Suite with what apt brings for it, an agent, knobs and the cleanup.
func (w *world) removeSpec() string {
	w.t.Helper()
	archive, err := standin.JDKArchive("21.0.8")
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("/srv/jdk-21.tar.gz", string(archive.Data), 0o644)
	return plainSpec + "service: {needs: [perf]}\nschedule: \"*/30 * * * *\"\ncleanup: {work: 14d}\n" +
		fmt.Sprintf("jdk: {version: 21, archive: /srv/jdk-21.tar.gz, sha256: %s}\n", archive.SHA256) +
		ptsLine("10.8.6", w.pts("10.8.6")) + "\n"
}

// TestPurge takes a host with everything there is, a job behind it, apart again:
// afterwards nobody can tell that benchctl was ever there.
func TestPurge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.knob("/proc/sys/kernel/perf_event_paranoid", paranoid)
	w.sh("mv /usr/local/bin/benchctl " + atHome)
	w.spec(w.removeSpec())
	before, knobs := w.before(), w.knobs()
	began := time.Now()
	w.operated(0, withToken, "apply", "--yes")
	w.runJob("echo hello >file && java -version")
	t.Logf("from bare to a job in %s", time.Since(began).Round(time.Second))
	if differ := before.Changed(w.before()); len(differ) < 500 || w.knobs() == knobs {
		t.Errorf("an apply made only %d differences", len(differ))
	}

	began = time.Now()
	all := w.removed(w.operated(0, withToken, "remove", "--purge", "--yes", "-o", "json"))
	t.Logf("%v in %s", all.Summary, time.Since(began).Round(time.Second))
	w.noGhost()
	if differ := before.Changed(w.before()); differ != nil {
		t.Errorf("the host is not what it was:\n%s", strings.Join(differ, "\n"))
	}
	if now := w.knobs(); now != knobs {
		t.Errorf("the knobs are %s, want %s", now, knobs)
	}
	if again := w.operated(0, withToken, "remove", "--purge"); strings.Contains(again.Stdout, "->") {
		t.Errorf("a second removal finds\n%s", again.Stdout)
	}
	if got := w.sh("ls -d /run/benchctl /var/log/benchctl 2>/dev/null || true; systemctl list-units --all --plain --no-legend 'benchctl*' 'actions.runner*'"); got != "" {
		t.Errorf("there is still %s", got)
	}
	w.leftover(all.Left, atHome, "/etc/benchctl/runner.yaml")
}

// knobs are the values of those that the spec sets.
func (w *world) knobs() string {
	w.t.Helper()
	return w.sh("for f in /proc/sys/kernel/perf_event_paranoid " + governors + "*/scaling_governor; do echo $(cat $f); done")
}

// leftover wants exactly these to be listed.
func (w *world) leftover(left []resources.Leftover, want ...string) {
	w.t.Helper()
	var have []string
	for _, l := range left {
		have = append(have, l.What)
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		w.t.Errorf("left are %q, want %q", have, want)
	}
}

// TestRemove goes through what comes in the way of a removal, on a host that is
// applied anew each time.
func TestRemove(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec + "schedule: \"*/30 * * * *\"\n")
	if r := w.benchctl(0, "remove", "--purge", "--yes"); !strings.Contains(r.Stdout, "not there") {
		t.Errorf("of a host never set up it says\n%s", r.Stdout)
	}
	before := w.before()
	w.benchctl(0, "apply", "--yes")

	w.benchctl(0, "pause", "calibrating")
	w.benchctl(3, "remove", "--yes")
	w.benchctl(0, "resume")
	no := w.sh("echo n | GITHUB_TOKEN=" + apiToken + " script -qec 'benchctl remove --no-color' /dev/null || true")
	if !strings.Contains(no, "This takes the host out of service for good. Go on? [y/N]") || !strings.Contains(no, "to remove") || !strings.Contains(no, "nothing was changed") {
		t.Errorf("the question, or the answer to a no, is missing:\n%s", no)
	}
	w.inStep("a no")
	job := w.lasts(standin.Job{})
	untouched := w.still()
	if r, came := w.try(0, []string{"remove", "--purge", "--yes"}); r.Status != reconcile.ExitDeferred || came != nil {
		t.Errorf("during a job it ended with %d after %v\n%s%s", r.Status, came, r.Stdout, r.Stderr)
	}
	if touched := unnoted(untouched.Touched(w.still())); len(touched) > 0 {
		t.Errorf("during a job it touched\n%s", strings.Join(touched, "\n"))
	}
	job.endsWhenWaitedFor()
	r := w.benchctl(0, "remove", "--wait", "--yes")
	if j, _ := w.hub.Job(job.id); !j.Over() || j.Lost != "" {
		t.Errorf("remove --wait did not wait: %+v", j)
	}
	t.Logf("remove\n%s%s", r.Stderr, r.Stdout)
	w.noGhost()
	for _, line := range []string{"/var/lib/gha-runner", "userdel gha-runner", "rm /usr/local/bin/benchctl", "/etc/benchctl/runner.yaml"} {
		if !strings.Contains(r.Stdout, line) {
			t.Errorf("%q is not listed", line)
		}
	}

	t.Run("a token, without a spec", func(t *testing.T) {
		w := w.in(t)
		w.benchctl(0, "apply", "--yes")
		w.sh("mv /etc/benchctl/runner.yaml /root/kept.yaml")
		w.benchctlAs(1, []string{"GH_RUNNER_TOKEN=AAAANOTATOKENAAAANOTATOKENAAAA"}, "remove", "--yes")
		if got := w.sh("cat " + boxDir + "/.runner"); !strings.Contains(got, runnerName) {
			t.Errorf("a refused token cost the registration: %s", got)
		}
		token := w.hub.RemoveToken(standin.Repo(repository))
		r := w.benchctlAs(0, []string{"GH_RUNNER_TOKEN=" + token}, "remove", "--yes")
		if !strings.Contains(r.Stderr, "going by what is on this host") || strings.Contains(r.Stdout+r.Stderr, token) {
			t.Errorf("it says\n%s%s", r.Stderr, r.Stdout)
		}
		w.noGhost()
		w.sh("mkdir -p /etc/benchctl && mv /root/kept.yaml /etc/benchctl/runner.yaml")
	})
	t.Run("the last good spec's token", func(t *testing.T) {
		w := w.in(t)
		w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
		w.spec(plainSpec + "schedule: \"*/30 * * * *\"\ngithub: {tokenFile: /etc/benchctl/token}\n")
		w.benchctl(0, "apply", "--yes")
		w.reaches("ls /var/lib/benchctl/last-good.yaml", "last-good")
		w.spec("version: 1\n")
		if r := w.benchctlAs(0, nil, "remove", "--yes"); !strings.Contains(r.Stdout, "a secret of yours: rm /etc/benchctl/token") {
			t.Errorf("the token's file is not listed:\n%s", r.Stdout)
		}
		w.noGhost()
		w.spec(plainSpec + "schedule: \"*/30 * * * *\"\n")
		w.sh("rm /etc/benchctl/token")
	})
	t.Run("nobody to tell", func(t *testing.T) {
		w := w.in(t)
		w.benchctl(0, "apply", "--yes")
		r := w.benchctlAs(0, nil, "remove", "--yes")
		if all := w.hub.Runners(standin.Repo(repository)); len(all) != 1 || !strings.Contains(r.Stdout, "delete it on https://github.com/"+repository+"/settings/actions/runners") {
			t.Errorf("GitHub has %+v, and it says\n%s", all, r.Stdout)
		}
		for _, left := range w.hub.Runners(standin.Repo(repository)) {
			w.hub.DeleteRunner(left.ID)
		}
	})
	t.Run("killed again and again", func(t *testing.T) {
		w := w.in(t)
		w.benchctl(0, "apply", "--yes")
		kills := 0
		for n := 1; ; n++ {
			r, came := w.try(n, []string{"remove", "--purge", "--yes"})
			if r.Status == 0 {
				break
			}
			if kills++; len(came) != n || n > 40 {
				t.Fatalf("killed before change %d it ended with %d after %v\n%s%s", n, r.Status, came, r.Stdout, r.Stderr)
			}
		}
		t.Logf("killed %d times", kills)
		w.noGhost()
		if differ := before.Changed(w.before()); kills < 5 || differ != nil {
			t.Errorf("after %d kills the host is not what it was:\n%s", kills, strings.Join(differ, "\n"))
		}
	})
	t.Run("somebody else's runner", func(t *testing.T) {
		w := w.in(t)
		w.sh("mkdir -p " + boxDir + " && echo '{}' >" + boxDir + "/.runner")
		untouched := w.tree()
		if r := w.benchctl(1, "remove", "--purge", "--yes"); !strings.Contains(r.Stderr, "benchctl did not set it up") {
			t.Errorf("it says %s", r.Stderr)
		}
		if touched := untouched.Touched(w.tree()); touched != nil {
			t.Errorf("it touched %q", touched)
		}
	})
}
