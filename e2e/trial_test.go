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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A trial is a number of jobs at random times against applies that always have
// something to change, and what came of it.
type trial struct {
	seed          uint64
	jobs          int
	env           []string                    // of benchctl
	enough        func(standin.JobState) bool // ends the trial early
	held, stopped atomic.Int64
	deferred      int
	changes       []step
	ended         []standin.JobState
	lost, met     []string
}

func (n *trial) String() string {
	return fmt.Sprintf("seed %d: %d jobs; %d applies held the Listener, %d stopped it, %d were deferred; %d changes of the host; %d jobs lost, %d met a change",
		n.seed, len(n.ended), n.held.Load(), n.stopped.Load(), n.deferred, len(n.changes), len(n.lost), len(n.met))
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

// Applies of each kind that have to get through for a trial to prove anything,
// and how often as many jobs there may be until they do.
const (
	enoughApplies = 5
	patience      = 4
)

// proven reports whether enough applies of both kinds got through.
func (n *trial) proven() bool {
	return n.held.Load() >= enoughApplies && n.stopped.Load() >= enoughApplies
}

// queue enqueues jobs in bunches, back to back, with a short pause after some
// bunches. On a host so busy that no apply gets through in a pause, pauses
// become longer.
func (n *trial) queue(w *world) {
	random := rand.New(rand.NewPCG(n.seed, 1))
	upTo := func(most time.Duration) time.Duration { return time.Duration(random.Int64N(int64(most))) }
	// A job is acquired soon after it was offered, and long without a worker.
	windows := standin.UpTo(80 * time.Millisecond)
	windows.Acknowledge, windows.Acquire = roundTrip, roundTrip
	pause, through := 500*time.Millisecond, int64(0)
	for left := n.jobs; left > 0 || n.enough == nil && !n.proven() && left > -patience*n.jobs; {
		var bunch []string
		for range 1 + random.IntN(3) {
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
			time.Sleep(upTo(pause))
		}
		if len(n.ended)%25 < len(bunch) {
			if now := n.held.Load() + n.stopped.Load(); now == through {
				pause = min(2*pause, 4*time.Second)
			} else {
				through = now
			}
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
	if random.IntN(4) == 0 {
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
		n.stopped.Add(1)
	case len(came) > 0:
		n.held.Add(1)
	}
}

// judge holds the timeline of the jobs against that of the changes.
func (n *trial) judge() {
	n.lost, n.met = lost(n.ended), met(n.ended, instants(n.changes))
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
	n := trial{seed: seed, jobs: 150}
	n.run(w)
	t.Log(&n)
	if n.lost != nil || n.met != nil {
		t.Errorf("lost: %q\nmet a change: %q", n.lost, n.met)
	}
	if !n.proven() || n.deferred < enoughApplies || len(n.ended) < n.jobs {
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
