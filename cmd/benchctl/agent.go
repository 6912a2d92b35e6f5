package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/agent"
	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/internal/pause"
	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// agentUnit is the file of the unit that the agent runs in.
const agentUnit = "/etc/systemd/system/benchctl.service"

func newAgent(e *env, f *flags) *cobra.Command {
	return &cobra.Command{
		Annotations: takes("file", "offline", "quiet"),
		Use:         "agent",
		Short:       "Keep this host in step, by the spec's schedule",
		Long: `Keep this host in step: a pass at once and then by the spec's schedule. A pass
only looks; what has to change is changed by ` + agent.ApplyUnit + `, and never
while a job runs. With a schedule in the spec, apply installs the agent as a
service; nobody has to type this.

A changed spec, and SIGHUP, make it read the spec again. One that is fetched is
asked for again at each pass; while its server is away, the last copy serves. One
with problems is reported, and the last good one stays in force.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runAgent(cmd.Context(), e, f) },
	}
}

func runAgent(ctx context.Context, e *env, f *flags) error {
	if err := needRoot("run the agent"); err != nil {
		return err
	}
	if slices.Contains(f.files, source.Stdin) {
		return errors.New("cannot run the agent with a spec from standard input: it reads the spec at every pass; put it in a file, and name that with -f")
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	release, err := e.machine.LockAgent()
	if err != nil {
		return err
	}
	defer release()
	a, err := newAgentOf(e, f)
	if err != nil {
		return err
	}
	frugal()
	return a.Run(ctx, reload)
}

// frugal keeps the agent's process as small as it can be. It makes garbage only
// when the spec changes, which is freed then; without this, the runtime would
// wake up every two minutes to collect nothing.
func frugal() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(12 << 20)
}

// newAgentOf puts an agent together.
func newAgentOf(e *env, f *flags) (*agent.Agent, error) {
	files, err := source.Absolute(f.files)
	if err != nil {
		return nil, err
	}
	clock, err := agent.NewWallClock()
	if err != nil {
		return nil, err
	}
	from := newReader(e, f, toJournal(e), true)
	from.Open, from.Offline = e.machine.Open, true
	binary := self()
	child := func(args ...string) agent.Child {
		if f.offline {
			args = append(args, "--offline")
		}
		return agent.Child{Argv: slices.Concat([]string{binary}, args, fileArgs(files)), Env: agent.ChildEnv(e.getenv), Stderr: e.stderr}
	}
	return &agent.Agent{
		Files: files, Source: from, Host: e.machine, Log: journal.New(e.stderr), Clock: clock,
		Jobs:  func(s *spec.Spec) agent.Jobs { return jobs.New(nil, resources.Runner(e.machine, s)) },
		Fetch: child("fetch").Succeeds,
		Look:  child("pass", "-o", "json").Look,
		Correct: func(ctx context.Context) error {
			defer e.machine.Close() // or systemd would wake us with each of its signals
			return e.machine.Systemd().Start(ctx, agent.ApplyUnit)
		},
		Paused:   func() error { return paused(e) },
		Defer:    func(s *spec.Spec, why error, job bool) time.Time { return putOff(e, s, why, job) },
		Free:     func(ctx context.Context) error { return agent.Free(ctx, linux.LockFile, e.machine.Unlocked) },
		Applied:  func(began time.Time) agent.Seen { return applied(e, began) },
		Watch:    func(changed func()) (*agent.Watcher, error) { return agent.Watch(localFiles(files), changed) },
		Notify:   func(state string) { _, _ = daemon.SdNotify(false, state) },
		Stale:    agent.NewSelf(binary, agentUnit, e.getenv(agent.RevisionEnv), history.Dir, path.Dir(linux.LockFile)).Stale,
		Validate: child("validate", "-q", "--offline").Succeeds,
	}, nil
}

// localFiles are those of this host, which it can watch.
func localFiles(files []string) []string {
	return slices.DeleteFunc(slices.Clone(files), source.IsRemote)
}

// paused says that somebody keeps benchctl's hands off this host, nil when
// nobody does.
func paused(e *env) error {
	p, err := pause.Load(e.machine, time.Now())
	if err != nil || p == nil {
		return err
	}
	return fmt.Errorf("%s; %s", p, pause.Next)
}

// putOff keeps that a pass was put off, and since when jobs have been doing
// that.
func putOff(e *env, s *spec.Spec, why error, job bool) time.Time {
	book, err := history.Defer(e.machine, history.Deferral{At: time.Now(), Verb: "pass", Why: why.Error(), Job: job})
	remembered(e, journal.New(e.stderr), s, book, err)
	return book.DeferredSince
}

// applied is what the apply that began at a time, at the earliest, came to. One
// that left no note stood back from another benchctl, unless there is no room for
// notes.
func applied(e *env, began time.Time) (came agent.Seen) {
	last := history.Load(e.machine).LastPass
	switch {
	case last != nil && last.Verb == "apply" && !last.At.Before(began):
		return agent.Seen{Code: last.Exit, Summary: last.Summary}
	case e.machine.Unlocked() != nil:
		came.Code = reconcile.ExitDeferred
	}
	return came
}
