//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// TestKilledBeforeTheRestart kills an apply that has to restart the service for
// a new environment, before each of its changes in turn: after the stop and
// before the start, and between the files and the start, too. The effect that
// is owed survives the kill.
func TestKilledBeforeTheRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(trialSpec(0))
	w.benchctl(0, "apply")
	down := 0
	for n := 1; ; n++ {
		w.spec(trialSpec(n))
		r, came := w.try(n, applyYes)
		if r.Status == 0 {
			t.Logf("a new environment takes %d changes of the host; after %d kills the service was down", len(came), down)
			break
		}
		if len(came) != n {
			t.Fatalf("not killed before change %d: status %d\n%s%s", n, r.Status, r.Stdout, r.Stderr)
		}
		if w.unitState("ActiveState") != "active" {
			down++
		}
		w.converged(came[n-1], nil)
		w.runsWith(came[n-1], n)
	}
	if down < 5 {
		t.Errorf("only %d kills came between stop and start", down)
	}
}

// runsWith wants the running service to carry the revision on disk, and the
// next job to see the environment of that trial.
func (w *world) runsWith(after step, trial int) {
	w.t.Helper()
	onDisk := w.look("sed -n s/^Environment=BENCHCTL_REVISION=//p /etc/systemd/system/" + runnerUnit)
	running := w.look("tr '\\0' '\\n' </proc/" + w.unitState("MainPID") + "/environ | sed -n s/^BENCHCTL_REVISION=//p")
	if onDisk == "" || running != onDisk {
		w.t.Errorf("after %v the running revision is %q, on disk is %q", after, running, onDisk)
	}
	id := w.hub.Enqueue(standin.Job{Script: `echo "trial $TRIAL"`})
	if j := w.waitJob(id, over); !strings.Contains(j.Log, fmt.Sprintf("trial %d\n", trial)) {
		w.t.Errorf("after %v the next job does not see the environment of trial %d: %+v", after, trial, j)
	}
}

// TestKilledAtAnyInstant kills an apply from outside after a random time, in
// the middle of changes too, and lets live what benchctl had started.
func TestKilledAtAnyInstant(t *testing.T) {
	root := prepared(t)
	const seed = 6
	random := rand.New(rand.NewPCG(seed, seed))
	for range 12 {
		after := time.Duration(random.Int64N(int64(1800 * time.Millisecond)))
		t.Run(fmt.Sprint(after.Milliseconds(), "ms"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, lab.Debian13, root)
			w.spec(plainSpec)
			r, err := w.host.Do(t.Context(), lab.Command{
				Argv: []string{"bash", "-c", `benchctl apply & sleep "$0"; kill -KILL $!; wait $!`, fmt.Sprint(after.Seconds())},
				Env:  []string{"GITHUB_TOKEN=" + apiToken}, Properties: []string{"KillMode=process"},
			})
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Split(strings.TrimSpace(r.Stderr), "\n")
			last := said[max(0, len(said)-2)] // the very last is bash's
			t.Logf("it had said last: %s", last)
			// A Listener that has only just been started says nothing yet, and
			// then nobody can tell whether it has a job.
			w.benchctl(0, "apply", "--yes", "--wait")
			w.inStep("a kill after: " + last)
		})
	}
}

// TestKilledWhileAptWorks kills an apply while apt installs packages, which
// goes on by itself. The next apply waits for it.
func TestKilledWhileAptWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13)
	w.spec(plainSpec)
	r, err := w.host.Do(t.Context(), lab.Command{
		Argv: []string{"bash", "-c", `benchctl apply & until grep -qs '^Unpacking' /run/benchctl/*.log; do sleep 0.05; done; kill -KILL $!; wait $!`},
		Env:  []string{"GITHUB_TOKEN=" + apiToken},
	})
	if err != nil || r.Status != 128+9 {
		t.Fatalf("%v, status %d\n%s%s", err, r.Status, r.Stdout, r.Stderr)
	}
	w.benchctl(0, "apply", "--yes")
	w.inStep("a kill while apt works")
	if broken := w.run("dpkg", "--audit"); broken != "" {
		t.Errorf("dpkg says: %s", broken)
	}
}
