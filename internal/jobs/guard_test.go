package jobs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// toyHolder stops a process, armed as benchctl would be here, says so, and never
// lets it go on. Its argument is the process; the test kills it.
func toyHolder() {
	want, err := parseTarget(os.Args[2])
	if err != nil {
		panic(err)
	}
	h := &held{proc: "/proc"}
	err = h.grab(want, true)
	if err == nil {
		h.guard, err = arm(context.Background(), h.targets)
	}
	if err == nil {
		err = h.stop(context.Background())
	}
	if err != nil {
		panic(err)
	}
	fmt.Println("held")
	select {}
}

// sleeper is a process to hold.
func sleeper(t testing.TB) process {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p, err := proc("/proc").process(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// eventually waits until a process stands still, or no longer does.
func eventually(t *testing.T, pid int, still bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		now, err := proc("/proc").still(pid)
		if err != nil {
			t.Fatal(err)
		}
		if now == still {
			return
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			t.Fatalf("process %d: it stands still: %v, for ten seconds; want %v", pid, now, still)
		}
	}
}

func TestKilledWhileHolding(t *testing.T) {
	t.Parallel()
	p := sleeper(t)
	holder := exec.Command("/proc/self/exe", "hold", target{process: p}.String())
	holder.Stderr = os.Stderr
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the holder said %q, %v", line, err)
	}
	eventually(t, p.PID, true)
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()
	eventually(t, p.PID, false)
}

func TestGuardGivesUpAfterItsLimit(t *testing.T) {
	t.Parallel()
	p := sleeper(t)
	self, err := proc("/proc").process(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(p.PID, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	guard := exec.Command("/proc/self/exe", GuardVerb, target{process: self}.String(), "50ms", target{process: p}.String())
	out, err := guard.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := guard.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != armed+"\n" {
		t.Fatalf("the guardian said %q, %v", line, err)
	}
	if err := guard.Process.Signal(beginHold); err != nil {
		t.Fatal(err)
	}
	eventually(t, p.PID, false)
	if err := guard.Wait(); err != nil {
		t.Error(err)
	}
}

func TestGuardRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		nil,
		{"1:1", "1s"},
		{"x", "1s", "5:5"},
		{"1:1", "1s", "5:5"},
		{"5:5", "soon", "5:5"},
		{"0:0", "1s", "-1:5"},
	} {
		if err := Guard(args); err == nil {
			t.Errorf("Guard(%q) accepted it", args)
		}
	}
}

// A PID that went to another process since is not signalled.
func TestGrabKnowsAnotherProcess(t *testing.T) {
	t.Parallel()
	p := sleeper(t)
	p.Start--
	if _, err := proc("/proc").grab(p); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v; want that it has ended", err)
	}
}
