//go:build e2e

package lab_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

// root makes or reuses a release's root, and fails loudly when it cannot.
func root(t *testing.T, l *lab.Lab, r lab.Release, packages ...string) string {
	t.Helper()
	dir, err := l.Root(t.Context(), r, packages...)
	if errors.Is(err, lab.ErrNoMirror) {
		t.Fatalf("%s was NOT TESTED: %v", r, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// boot starts a machine that is deleted at the end of the test.
func boot(t *testing.T, r lab.Release, opt lab.Options) *lab.Machine {
	t.Helper()
	l := &lab.Lab{Log: t.Logf}
	opt.Lower = append(opt.Lower, root(t, l, r))
	m, err := l.Boot(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// must runs a shell script in the machine and returns what it said.
func must(t *testing.T, m *lab.Machine, script string) string {
	t.Helper()
	r, err := m.Run(t.Context(), "sh", "-c", script)
	if err = errors.Join(err, r.Err()); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return strings.TrimSpace(r.Stdout)
}

func TestEachReleaseBootsAndReboots(t *testing.T) {
	for _, r := range lab.Releases() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			m := boot(t, r, lab.Options{})
			if got, want := must(t, m, `. /etc/os-release; echo "$ID-$VERSION_ID"`), r.Name; got != want {
				t.Errorf("the machine is %s, want %s", got, want)
			}
			must(t, m, "echo kept >/var/lib/kept; echo gone >/run/gone")
			if err := m.Reboot(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := must(t, m, "cat /var/lib/kept; test -e /run/gone || echo rebooted"); got != "kept\nrebooted" {
				t.Errorf("after a reboot: %q", got)
			}
		})
	}
}

func TestRunKeepsStreamsAndStatusApart(t *testing.T) {
	t.Parallel()
	m := boot(t, lab.Debian12, lab.Options{})
	secret := `a"b\c $HOME 'd'`
	r, err := m.Do(t.Context(), lab.Command{
		Argv:  []string{"sh", "-c", `cat; printf "%s\n" "$SECRET"; id -un; pwd; echo oops ${0} >&2; exit 7`, "zero"},
		Env:   []string{"SECRET=" + secret},
		User:  "nobody",
		Dir:   "/var",
		Stdin: []byte("given\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := lab.Result{Stdout: "given\n" + secret + "\nnobody\n/var\n", Stderr: "oops zero\n", Status: 7}
	if r != want {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	m := boot(t, lab.Debian12, lab.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := m.Run(ctx, "sleep", "4711"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v, want the context's", err)
	}
	if r, _ := m.Look(t.Context(), "pgrep", "-f", "sleep 4711"); r.Stdout != "" {
		t.Errorf("the command lives on as %s", r.Stdout)
	}
}

func TestKilledMachineStartsAgain(t *testing.T) {
	t.Parallel()
	m := boot(t, lab.Debian13, lab.Options{})
	must(t, m, "echo kept >/var/lib/kept; sync")
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(t.Context(), "true"); !errors.Is(err, lab.ErrDown) {
		t.Errorf("running in a machine that is down: %v", err)
	}
	if data, err := m.Read("/var/lib/kept"); string(data) != "kept\n" {
		t.Errorf("reading from a machine that is down: %q, %v", data, err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t, m, "test -e /var/lib/kept")
}

func TestCloseLeavesNothing(t *testing.T) {
	l := &lab.Lab{Log: t.Logf}
	disk := t.TempDir()
	m, err := l.Boot(t.Context(), lab.Options{Lower: []string{root(t, l, lab.Debian12)}, Hostname: "leaves-nothing", Disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	must(t, m, "setsid sleep 4712 >/dev/null 2>&1 & true")
	pid, err := m.PID()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Error("its init lives on")
	}
	if mounts, _ := os.ReadFile("/proc/self/mounts"); strings.Contains(string(mounts), "benchctl-lab") {
		t.Errorf("a mount is left:\n%s", mounts)
	}
	if left, _ := os.ReadDir(disk); len(left) > 0 {
		t.Errorf("on the disk there is still %v", left)
	}
	if left, _ := filepath.Glob(fmt.Sprintf("/run/benchctl-lab-%d-*", os.Getpid())); len(left) > 0 {
		t.Errorf("in /run there is still %q", left)
	}
}

// A machine must not outlive a test process that was killed: this one starts
// itself as a second process, which boots a machine and then kills itself.
func TestKilledProcessLeavesNothing(t *testing.T) {
	if os.Getenv("LAB_TEST_DIE") != "" {
		m := boot(t, lab.Debian12, lab.Options{})
		pid, err := m.PID()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("init %d\n", pid)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	root(t, &lab.Lab{Log: t.Logf}, lab.Debian12)
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcessLeavesNothing$")
	cmd.Env = append(os.Environ(), "LAB_TEST_DIE=1")
	out, _ := cmd.Output()
	var pid int
	if _, err := fmt.Sscanf(string(out), "init %d", &pid); err != nil {
		t.Fatalf("no machine was started: %s", out)
	}
	cgroups := fmt.Sprintf("/sys/fs/cgroup*/unified/benchctl-lab-%d-*", cmd.Process.Pid)
	gone := func() bool {
		left, _ := filepath.Glob(cgroups)
		stages, _ := filepath.Glob(fmt.Sprintf("/run/benchctl-lab-%d-*", cmd.Process.Pid))
		_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		return err != nil && left == nil && stages == nil
	}
	for start := time.Now(); !gone(); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the machine outlives the process that started it")
		}
	}
}
