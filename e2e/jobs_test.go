//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
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
	id := w.hub.Enqueue(standin.Job{Sleep: 6 * time.Second})
	w.waitJob(id, runs)
	w.spec(trialSpec(2))
	w.flip()

	before := w.still()
	for _, verb := range [][]string{applyYes, {"revert"}} {
		r, came := w.try(0, verb)
		if r.Status != reconcile.ExitDeferred || !strings.Contains(r.Stdout+r.Stderr, "a job is running") || came != nil {
			t.Errorf("%v ended with %d after %v, want 3 and nothing done\n%s%s", verb, r.Status, came, r.Stdout, r.Stderr)
		}
	}
	if touched := before.Touched(w.still()); touched != nil {
		t.Errorf("the deferred apply touched the host:\n%s", strings.Join(touched, "\n"))
	}
	if got := w.look("cat " + governors + "policy1/scaling_governor"); got != "powersave" {
		t.Errorf("the deferred apply set the governor to %s", got)
	}
	if j, _ := w.hub.Job(id); j.Over() {
		t.Fatalf("the job ended before the test had looked: %+v", j)
	}

	r, came := w.try(0, []string{"apply", "--yes", "--wait"})
	j, _ := w.hub.Job(id)
	if r.Status != 0 || !strings.Contains(r.Stderr, "a job is running") {
		t.Errorf("apply --wait ended with %d and did not say why it waited\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
	if !j.Over() || j.Lost != "" || len(came) == 0 || came[0].at.Before(j.Ended) {
		t.Errorf("apply --wait changed the host %v; the job: %+v", came, j)
	}
	w.inStep("apply --wait")
	id = w.hub.Enqueue(standin.Job{Script: `echo "trial $TRIAL"`})
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
	for range 3 {
		w.flip()
		var came []step
		var killed sync.WaitGroup
		killed.Go(func() { _, came = w.try(all[poke].n, applyYes, "BENCHCTL_KILL_AFTER=2s") })
		w.until("T")
		id := w.hub.Enqueue(standin.Job{})
		killed.Wait()
		died := time.Now()
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

// until waits until the Listener's main thread is in a state.
func (w *world) until(state string) {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		is := w.look("ps -o s= -C Runner.Listener")
		if is == state {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the Listener is in state %s, and for ten seconds not in %s", is, state)
		}
	}
}

// A trial is a number of jobs at random times against applies that always have
// something to change, and what came of it.
type trial struct {
	seed             uint64
	jobs             int
	env              []string                    // of benchctl
	enough           func(standin.JobState) bool // ends the trial early
	held, stopped    int
	deferred         int
	changes          []step
	ended            []standin.JobState
	lost, overlapped []string
}

func (n *trial) String() string {
	return fmt.Sprintf("seed %d: %d jobs; %d applies held the Listener, %d stopped it, %d were deferred; %d changes of the host; %d jobs lost, %d overlaps",
		n.seed, len(n.ended), n.held, n.stopped, n.deferred, len(n.changes), len(n.lost), len(n.overlapped))
}

// run has it all happen on a host that was applied once.
func (n *trial) run(w *world) {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	var jobs sync.WaitGroup
	jobs.Go(func() {
		defer stop()
		n.queue(w)
	})
	random := rand.New(rand.NewPCG(n.seed, 2))
	for i := 1; ctx.Err() == nil; i++ {
		n.apply(w, i, random)
	}
	jobs.Wait()
	n.judge()
}

// queue enqueues jobs in bunches, back to back, with a short pause after some
// bunches.
func (n *trial) queue(w *world) {
	random := rand.New(rand.NewPCG(n.seed, 1))
	upTo := func(most time.Duration) time.Duration { return time.Duration(random.Int64N(int64(most))) }
	// A job is GitHub's word soon after it was offered, and long without a worker.
	windows := standin.UpTo(80 * time.Millisecond)
	windows.Acknowledge.Max, windows.Acquire.Max = 5*time.Millisecond, 10*time.Millisecond
	for left := n.jobs; left > 0; {
		var bunch []string
		for range min(left, 1+random.IntN(3)) {
			bunch = append(bunch, w.hub.Enqueue(standin.Job{Sleep: upTo(150 * time.Millisecond), Windows: &windows}))
		}
		left -= len(bunch)
		for _, id := range bunch {
			ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
			j, err := w.hub.WaitJob(ctx, id, over)
			cancel()
			if err != nil {
				w.t.Errorf("%v: %+v", err, j)
				return
			}
			n.ended = append(n.ended, j)
			if n.enough != nil && n.enough(j) {
				return
			}
		}
		if random.IntN(2) == 0 {
			time.Sleep(upTo(250 * time.Millisecond))
		}
	}
}

// apply gives benchctl something to do and has it done, if no job is there.
func (n *trial) apply(w *world, i int, random *rand.Rand) {
	w.t.Helper()
	w.flip()
	if random.IntN(5) < 2 {
		w.spec(trialSpec(i))
	}
	verb := applyYes
	if random.IntN(2) == 0 {
		verb = []string{"apply", "--yes", "--wait"}
	}
	r, came := w.try(0, verb, append(n.env, "BENCHCTL_PAUSE=25ms")...)
	n.changes = append(n.changes, came...)
	stops := slices.ContainsFunc(came, func(s step) bool { return s.op == "stop" })
	switch {
	case r.Status == reconcile.ExitDeferred:
		n.deferred++
	case r.Status != 0 && n.env == nil:
		w.t.Errorf("apply %d ended with %d\n%s%s", i, r.Status, r.Stdout, r.Stderr)
	case stops:
		n.stopped++
	case len(came) > 0:
		n.held++
	}
}

// judge holds the timeline of the jobs against that of the changes.
func (n *trial) judge() {
	for _, j := range n.ended {
		if j.Lost != "" || j.Result != "Succeeded" {
			n.lost = append(n.lost, fmt.Sprintf("%s: %s %s", j.Name, j.Result, j.Lost))
		}
		for _, s := range n.changes {
			if s.at.After(j.Acquired) && s.at.Before(j.Ended) {
				n.overlapped = append(n.overlapped, fmt.Sprintf("%v at %v, %v after %s was acquired and %v before it ended",
					s, s.at.Format(time.TimeOnly), s.at.Sub(j.Acquired), j.Name, j.Ended.Sub(s.at)))
			}
		}
	}
}

// trialWorld is a host in step, and the seed that the environment asks for.
func trialWorld(t *testing.T) (*world, uint64) {
	t.Helper()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(trialSpec(0))
	w.benchctl(0, "apply")
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("BENCHCTL_E2E_SEED"), "20261123"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return w, seed
}

// TestNoJobMeetsAChange is law 5, as GitHub and the host's own changes tell it.
func TestNoJobMeetsAChange(t *testing.T) {
	t.Parallel()
	w, seed := trialWorld(t)
	n := trial{seed: seed, jobs: 250}
	n.run(w)
	t.Log(&n)
	if n.lost != nil || n.overlapped != nil {
		t.Errorf("lost: %q\noverlapped: %q", n.lost, n.overlapped)
	}
	const enough = 5
	if n.held < enough || n.stopped < enough || n.deferred < enough || len(n.ended) != n.jobs {
		t.Error("too few of one kind to prove anything")
	}
}

// TestLookingAloneLosesJobs is the same without the hold on the Listener: it
// must fail there, or it could not fail at all.
func TestLookingAloneLosesJobs(t *testing.T) {
	t.Parallel()
	w, seed := trialWorld(t)
	n := trial{seed: seed, jobs: 250, env: []string{"BENCHCTL_NO_HOLD=1"},
		enough: func(j standin.JobState) bool { return j.Lost != "" }}
	n.run(w)
	t.Logf("%v: %q", &n, n.lost)
	if n.lost == nil {
		t.Error("without the hold no job was lost")
	}
}
