//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A rush is a queue of jobs that is never empty, and a host that drifts and is
// corrected in spite of it.
type rush struct {
	*world
	seed uint64
	jobs int      // that there will be at least
	env  []string // of benchctl, to leave out what the other runs prove

	full      atomic.Bool // there were as many jobs as there should be
	satisfied atomic.Bool // no more drift, and so no more jobs
	changes   []step
	applies   int            // that did something
	held      []span         // in which one did, from the first to the last
	mended    map[string]int // how often, by resource
}

func (r *rush) String() string {
	all := r.hub.Jobs()
	return fmt.Sprintf("seed %d: %d jobs; %d applies made %d changes of the host, with %d restarts and %d downloads, and mended %v; %d jobs lost, %d met one",
		r.seed, len(all), r.applies, len(r.changes), len(r.restarts()), len(r.downloads()), r.mended, len(lost(all)), len(r.met()))
}

// met tells of each job that met a change, an apply, a restart or a download.
func (r *rush) met() []string {
	done := slices.Concat(instants(r.changes), r.held, r.restarts(), r.downloads())
	return met(r.hub.Jobs(), done)
}

// run has jobs and drift until there were enough of both.
func (r *rush) run() {
	r.t.Helper()
	r.hub.ForgetRequests() // the download of the first apply
	r.mended = map[string]int{}
	var feeding sync.WaitGroup
	feeding.Go(r.feed)
	random := rand.New(rand.NewPCG(r.seed, 2))
	var kinds []int
	for i := 1; !r.full.Load() && !r.t.Failed(); i++ {
		if len(kinds) == 0 {
			kinds = random.Perm(6)
		}
		r.letPass(random.IntN(10), time.Duration(random.Int64N(int64(100*time.Millisecond))))
		r.damage(kinds[0], i)
		kinds = kinds[1:]
		r.correct(i)
		if r.env != nil && len(lost(r.hub.Jobs()))+len(r.met()) > 0 {
			break
		}
	}
	r.satisfied.Store(true)
	feeding.Wait()
}

// letPass waits until some more jobs are over, and a moment longer.
func (r *rush) letPass(some int, longer time.Duration) {
	over := func() int { return len(r.hub.Jobs()) - r.ahead() }
	until := over() + some
	_ = r.hub.Until(r.t.Context(), func() bool { return over() >= until || r.full.Load() })
	time.Sleep(longer)
}

// ahead is how many jobs are not over yet.
func (r *rush) ahead() int {
	return len(slices.DeleteFunc(r.hub.Jobs(), standin.JobState.Over))
}

// feed keeps three jobs waiting, of random lengths and with random windows from
// message to worker, and in the end waits for the last.
func (r *rush) feed() {
	random := rand.New(rand.NewPCG(r.seed, 1))
	windows := standin.UpTo(40 * time.Millisecond)
	windows.Acknowledge, windows.Acquire = roundTrip, roundTrip
	few := func(n int) func() bool { return func() bool { return r.ahead() <= n } }
	for n := 1; !r.satisfied.Load() && r.t.Context().Err() == nil; n++ {
		r.hub.Enqueue(standin.Job{Sleep: time.Duration(random.Int64N(int64(100 * time.Millisecond))), Windows: &windows})
		_ = r.hub.Until(r.t.Context(), few(3))
		r.full.Store(n >= r.jobs)
	}
	_ = r.hub.Until(r.t.Context(), few(0))
}

// damage breaks the host, in one of six ways. Three of them need a restart, and
// one of these a download.
func (r *rush) damage(kind, i int) {
	r.t.Helper()
	r.flip()
	switch kind {
	case 0:
		r.look(placed("sed -i s/^Restart=always/Restart=no/ /etc/systemd/system/UNIT"))
	case 1:
		r.look(placed("echo '# mine' >>DIR/config.sh"))
	case 2:
		r.spec(trialSpec(i))
	}
}

