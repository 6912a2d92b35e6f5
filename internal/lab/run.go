package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A Command is a program to run in a machine.
type Command struct {
	Argv  []string
	Env   []string // NAME=value, on top of what systemd gives a service
	Dir   string   // "/" when empty
	User  string   // root when empty
	Stdin []byte
	// Live, if set, hears what goes to stderr as it comes.
	Live io.Writer
	// Properties are settings of the transient unit: NAME=value.
	Properties []string
}

// Result is what a program said and how it ended.
type Result struct {
	Stdout, Stderr string
	Status         int // exit status; 255 when a signal ended it
}

// Err is nil when the program ended with status 0, and else says what it said.
func (r Result) Err() error {
	if r.Status == 0 {
		return nil
	}
	return fmt.Errorf("status %d: %s", r.Status, tail(r.Stdout+r.Stderr))
}

// Run runs a program in the machine as root. An error means that it could not
// be run; how it ended is in the result.
func (m *Machine) Run(ctx context.Context, argv ...string) (Result, error) {
	return m.Do(ctx, Command{Argv: argv})
}

// RunAs is Run as another user.
func (m *Machine) RunAs(ctx context.Context, user string, argv ...string) (Result, error) {
	return m.Do(ctx, Command{Argv: argv, User: user})
}

// Do runs a command as a service of the machine, so that it has the rights
// that a service has there, no more. When ctx ends, so does the command.
func (m *Machine) Do(ctx context.Context, c Command) (Result, error) {
	b, err := m.current()
	if err != nil {
		return Result{}, err
	}
	unit := fmt.Sprintf("lab-run-%d.service", m.runs.next())
	if c.Env != nil {
		if err := m.Put(envFile(unit), envText(c.Env), 0o600); err != nil {
			return Result{}, err
		}
	}
	defer m.forget(unit)
	return killable(ctx, c,
		func(ctx context.Context) (Result, error) { return m.enter(ctx, b, c, unitArgs(unit, c)...) },
		func(ctx context.Context) { m.look(ctx, b, killUnit(unit)...) })
}

func killUnit(unit string) []string { return []string{"systemctl", "kill", "--signal=KILL", unit} }

// killable calls run, and kill again and again from the end of ctx until run
// returns: the command may only be about to start. What does not end within
// half a minute of that is left behind.
func killable(ctx context.Context, c Command, run func(context.Context) (Result, error), kill func(context.Context)) (Result, error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		defer cancel()
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && running.Err() == nil; {
			kill(running)
			time.Sleep(20 * time.Millisecond)
		}
	})
	result, err := run(running)
	if !stop() {
		return result, fmt.Errorf("%s was cut short: %w", c.Argv[0], ctx.Err())
	}
	return result, err
}

// unitArgs is the command line that runs a command as a service. Its variables
// are read from [envFile]: anyone can ask the bus for a unit's own.
func unitArgs(unit string, c Command) []string {
	args := []string{"systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--unit=" + unit}
	if c.User != "" {
		args = append(args, "--uid="+c.User)
	}
	if c.Dir != "" {
		args = append(args, "--working-directory="+c.Dir)
	}
	if c.Env != nil {
		args = append(args, "--property=EnvironmentFile="+envFile(unit))
	}
	for _, p := range c.Properties {
		args = append(args, "--property="+p)
	}
	args = append(args, "--")
	for _, arg := range c.Argv {
		args = append(args, strings.ReplaceAll(arg, "$", "$$")) // systemd expands variables
	}
	return args
}

func envFile(unit string) string { return "/run/lab-env/" + unit }

// forget removes the environment of a command that ended.
func (m *Machine) forget(unit string) {
	if pid, err := m.PID(); err == nil {
		os.Remove(fmt.Sprintf("/proc/%d/root%s", pid, envFile(unit)))
	}
}

// envText is an environment as systemd reads it from a file.
func envText(env []string) []byte {
	var b bytes.Buffer
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`)
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&b, "%s=\"%s\"\n", name, quote.Replace(value))
	}
	return b.Bytes()
}

// Look runs a program in the machine's namespaces with all rights, past its
// seccomp filter and cgroups: to look at things, never to prove what works.
func (m *Machine) Look(ctx context.Context, argv ...string) (Result, error) {
	b, err := m.current()
	if err != nil {
		return Result{}, err
	}
	return m.look(ctx, b, argv...)
}

func (m *Machine) look(ctx context.Context, b *boot, argv ...string) (Result, error) {
	return m.enter(ctx, b, Command{}, argv...)
}

// enter runs a program in the machine's namespaces, with the streams of c, and
// returns how it ended.
func (m *Machine) enter(ctx context.Context, b *boot, c Command, argv ...string) (Result, error) {
	pid, err := b.pid()
	if err != nil {
		return Result{}, fmt.Errorf("cannot run %s in %s: %w", argv[0], m.opt.Hostname, err)
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", fmt.Sprint(pid), "-a", "--"}, argv...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	// nsenter runs the program as its child: both must go.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(c.Stdin), &stdout, &stderr
	if c.Live != nil {
		cmd.Stderr = io.MultiWriter(&stderr, c.Live)
	}
	err = cmd.Run()
	result := Result{Stdout: stdout.String(), Stderr: stderr.String(), Status: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return result, fmt.Errorf("%s in %s was cut short: %w", argv[0], m.opt.Hostname, ctx.Err())
	}
	if err != nil && !errors.As(err, &exit) {
		return result, fmt.Errorf("cannot run %s in %s: %w", argv[0], m.opt.Hostname, err)
	}
	return result, nil
}
