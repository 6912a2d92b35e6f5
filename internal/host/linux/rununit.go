package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// runDir holds the output of transient units while they run.
const runDir = "/run/benchctl"

// RunUnit runs a command as a transient unit: a oneshot whose start job ends
// when the command does. Its output goes to a file, since a pipe would break
// when benchctl dies and take the command with it. A unit of that name that an
// earlier benchctl left running is waited for first.
func (m *Machine) RunUnit(ctx context.Context, unit string, cmd host.Command) (host.Output, error) {
	if err := m.outlast(ctx, unit, cmd.Progress); err != nil {
		return host.Output{}, err
	}
	m.before("run", cmd.Argv[0])
	log := filepath.Join(runDir, unit+".log")
	if err := m.Mkdir(runDir, host.Perm{Mode: 0o755}); err != nil {
		return host.Output{}, err
	}
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		return host.Output{}, fmt.Errorf("cannot keep the output of %s: %w", cmd.Argv[0], err)
	}
	defer os.Remove(log)
	if err := os.WriteFile(log+".stdin", cmd.Stdin, 0o600); err != nil {
		return host.Output{}, fmt.Errorf("cannot hand %s its input: %w", cmd.Argv[0], err)
	}
	defer os.Remove(log + ".stdin")
	follow := tail(log, cmd.Progress)
	result, err := m.startTransient(ctx, unit, log, cmd)
	text := follow()
	out := host.Output{Stdout: text}
	if err != nil {
		return out, err
	}
	if result != "done" {
		status := m.exitStatus(ctx, unit)
		return out, &host.CommandError{Argv: cmd.Argv, Status: status, Output: out}
	}
	return out, nil
}

func (m *Machine) startTransient(ctx context.Context, unit, log string, cmd host.Command) (string, error) {
	conn, err := m.systemd()
	if err != nil {
		return "", err
	}
	argv := append([]string{"/bin/sh", "-c", `exec "$@" >>"$0" 2>&1 <"$0.stdin"`, log}, cmd.Argv...)
	props := []sd.Property{
		sd.PropDescription("benchctl: " + cmd.Argv[0]),
		sd.PropType("oneshot"),
		sd.PropExecStart(argv, false),
		{Name: "Environment", Value: dbus.MakeVariant(cmd.Env)},
	}
	if cmd.Dir != "" {
		props = append(props, sd.Property{Name: "WorkingDirectory", Value: dbus.MakeVariant(cmd.Dir)})
	}
	done := make(chan string, 1)
	if _, err := conn.StartTransientUnitContext(ctx, unit, "fail", props, done); err != nil {
		return "", fmt.Errorf("cannot start %s as the unit %s: %w", cmd.Argv[0], unit, said(err))
	}
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("%s goes on as the unit %s; benchctl no longer waits for it: %w", cmd.Argv[0], unit, ctx.Err())
	case result := <-done:
		return result, nil
	}
}

// exitStatus asks for the status of a failed unit and then forgets the unit.
func (m *Machine) exitStatus(ctx context.Context, unit string) int {
	status := -1
	conn, err := m.systemd()
	if err != nil {
		return status
	}
	if p, err := conn.GetServicePropertyContext(ctx, unit, "ExecMainStatus"); err == nil {
		if n, ok := p.Value.Value().(int32); ok {
			status = int(n)
		}
	}
	_ = conn.ResetFailedUnitContext(ctx, unit)
	return status
}

// outlast waits until a unit that an earlier benchctl started has ended.
func (m *Machine) outlast(ctx context.Context, unit string, progress func(string)) error {
	for told := false; ; told = true {
		u, err := m.Unit(ctx, unit)
		if err != nil {
			return err
		}
		switch u.ActiveState {
		case "failed":
			return m.Systemd().ResetFailed(ctx, unit)
		case "inactive", "":
			return nil
		}
		if !told && progress != nil {
			progress("waiting for " + unit + ", which an earlier run left at work")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot start %s: an earlier one is still at work: %w", unit, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// tail hands the lines of a growing file on until the returned function is
// called, which returns all of its text.
func tail(path string, progress func(string)) (stop func() []byte) {
	quit, ended := make(chan struct{}), make(chan struct{})
	out := &lines{progress: progress}
	go func() {
		defer close(ended)
		f, err := os.Open(path)
		if err != nil {
			return
		}
		defer f.Close()
		for more := true; more; {
			select {
			case <-quit:
				more = false
			case <-time.After(100 * time.Millisecond):
			}
			if _, err := f.WriteTo(out); err != nil && !errors.Is(err, os.ErrClosed) {
				return
			}
		}
	}()
	return func() []byte {
		close(quit)
		<-ended
		return out.kept.Bytes()
	}
}
