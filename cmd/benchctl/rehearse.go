package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/internal/rehearse"
	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

func newRehearse(e *env, f *flags) *cobra.Command {
	var o rehearse.Options
	cmd := &cobra.Command{
		Annotations: takes("file", "offline", "quiet"),
		Use:         "rehearse",
		Short:       "Try a spec on a throwaway copy of this machine",
		Long: `Boot a throwaway copy of this machine and run the real apply in it, against a
stand-in for GitHub: the diff, the apply, the empty second diff, a pretend job,
and three ways of drift corrected. Then everything is thrown away.

Nothing on this machine is changed. Secrets are not in the copy, and it reaches
nothing but the stand-in and, through it, apt's mirrors. No credentials needed.`,
		Example: `  benchctl rehearse -f runner.yaml
  benchctl rehearse -f runner.yaml --shell`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return rehearsal(cmd.Context(), e, f, o) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&o.Keep, "keep", false, "leave the copy up for a look, until Ctrl-C")
	fs.BoolVar(&o.Shell, "shell", false, "open a shell in the copy before it is thrown away")
	fs.BoolVar(&o.RealDownloads, "real-downloads", false, "fetch the JDK and the Phoronix Test Suite from where the spec says, and try the runner's download")
	return cmd
}

func rehearsal(ctx context.Context, e *env, f *flags, o rehearse.Options) error {
	if o.Shell && slices.Contains(f.files, source.Stdin) {
		return errors.New("cannot open a shell in the copy: standard input is the spec; name a file with -f")
	}
	s, err := load(ctx, e, f)
	if err != nil {
		return err
	}
	if err := rehearse.Check(); err != nil {
		return err
	}
	// A copy of this machine takes CPU, memory and disk: never during a job.
	o.Idle = jobs.New(nil, resources.Runner(e.machine, s)).Idle
	if err := o.Idle(ctx); err != nil {
		return deferred(e, err)
	}
	o.Spec, o.Text, o.Binary, o.Host = s, s.Text, self(), e.machine.Hostname()
	o.Homes = []string{s.User.Home}
	if a, err := e.machine.Account(s.User.Name); err == nil && a.Home != s.User.Home {
		o.Homes = append(o.Homes, a.Home)
	}
	o.Out, o.In = e.stdout, e.stdin
	if o.Fetch, err = fetcher(e, f, s); err != nil {
		return err
	}
	return deferred(e, rehearse.Run(ctx, o))
}

// fetcher fetches the real runner without credentials, which a rehearsal has none of.
func fetcher(e *env, f *flags, s *spec.Spec) (func(context.Context, string) (resources.RunnerPackage, error), error) {
	client, err := github.New(github.Options{URL: s.Runner.URL, Version: version})
	if err != nil {
		return nil, err
	}
	o := resources.Options{Host: e.machine, Releases: client, Offline: f.offline, Attended: true}
	return func(ctx context.Context, dir string) (resources.RunnerPackage, error) {
		return resources.FetchRunner(ctx, e.machine, s, o, dir)
	}, nil
}