// correct has benchctl mend the host between two jobs.
func (r *rush) correct(i int) {
	r.t.Helper()
	before := len(r.downloads())
	result, came := r.try(0, []string{"apply", "--yes", "--wait", "-o", "json"}, append(r.env, "BENCHCTL_PAUSE=10ms")...)
	r.changes = append(r.changes, came...)
	r.noteApply(fmt.Sprintf("apply %d", i), slices.Concat(r.downloads()[before:], instants(came)), came)
	if result.Status != 0 && r.env == nil {
		r.t.Errorf("apply %d ended with %d\n%s%s", i, result.Status, result.Stdout, result.Stderr)
		return
	}
	for _, id := range changed(r.parse(result)) {
		r.mended[id]++
	}
}

// noteApply notes the times from the first to the last of what an apply did, in
// which no job may begin either. Between what it prepared and the stop it may
// have let one through, whose message had come.
func (r *rush) noteApply(what string, did []span, came []step) {
	if len(did) > 0 {
		r.applies++
	}
	if i := slices.IndexFunc(came, func(s step) bool { return s.op == "stop" }); i >= 0 {
		before := func(s span) bool { return s.from.Before(came[i].at) }
		after := slices.DeleteFunc(slices.Clone(did), before)
		r.held = append(r.held, around(what+" after its stop", after)...)
		did = slices.DeleteFunc(did, func(s span) bool { return !before(s) })
	}
	r.held = append(r.held, around(what, did)...)
}

// around is one span around all, none around none.
func around(what string, all []span) []span {
	if len(all) == 0 {
		return nil
	}
	first := slices.MinFunc(all, func(a, b span) int { return a.from.Compare(b.from) })
	last := slices.MaxFunc(all, func(a, b span) int { return a.to.Compare(b.to) })
	return []span{{first.from, last.to, what}}
}

// newRush is a host in step and a seed, both as the environment asks for.
func newRush(t *testing.T, env ...string) *rush {
	w, seed := trialWorld(t)
	jobs, err := strconv.Atoi(cmp.Or(os.Getenv("BENCHCTL_E2E_JOBS"), "80"))
	if err != nil {
		t.Fatal(err)
	}
	return &rush{world: w, seed: seed, jobs: jobs, env: env}
}

// TestCorrectedInABusyQueue: each apply gets through although the queue is
// never empty, and no job meets it.
func TestCorrectedInABusyQueue(t *testing.T) {
	t.Parallel()
	r := newRush(t)
	r.run()
	t.Log(r)
	if lost, met := lost(r.hub.Jobs()), r.met(); lost != nil || met != nil {
		t.Errorf("lost: %q\nmet: %q", lost, met)
	}
	if idle := r.unhurried(); idle != nil {
		t.Errorf("no job waited at %v", idle)
	}
	if r.applies < 8 || len(r.restarts()) < 3 || len(r.downloads()) == 0 || r.mended["cpufreq"] < 8 {
		t.Error("too few of one kind to prove anything")
	}
	r.inStep("the last correction")
}

// unhurried lists the times that no job had to wait for.
func (r *rush) unhurried() (all []span) {
	jobs := r.hub.Jobs()
	for _, a := range r.held {
		if !slices.ContainsFunc(jobs, func(j standin.JobState) bool {
			return j.Queued.Before(a.from) && j.Acquired.After(a.from)
		}) {
			all = append(all, a)
		}
	}
	return all
}

// TestBusyQueueNeedsEachPart is the same with a part left out: it must fail, or
// it could not fail at all.
func TestBusyQueueNeedsEachPart(t *testing.T) {
	for part, leftOut := range map[string]string{
		"the hold":                    "BENCHCTL_NO_HOLD=1",
		"the look for an acquisition": "BENCHCTL_BLIND=1",
	} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			r := newRush(t, leftOut)
			r.run()
			t.Logf("%v: %q, %q", r, lost(r.hub.Jobs()), r.met())
			if len(lost(r.hub.Jobs()))+len(r.met()) == 0 {
				t.Errorf("without %s no job was lost or met a change", part)
			}
		})
	}
}
