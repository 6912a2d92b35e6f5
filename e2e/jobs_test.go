//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

const governors = "/sys/devices/system/cpu/cpufreq/"

// trialSpec is a runner whose jobs see TRIAL, so that another value is a reason
// to restart the service.
func trialSpec(trial int) string {
	return strings.Replace(plainSpec, "governor:", fmt.Sprintf("  env:\n    TRIAL: %q\ngovernor:", fmt.Sprint(trial)), 1)
}

// flip sets the governor of the second policy to another one than the spec's.
func (w *world) flip() { w.look("echo powersave >" + governors + "policy1/scaling_governor") }

// look runs a line of shell beside systemd, which is quicker.
func (w *world) look(line string) string {
	w.t.Helper()
	r, err := w.host.Look(w.t.Context(), "sh", "-c", line)
	if err != nil || r.Status != 0 {
		w.t.Fatalf("%s: %v, %v", line, err, r.Err())
	}
	return strings.TrimSpace(r.Stdout)
}

// runs waits until a job has its worker.
func runs(j standin.JobState) bool { return !j.Started.IsZero() }

// over waits until a job is over.
func over(j standin.JobState) bool { return j.Over() }

func (w *world) waitJob(id string, reached func(standin.JobState) bool) standin.JobState {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	j, err := w.hub.WaitJob(ctx, id, reached)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

func TestApplyDuringAJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(trialSpec(1))
	w.benchctl(0, "apply")
	job := w.lasts(standin.Job{})
	w.spec(trialSpec(2))
	w.flip()

	before := w.still()
	for _, verb := range [][]string{applyYes, {"revert"}, {"revert", "-f", "/lost.yaml"}} {
		r, came := w.try(0, verb)
		if r.Status != reconcile.ExitDeferred || !strings.Contains(r.Stdout+r.Stderr, "a job is running") || came != nil {
			t.Errorf("%v ended with %d after %v, want 3 and nothing done\n%s%s", verb, r.Status, came, r.Stdout, r.Stderr)
		}
	}
	if touched := unnoted(before.Touched(w.still())); len(touched) > 0 {
		t.Errorf("the deferred apply touched the host:\n%s", strings.Join(touched, "\n"))
	}
	if got := w.look("cat " + governors + "policy1/scaling_governor"); got != "powersave" {
		t.Errorf("the deferred apply set the governor to %s", got)
	}
	if j, _ := w.hub.Job(job.id); j.Over() {
		t.Fatalf("the job ended although nobody let it: %+v", j)
	}

	job.endsWhenWaitedFor()
	r, came := w.try(0, []string{"apply", "--yes", "--wait"})
	j, _ := w.hub.Job(job.id)
	if r.Status != 0 || !strings.Contains(r.Stderr, "a job is running") {
		t.Errorf("apply --wait ended with %d and did not say why it waited\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
	if !j.Over() || j.Lost != "" || len(came) == 0 || came[0].at.Before(j.Ended) {
		t.Errorf("apply --wait changed the host %v; the job: %+v", came, j)
	}
	w.inStep("apply --wait")
	id := w.hub.Enqueue(standin.Job{Script: `echo "trial $TRIAL"`})
	if j := w.waitJob(id, over); !strings.Contains(j.Log, "trial 2\n") {
		t.Errorf("the next job does not see the new environment: %+v", j)
	}
}

// still is what a host keeps, but for what a job writes and what the test does.
func (w *world) still() lab.Tree {
	w.t.Helper()
	tree, err := w.host.HashTree(w.t.Context(), boxDir+"/_diag", boxWork, "/var/log/benchctl")
	if err != nil {
		w.t.Fatal(err)
	}
	return tree
}

// TestKilledWhileTheListenerIsHeld: the Listener goes on, and a job that came
// meanwhile is not lost.
func TestKilledWhileTheListenerIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.benchctl(0, "apply")
	w.flip()
	_, all := w.try(0, applyYes)
	poke := slices.IndexFunc(all, func(s step) bool { return s.op == "poke" })
	if poke < 0 {
		t.Fatalf("nothing set the governor: %v", all)
	}
	const told = "/run/told"
	for range 3 {
		w.flip()
		var killed sync.WaitGroup
		w.look(": >" + told)
		killed.Go(func() {
			w.host.Do(t.Context(), lab.Command{
				Argv: []string{"sh", "-c", "exec /usr/local/bin/benchctl apply --yes 2>" + told},
				Env:  []string{"GITHUB_TOKEN=" + apiToken, fmt.Sprint("BENCHCTL_KILL_AT=", all[poke].n), "BENCHCTL_KILL_AFTER=2s"},
			})
		})
		// A job that came while it still looks would rightly put it off.
		w.reaches("cat "+told, fmt.Sprintf("change %d at ", all[poke].n))
		w.until("T")
		id := w.hub.Enqueue(standin.Job{})
		killed.Wait()
		died, came := time.Now(), steps(t, w.look("cat "+told))
		if len(came) != all[poke].n {
			t.Fatalf("benchctl was not killed at %v but went on to %v", all[poke], came)
		}
		w.until("S")
		j := w.waitJob(id, over)
		t.Logf("the job was acquired %v after the kill", j.Acquired.Sub(died).Round(time.Millisecond))
		if j.Lost != "" || j.Result != "Succeeded" || j.Acquired.Before(came[poke].at) {
			t.Errorf("the job that came meanwhile: %+v", j)
		}
		w.benchctl(0, "apply")
		w.inStep(came[poke])
	}
}

// TestGuardianKilledWhileTheListenerIsHeld: the Listener goes on in the middle
// of a change. That change has failed, and nothing more is touched.
func TestGuardianKilledWhileTheListenerIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.benchctl(0, "apply")
	w.flip()
	w.look("echo true >>/usr/local/lib/benchctl/job-started.sh")
	var killed sync.WaitGroup
	killed.Go(func() {
		w.until("T")
		w.look("systemctl kill -s KILL 'benchctl-resume-*'")
		w.until("S")
	})
	r, came := w.try(0, []string{"apply", "--yes", "-o", "json"}, "BENCHCTL_PAUSE=2s")
	killed.Wait()
	became := map[string]reconcile.Status{}
	for _, o := range w.parse(r).Results {
		became[o.ID.Kind] = o.Status
	}
	if r.Status != reconcile.ExitError || became["cpufreq"] != reconcile.Failed || became["hooks"] != reconcile.Deferred ||
		!strings.Contains(r.Stdout, "a job may have begun: the runner was to be held still, but its guardian") {
		t.Errorf("apply ended with %d after %v, and %v\n%s%s", r.Status, came, became, r.Stdout, r.Stderr)
	}
	w.benchctl(0, "apply", "--yes")
	w.inStep("a guardian that was killed")
}

// until waits until the Listener's main thread is in a state.
func (w *world) until(state string) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		is := w.look("ps -o s= -C Runner.Listener")
		if is == state {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the Listener is in state %s, and for a minute not in %s", is, state)
		}
	}
}
