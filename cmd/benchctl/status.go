package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/agent"
	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/internal/status"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const (
	// statusPatience is how long GitHub has to answer all that it is asked.
	statusPatience = 5 * time.Second
	// mostStatus bounds all of it, should this host itself not answer.
	mostStatus = 20 * time.Second
)

func newStatus(e *env, f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show on one screen how this host is",
		Long: `Show on one screen how this host is: its service and how it listens, the job that
runs, the agent and its passes, a pause, what somebody was told, the registration
as the spec, this host and GitHub have it, what is about to end, and what differs.

Nothing is changed, so it may run at any time, during a job too. What this host
knows comes at once; GitHub has five seconds to answer. What cannot be seen (you
are not root, systemd is not there, GitHub is away) is said, and the rest is shown.
A line that begins with ! is not as it should be, one with ? could not be seen.

It ends with 0 when all is as it should be; with 2 when something is not, or could
not be seen; and with 1 when there is no spec that says how it should be. What
nobody was asked, without credentials or with --offline, does not count.`,
		Example: `  benchctl status
  benchctl status --offline
  benchctl status -o json | jq .job`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return showStatus(cmd.Context(), e, f) },
	}
}

func showStatus(ctx context.Context, e *env, f *flags) error {
	ctx, cancel := context.WithTimeout(ctx, mostStatus)
	defer cancel()
	o, err := statusOptions(ctx, e, f)
	if err != nil {
		return err
	}
	defer e.machine.Close()
	s := status.Here(ctx, o)
	if f.output == "json" {
		s.Compare(ctx, o)
		err = printJSON(e, s)
		return errors.Join(err, exit(s.ExitCode()))
	}
	p := newScreen(e, f)
	p.here(s)
	s.Compare(ctx, o)
	p.compared(s)
	if s.Differs.Summary[reconcile.Pending] > 0 && !s.Job.Running && s.Pause.Is == status.None && !f.quiet {
		fmt.Fprintln(e.stderr, next(e, f))
	}
	return exit(s.ExitCode())
}

// statusOptions finds out at what to look. Whatever of that fails is part of the
// answer, but for what was typed.
func statusOptions(ctx context.Context, e *env, f *flags) (status.Options, error) {
	commit, _ := build()
	o := status.Options{
		Reader: e.machine, Now: time.Now(), Root: needSight(e, "status") == nil,
		Build: status.Build{Version: version, Commit: commit}, Files: f.names(),
		AtWork: e.machine.Unlocked,
	}
	o.Spec, o.Fault = statusSpec(ctx, e, f)
	var err error
	if o.Spec != nil {
		o.Runner = resources.Runner(e.machine, o.Spec)
		err = compareWith(e, f, &o)
	} else if found := resources.Find(e.machine); len(found) == 1 {
		o.Runner = found[0].Runner
	}
	o.Jobs = jobs.New(nil, o.Runner)
	return o, err
}

// statusSpec reads the spec as the agent does: one that cannot be used gives way
// to the last good one, and what is fetched to its copy. The error says why.
func statusSpec(ctx context.Context, e *env, f *flags) (*spec.Spec, error) {
	from := newReader(e, f, toPerson(e, f), true)
	from.Open = func(path string) (io.ReadCloser, error) {
		if filepath.IsAbs(path) {
			return e.machine.Open(path)
		}
		return os.Open(path)
	}
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	s, fault, err := agent.LoadKept(ctx, from, e.machine, f.files)
	if err != nil {
		fault = err
	}
	var problems spec.Problems
	if errors.As(fault, &problems) {
		fault = fmt.Errorf("%s has problems; see benchctl validate%s", f.names(), f.again(e))
	}
	return s, fault
}

// compareWith adds the resources to compare and whom to ask.
func compareWith(e *env, f *flags, o *status.Options) error {
	w := &wired{spec: o.Spec, machine: e.machine, options: resources.Options{
		Host: e.machine, Getenv: e.getenv, Self: self(), Sources: agentSources(f.files), Offline: f.offline, Glance: true,
	}}
	takeProxies(e, o.Spec)
	client, err := withGitHub(e, f, o.Spec, &w.options, github.LoadMemory(e.machine))
	if err != nil {
		o.GitHubFault = err
	} else if w.options.GitHub != nil {
		o.GitHub, o.Credentials = client, client.Source()
	}
	w.options.Releases = nil // what is the latest is for an apply to ask
	all := resources.Build(o.Spec, w.options)
	for i, res := range all {
		if c, ok := res.(*resources.Config); ok {
			o.Witness = &resources.Witness{Config: c, Patience: statusPatience}
			all[i] = o.Witness
		}
	}
	o.Mark = w.markDrift
	o.Resources, err = selected(all, f.only)
	o.Blocked = resources.Rival(e.machine, o.Spec)
	if !o.Root {
		o.Blocked = errors.New("what differs can only be seen by root; run it with sudo, nothing is changed")
	}
	if o.Blocked != nil {
		o.Resources = nil
	}
	return err
}
