package linux

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// child is a process of this test that runs a line of shell; the test goes on
// when the line has said a word.
func child(t *testing.T, line string) (*exec.Cmd, host.Process) {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	all, err := new(Machine).Processes()
	i := slices.IndexFunc(all, func(p host.Process) bool { return p.PID == cmd.Process.Pid })
	if err != nil || i < 0 {
		t.Fatalf("of %d processes none is %d: %v", len(all), cmd.Process.Pid, err)
	}
	return cmd, all[i]
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	_, p := child(t, "echo ready; exec sleep 60")
	if p.PPID != os.Getpid() || p.UID != os.Getuid() || p.Start == 0 || time.Since(p.Since).Abs() > time.Minute {
		t.Errorf("%+v", p)
	}
	all, err := new(Machine).Processes()
	if err != nil || !slices.IsSortedFunc(all, func(a, b host.Process) int { return a.PID - b.PID }) {
		t.Errorf("%v", err)
	}
}

func TestEnd(t *testing.T) {
	t.Parallel()
	polite, one := child(t, `trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done`)
	deaf, other := child(t, `trap '' TERM; echo ready; while :; do sleep 0.05; done`)
	stranger, third := child(t, "echo ready; exec sleep 60")
	third.Start-- // it was another one that was seen
	if err := new(Machine).End(t.Context(), 2*time.Second, one, other, third); err != nil {
		t.Fatal(err)
	}
	polite.Wait()
	deaf.Wait()
	if code := polite.ProcessState.ExitCode(); code != 7 {
		t.Errorf("the one that heeds SIGTERM ended with %d", code)
	}
	if s := deaf.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGKILL {
		t.Errorf("the one that does not ended as %v", deaf.ProcessState)
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("another process was ended: %v", err)
	}
	if err := new(Machine).End(t.Context(), time.Second, one); err != nil {
		t.Errorf("ended already: %v", err)
	}
}

func TestEndIsInterrupted(t *testing.T) {
	t.Parallel()
	deaf, p := child(t, `trap '' TERM; echo ready; while :; do sleep 0.05; done`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := new(Machine).End(ctx, time.Minute, p); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if err := deaf.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("it was killed all the same: %v", err)
	}
}
