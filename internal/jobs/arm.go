package jobs

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/coreos/go-systemd/v22/util"
	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// arm starts a guardian for processes that are about to be stopped, and
// returns when it is on duty. Its dismiss returns when it is gone: it must not
// let go on what the next one holds.
func arm(ctx context.Context, targets []target) (*guardian, error) {
	args, err := guardArgs(targets)
	if err != nil {
		return nil, err
	}
	if !util.IsRunningSystemd() {
		return armChild(args)
	}
	return armUnit(ctx, args, targets)
}

func guardArgs(targets []target) ([]string, error) {
	owner, err := proc("/proc").process(os.Getpid())
	if err != nil {
		return nil, err
	}
	args := []string{GuardVerb, target{process: owner}.String(), maxHold.String()}
	for _, t := range targets {
		args = append(args, t.String())
	}
	return args, nil
}

var units atomic.Uint64

// armUnit runs the guardian as a service of its own, which outlives benchctl
// and benchctl's unit. It runs this very program by way of /proc, since the
// file may have been replaced. Should the guardian itself be killed, a second
// unit lets the runner go on. That could not be a command of the same unit: a
// kernel may kill whatever is started in a control group that was killed.
func armUnit(ctx context.Context, args []string, targets []target) (*guardian, error) {
	conn, err := sd.NewWithContext(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("benchctl-resume-%d-%d", os.Getpid(), units.Add(1))
	guard, last := name+".service", name+"-last.service"
	argv := append([]string{fmt.Sprintf("/proc/%d/exe", os.Getpid())}, args...)
	done := make(chan string, 1)
	_, err = conn.StartTransientUnitAux(ctx, guard, "fail", guardUnit(argv, last),
		[]sd.PropertyCollection{{Name: last, Properties: lastUnit(targets)}}, done)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("cannot start %s: %w", guard, err)
	}
	dismiss := func() {
		defer conn.Close()
		bound, cancel := context.WithTimeout(context.Background(), maxLeave)
		defer cancel()
		ended := make(chan string, 1)
		if _, err := conn.StopUnitContext(bound, guard, "replace", ended); err == nil {
			await(bound, ended)
		}
	}
	if result := await(ctx, done); result != "done" {
		dismiss()
		return nil, fmt.Errorf("cannot start %s: %s; see: journalctl -u %s", guard, result, guard)
	}
	pid, err := mainPID(ctx, conn, guard)
	if err != nil {
		dismiss()
		return nil, fmt.Errorf("cannot see the process of %s: %w", guard, err)
	}
	return watch(pid, dismiss)
}

func mainPID(ctx context.Context, conn *sd.Conn, unit string) (int, error) {
	p, err := conn.GetServicePropertyContext(ctx, unit, "MainPID")
	if err != nil {
		return 0, err
	}
	pid, _ := p.Value.Value().(uint32)
	return int(pid), nil
}

// await returns how a job of systemd's ended.
func await(ctx context.Context, result <-chan string) string {
	select {
	case r := <-result:
		return r
	case <-ctx.Done():
		return ctx.Err().Error()
	}
}

func property(name string, value any) sd.Property {
	return sd.Property{Name: name, Value: dbus.MakeVariant(value)}
}

func guardUnit(argv []string, last string) []sd.Property {
	return []sd.Property{
		sd.PropDescription("benchctl: lets the runner go on should benchctl die"),
		sd.PropType("notify"),
		sd.PropExecStart(argv, false),
		property("OnFailure", []string{last}),
		property("CollectMode", "inactive-or-failed"),
		property("OOMScoreAdjust", int32(-900)),
		property("TimeoutStartUSec", uint64(10*time.Second/time.Microsecond)),
		property("TimeoutStopUSec", uint64(2*time.Second/time.Microsecond)),
	}
}

// lastUnit uses the shell's own kill: a small host has no other.
func lastUnit(targets []target) []sd.Property {
	argv := []string{"/bin/sh", "-c", `kill -CONT "$@"`, "sh"}
	for _, t := range targets {
		argv = append(argv, strconv.Itoa(t.PID))
	}
	return []sd.Property{
		sd.PropDescription("benchctl: lets the runner go on although its guardian was killed"),
		sd.PropType("oneshot"),
		sd.PropExecStart(argv, false),
		property("CollectMode", "inactive-or-failed"),
	}
}

// armChild runs the guardian as a child in a session of its own, where there is
// no systemd to run it. It outlives benchctl, but not the end of benchctl's
// control group.
func armChild(args []string) (*guardian, error) {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	dismiss := func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != armed+"\n" {
		dismiss()
		return nil, fmt.Errorf("the guardian did not start: it said %q", line)
	}
	return watch(cmd.Process.Pid, dismiss)
}
