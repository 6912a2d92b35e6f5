//go:build e2e

package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

const (
	inMachine = "JOBS_TEST_IN_MACHINE"
	toyUnit   = "actions.runner.toy.bench.service"
)

// The same trials with a real systemd on either side: the unit of the runner,
// a shell and a relay between it and the Listener, and the guardian.
func TestWithSystemd(t *testing.T) {
	for _, release := range lab.Releases() {
		t.Run(release.Name, func(t *testing.T) { testInMachine(t, release, lab.Options{}) })
	}
	t.Run("legacy cgroups", func(t *testing.T) {
		testInMachine(t, lab.Debian12, lab.Options{LegacyCgroups: true})
	})
}

// testInMachine boots a machine and runs the tests TestInMachine... there.
func testInMachine(t *testing.T, release lab.Release, opt lab.Options) {
	l := &lab.Lab{Log: t.Logf}
	root, err := l.Root(t.Context(), release)
	if err != nil {
		t.Fatal(err)
	}
	opt.Lower = []string{root}
	m, err := l.Boot(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Put("/usr/local/lib/jobs.test", self, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := m.Do(t.Context(), lab.Command{
		Argv: []string{"/usr/local/lib/jobs.test", "-test.v", "-test.run", "^TestInMachine"},
		Env:  []string{inMachine + "=1", "HOME=/root", "TMPDIR=/var/tmp"},
	})
	t.Log(out.Stdout)
	if err = errors.Join(err, out.Err()); err != nil {
		t.Fatal(err)
	}
}

// newUnitRunner is a toy runner that systemd runs.
func newUnitRunner(t *testing.T, seed uint64) (*toyRunner, *linux.Machine) {
	t.Helper()
	if os.Getenv(inMachine) == "" {
		t.Skip("runs in a machine of the lab, see TestWithSystemd")
	}
	r := newToyRunner(t, seed)
	m := &linux.Machine{}
	script := filepath.Join(r.dir, "runsvc.sh")
	relay := filepath.Join(r.dir, "bin.1", "node")
	copySelf(t, relay)
	write(t, script, "#!/bin/bash\n"+relay+" & PID=$!\ntrap 'kill -INT $PID' TERM INT\nwait $PID\ntrap - TERM INT\nwait $PID\n")
	write(t, "/run/systemd/system/"+toyUnit, "[Service]\nExecStart="+script+"\nKillMode=mixed\nTimeoutStopSec=5s\nEnvironment=SERVER="+
		r.server.Addr().String()+" PERF="+r.keep.perf+"\n")
	if err := m.Systemd().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	perf := r.keep.perf
	r.keep = New(m, Runner{Dir: r.dir, Unit: toyUnit})
	r.keep.perf = perf
	r.launch = func() {
		if err := m.Systemd().Start(t.Context(), toyUnit); err != nil {
			t.Fatal(err)
		}
	}
	r.down = func() bool {
		u, err := m.Unit(t.Context(), toyUnit)
		return err == nil && u.ActiveState == "inactive"
	}
	t.Cleanup(func() { _ = exec.Command("systemctl", "kill", "-s", "KILL", toyUnit).Run() })
	return r, m
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// toyNode relays SIGINT to the Listener and starts it anew when it was killed.
func toyNode() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT)
	dir, _ := os.Executable()
	for {
		cmd := exec.Command(filepath.Join(filepath.Dir(dir), listenerName))
		if cmd.Start() != nil {
			os.Exit(1)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-signals:
			_ = cmd.Process.Signal(unix.SIGINT)
			<-ended
			return
		case <-ended:
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// toyStopper stops the toy's unit; the test kills it somewhere on the way.
func toyStopper() {
	k := New(&linux.Machine{}, Runner{Dir: os.Args[2], Unit: toyUnit})
	k.perf = filepath.Join(os.Args[2], "Runner.perf")
	fmt.Println(k.Stop(context.Background()))
}

func init() {
	if filepath.Base(os.Args[0]) == "node" {
		toyNode()
		os.Exit(0)
	}
	if len(os.Args) > 2 && os.Args[1] == "stop" {
		toyStopper()
		os.Exit(0)
	}
}

func TestInMachineNoJobIsDisturbed(t *testing.T) {
	r, _ := newUnitRunner(t, 1)
	sum := r.trials(acts, 200, 1, func(tally) bool { return false })
	t.Log(sum)
	if sum.lost > 0 || sum.overlaps > 0 || min(sum.stopped, sum.held, sum.busy) < 5 {
		t.Errorf("%v; want none lost, none disturbed, and enough of each kind", sum)
	}
}

// The same of a queue that is never empty.
func TestInMachineSeize(t *testing.T) {
	r, _ := newUnitRunner(t, 6)
	const n = 30
	sum := r.trials(seizures, n, 6, func(tally) bool { return false })
	t.Log(sum)
	if sum.lost > 0 || sum.overlaps > 0 || sum.held != 2*n || sum.stopped != n/2 {
		t.Errorf("%v; want %d changes and %d stops, none of them during a job", sum, 2*n, n/2)
	}
}

func TestInMachineEachPartIsNeeded(t *testing.T) {
	for name, leaveOut := range map[string]func(*Keeper){
		"acquisition": func(k *Keeper) { k.blind = true },
		"hold":        func(k *Keeper) { k.loose = true },
	} {
		r, _ := newUnitRunner(t, 2)
		leaveOut(r.keep)
		sum := r.trials(acts, 300, 2, func(n tally) bool { return n.lost+n.overlaps > 2 })
		t.Log(name, sum)
		if sum.lost+sum.overlaps == 0 {
			t.Errorf("without the %s: %v; want jobs lost or disturbed", name, sum)
		}
		if err := r.keep.host.Systemd().Stop(t.Context(), toyUnit); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever is killed, and whenever: in the end the unit is down or nothing of
// it stands still.
func TestInMachineKilledAnywhere(t *testing.T) {
	r, _ := newUnitRunner(t, 3)
	random := rand.New(rand.NewPCG(3, 3))
	r.start()
	stopped := 0
	for range 60 {
		unit := fmt.Sprintf("stopper-%d", random.Uint64())
		run(t, "systemd-run", "--quiet", "--collect", "--unit", unit, "/usr/local/lib/jobs.test", "stop", r.dir)
		time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
		_ = exec.Command("systemctl", "kill", "-s", "KILL", unit).Run()
		for deadline := time.Now().Add(time.Minute); r.frozen() || r.stopping(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the runner stands still for ever")
			}
		}
		if r.down() {
			stopped++
			r.start()
		}
	}
	t.Logf("%d of 60 went as far as to stop the runner", stopped)
	if stopped == 0 || stopped == 60 {
		t.Errorf("%d of 60: all were killed on the same side", stopped)
	}
}

// frozen reports whether a process of the runner is stopped.
func (r *toyRunner) frozen() bool {
	u, _ := r.keep.host.Unit(r.t.Context(), toyUnit)
	listeners, _, _ := r.keep.find()
	for _, l := range listeners {
		if l.State == 'T' {
			return true
		}
	}
	s, err := r.keep.proc.process(u.MainPID)
	return err == nil && s.State == 'T'
}

func (r *toyRunner) stopping() bool {
	u, err := r.keep.host.Unit(r.t.Context(), toyUnit)
	return err != nil || strings.HasPrefix(u.ActiveState, "deact")
}

// The guardian's unit outlives the one that it guards against, and systemd
// outlives the guardian.
func TestInMachineGuardian(t *testing.T) {
	newUnitRunner(t, 4)
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("journalctl", "--no-pager", "-n", "60").CombinedOutput()
			t.Logf("%s", out)
		}
	})
	for _, victim := range []string{"holder", "benchctl-resume-*"} {
		p := sleeper(t)
		run(t, "systemd-run", "--quiet", "--collect", "--unit", "holder", "/usr/local/lib/jobs.test", "hold", target{process: p}.String())
		eventually(t, p.PID, true)
		time.Sleep(50 * time.Millisecond)
		run(t, "systemctl", "kill", "-s", "KILL", victim) // all of the control group
		eventually(t, p.PID, false)
		_ = exec.Command("systemctl", "kill", "-s", "KILL", "holder").Run()
		for exec.Command("systemctl", "is-active", "-q", "holder").Run() == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// What a hold costs, for the log.
func TestInMachineCost(t *testing.T) {
	r, m := newUnitRunner(t, 5)
	r.server.Close() // a Listener that no job reaches
	r.start()
	time.Sleep(200 * time.Millisecond)
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	began := time.Now()
	const n = 20
	for range n {
		_, release, err := r.keep.Hold(t.Context())
		if err == nil {
			err = release()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	t.Logf("hold and release: %v each, %v of CPU in benchctl", time.Since(began)/n,
		time.Duration(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano())/n)
	if err := m.Systemd().Stop(t.Context(), toyUnit); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", argv, err, out)
	}
}
