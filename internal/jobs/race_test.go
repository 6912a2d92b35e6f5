package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// toyRunner is a runner of real processes, and the part of a host that a
// Keeper asks about it.
type toyRunner struct {
	host.Host // nil: what is not below is not asked

	t      *testing.T
	dir    string
	server *toyServer
	keep   *Keeper

	process *exec.Cmd
	ended   chan struct{}

	launch func()      // starts the runner
	down   func() bool // whether it has ended
}

func newToyRunner(t *testing.T, seed uint64) *toyRunner {
	t.Helper()
	r := &toyRunner{t: t, dir: t.TempDir(), server: newToyServer(t, seed)}
	bin := filepath.Join(r.dir, "bin.1")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	copySelf(t, filepath.Join(bin, listenerName))
	if err := os.Link(filepath.Join(bin, listenerName), filepath.Join(bin, workerName)); err != nil {
		t.Fatal(err)
	}
	r.keep = New(r, Runner{Dir: r.dir, Unit: "toy.service", UID: os.Getuid()})
	r.keep.perf = filepath.Join(r.dir, "Runner.perf")
	r.keep.arm = armedChild
	r.launch = r.startListener
	r.down = func() bool {
		select {
		case <-r.ended:
			return true
		default:
			return false
		}
	}
	t.Cleanup(func() {
		if r.process != nil {
			_ = r.process.Process.Kill()
			<-r.ended
		}
	})
	return r
}

// armedChild arms as benchctl does where it cannot ask systemd for a unit.
func armedChild(_ context.Context, targets []target) (*guardian, error) {
	args, err := guardArgs(targets)
	if err != nil {
		return nil, err
	}
	return armChild(args)
}

// copySelf makes a program of this one. No other test may start one meanwhile:
// that would inherit the open file, and a file that somebody may write to is
// not executed (ETXTBSY).
func copySelf(t testing.TB, to string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, from); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// start starts the runner with an empty perf log.
func (r *toyRunner) start() {
	r.t.Helper()
	if err := os.WriteFile(r.keep.perf, nil, 0o644); err != nil {
		r.t.Fatal(err)
	}
	r.launch()
}

func (r *toyRunner) startListener() {
	cmd := exec.Command(filepath.Join(r.dir, "bin.1", listenerName))
	cmd.Env = []string{"SERVER=" + r.server.Addr().String(), "PERF=" + r.keep.perf}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	r.process, r.ended = cmd, ended
}

func (r *toyRunner) Unit(context.Context, string) (host.Unit, error) {
	return host.Unit{LoadState: "loaded", ActiveState: "active"}, nil
}

func (r *toyRunner) Systemd() host.Systemd { return toySystemd{r: r} }

type toySystemd struct {
	host.Systemd
	r *toyRunner
}

// BeginStop tells the Listener to end, a little later, as the shell and the
// node process between systemd and the real one do.
func (s toySystemd) BeginStop(context.Context, string) (func(context.Context) error, error) {
	r := s.r
	ended, process := r.ended, r.process.Process
	time.AfterFunc(2*<-r.server.rand, func() { _ = process.Signal(unix.SIGINT) })
	return func(context.Context) error { <-ended; return nil }, nil
}

// tally is what came of a number of trials.
type tally struct{ stopped, held, busy, lost, overlaps int }

func (n tally) String() string {
	return fmt.Sprintf("%d stopped, %d held, %d busy; %d jobs lost, %d ran into a change",
		n.stopped, n.held, n.busy, n.lost, n.overlaps)
}

// trials acts at random moments on a runner that has one job after another,
// until enough is true, and counts the jobs that suffered from it.
func (r *toyRunner) trials(does []act, n int, seed uint64, enough func(tally) bool) tally {
	var sum tally
	random := rand.New(rand.NewPCG(seed, 7))
	unfinished := make(map[string]bool)
	r.start()
	for i := 0; i < n && !enough(sum); i++ {
		time.Sleep(time.Duration(random.Int64N(int64(60 * time.Millisecond))))
		err := does[i%len(does)](r, &sum, unfinished)
		if errors.Is(err, reconcile.ErrBusy) {
			sum.busy++
		} else if err != nil {
			r.t.Fatal(err)
		}
	}
	return sum
}

// An act is one thing that an apply does, and counts what came of it.
type act func(r *toyRunner, sum *tally, unfinished map[string]bool) error

// One change at a time, if no job is there.
var acts = []act{
	func(r *toyRunner, sum *tally, unfinished map[string]bool) error {
		return r.change(r.keep, sum, unfinished)
	},
	func(r *toyRunner, sum *tally, unfinished map[string]bool) error {
		return r.stop(r.keep, sum, unfinished)
	},
}

// Two changes while the runner is held on, and then a stop, or not.
var seizures = []act{
	func(r *toyRunner, sum *tally, unfinished map[string]bool) error {
		return r.seize(false, sum, unfinished)
	},
	func(r *toyRunner, sum *tally, unfinished map[string]bool) error {
		return r.seize(true, sum, unfinished)
	},
}

func (r *toyRunner) seize(stop bool, sum *tally, unfinished map[string]bool) error {
	s, err := r.keep.Seize(r.t.Context(), func(string) { sum.busy++ })
	if err != nil {
		return err
	}
	defer s.Release()
	for range 2 {
		err = errors.Join(err, r.change(s, sum, unfinished))
	}
	if stop && err == nil {
		err = r.stop(s, sum, unfinished)
	}
	return err
}

// change holds the runner for a moment. No job may be in the hands of the
// runner then: not one of before, and no new one.
func (r *toyRunner) change(jobs reconcile.Jobs, sum *tally, unfinished map[string]bool) error {
	_, release, err := jobs.Hold(r.t.Context())
	if err != nil {
		return err
	}
	time.Sleep(20 * time.Millisecond)
	r.server.drain(unfinished)
	if len(unfinished) > 0 {
		sum.overlaps++
	}
	sum.held++
	return release()
}

// stop stops the runner and starts it again. Each job that it had acquired is
// lost if it is not done by then.
func (r *toyRunner) stop(jobs reconcile.Jobs, sum *tally, unfinished map[string]bool) error {
	if err := jobs.Stop(r.t.Context()); err != nil && !r.down() {
		return err
	}
	time.Sleep(40 * time.Millisecond) // what was sent has arrived
	r.server.drain(unfinished)
	sum.lost += len(unfinished)
	clear(unfinished)
	sum.stopped++
	r.start()
	return nil
}

func TestNoJobIsDisturbed(t *testing.T) {
	t.Parallel()
	n := 3000
	if testing.Short() {
		n = 60
	}
	sum := newToyRunner(t, 1).trials(acts, n, 1, func(n tally) bool { return min(n.stopped, n.held, n.busy) >= 10 })
	t.Log(sum)
	if sum.lost > 0 || sum.overlaps > 0 {
		t.Errorf("%v; want none lost and no change during a job", sum)
	}
	if min(sum.stopped, sum.held, sum.busy) < 5 {
		t.Errorf("%v: too few of one kind to prove anything", sum)
	}
}

// A queue that is never empty cannot keep the runner from being seized: each
// trial gets through, and no job suffers from it.
func TestSeizeInABusyQueue(t *testing.T) {
	t.Parallel()
	n := 40
	if testing.Short() {
		n = 10
	}
	r := newToyRunner(t, 6)
	sum := r.trials(seizures, n, 6, func(tally) bool { return false })
	t.Log(sum)
	if sum.lost > 0 || sum.overlaps > 0 || sum.held != 2*n || sum.stopped != n/2 || sum.busy == 0 {
		t.Errorf("%v; want %d changes and %d stops, none of them during a job", sum, 2*n, n/2)
	}
}

// Without one of its parts the same trials lose jobs: the trials can fail, and
// the parts are needed.
func TestEachPartIsNeeded(t *testing.T) {
	t.Parallel()
	for name, leaveOut := range map[string]func(*Keeper){
		"the look for an acquisition": func(k *Keeper) { k.blind = true },
		"the hold":                    func(k *Keeper) { k.loose = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newToyRunner(t, 2)
			leaveOut(r.keep)
			// A slow machine finds the runner busy nearly always, and those
			// trials show nothing: what counts is how often we got through.
			sum := r.trials(acts, 3000, 2, func(n tally) bool {
				return n.lost+n.overlaps > 0 || n.stopped+n.held >= 300
			})
			t.Log(sum)
			if sum.lost+sum.overlaps == 0 {
				t.Errorf("without %s: %v; want a job lost or disturbed", name, sum)
			}
		})
	}
}
