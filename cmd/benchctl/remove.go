package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/agent"
	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/pause"
	"github.com/SKaiNET-developers/benchctl/internal/relay"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// removeFlags are what only remove understands.
type removeFlags struct{ purge, wait, yes bool }

func newRemove(e *env, f *flags) *cobra.Command {
	var a removeFlags
	cmd := &cobra.Command{
		Annotations: takes("file", "offline", "output", "quiet", "verbose", "no-color").
			but("only", "cannot remove some kinds alone: a host half removed is no benchmark host; leave --only out, or take the key out of the spec and apply"),
		Use:   "remove",
		Short: "Take this host out of service and take apart what benchctl set up",
		Long: `Take the runner out of service for good and undo what benchctl did to this host:
the agent first, which would put everything back; then, with no job running, the
service is stopped, the runner deleted at GitHub and here, and its unit, the
hooks, the knobs' changes, an unpacked JDK and benchctl's own notes go. While a
job runs nothing is touched (exit code 3).

The runner's directories, its account and the packages that benchctl installed
stay, and are listed with the command that removes each. --purge removes those
too: of the packages only what benchctl itself brought in and nothing else
needs by now, of accounts only one that benchctl made.

GitHub is told with the credentials that apply uses, or with a removal token
from the runner's page in GH_RUNNER_TOKEN. With neither, or with --offline, the
runner is removed here alone, and what stays at GitHub is named.

A removal that was cut off goes on when it is run again. What it needs is on the
host itself: a spec that is lost or broken is no hindrance.`,
		Example: `  benchctl remove
  benchctl remove --purge --wait
  read -rs GH_RUNNER_TOKEN && export GH_RUNNER_TOKEN && benchctl remove --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return remove(cmd.Context(), e, f, a) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&a.purge, "purge", false, "remove directories, account and packages, too")
	fs.BoolVar(&a.wait, "wait", false, "wait for a running job, and for another benchctl, to end, then go on")
	fs.BoolVar(&a.yes, "yes", false, "do not ask")
	return cmd
}

func remove(ctx context.Context, e *env, f *flags, a removeFlags) error {
	if err := needRoot("remove the runner"); err != nil {
		return err
	}
	defer e.machine.Close()
	release, err := takeTurn(ctx, e, "remove", a.wait)
	if err != nil {
		return err
	}
	defer release()
	if p, err := pause.Load(e.machine, time.Now()); err != nil || p != nil {
		return pausedRemoval(e, p, err)
	}
	r, err := wireRemoval(ctx, e, f, a)
	if err != nil {
		return err
	}
	plan := r.report(time.Now(), reconcile.Diff(ctx, e.machine, r.resources))
	switch {
	case plan.ExitCode() == reconcile.ExitError:
		if err := r.show(e, f, plan); err != nil {
			return err
		}
		fmt.Fprintln(e.stderr, "Nothing was touched.")
		return exit(reconcile.ExitError)
	case plan.ExitCode() == reconcile.ExitOK:
		return r.end(e, f, plan)
	}
	if err := r.confirm(e, f, a, plan); err != nil {
		return err
	}
	return r.apply(ctx, e, f, a)
}

func pausedRemoval(e *env, p *pause.Pause, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "benchctl: deferred: %s; nothing was touched; %s\n", p, pause.Next)
	return exitError{reconcile.ExitDeferred}
}

// A removal is remove, wired to this host and to GitHub.
type removal struct {
	setup     *resources.Setup
	resources []reconcile.Resource
	ref       reconcile.SpecRef
	host      string
	secrets   []string          // files of the operator's that the spec names
	agreed    *reconcile.Report // what somebody was shown and said yes to
}

func wireRemoval(ctx context.Context, e *env, f *flags, a removeFlags) (*removal, error) {
	s, err := load(ctx, e, f)
	r := &removal{ref: reconcile.SpecRef{File: f.names()}, host: e.machine.Hostname()}
	if err == nil {
		r.ref = specRef(s)
		takeProxies(e, s)
	} else if s = nil; !f.quiet {
		fmt.Fprintf(e.stderr, "note: %s; going by what is on this host\n", unusable(e, f, err))
	}
	if r.setup, err = resources.FindSetup(e.machine, s); err != nil {
		return nil, err
	}
	if r.secrets = secretsOf(s); s == nil {
		r.secrets = secretsOf(agent.Good(e.machine, nil))
	}
	o := resources.RemoveOptions{Getenv: e.getenv, Offline: f.offline, Purge: a.purge}
	if err := r.withGitHub(e, s, &o); err != nil {
		return nil, err
	}
	r.resources, err = resources.Removal(e.machine, r.setup, o)
	return r, err
}

// secretsOf are the files with secrets that a spec names.
func secretsOf(s *spec.Spec) []string {
	if s == nil {
		return nil
	}
	files := []string{s.GitHub.TokenFile}
	if s.Notify != nil {
		files = append(files, s.Notify.WebhookFile)
	}
	if s.GitHub.App != nil {
		files = append(files, s.GitHub.App.KeyFile)
	}
	return files
}

// withGitHub finds credentials as apply does; without a spec by the last good
// one, and where that names none that can be used, in the environment.
func (r *removal) withGitHub(e *env, s *spec.Spec, o *resources.RemoveOptions) error {
	if o.Offline || r.setup.URL.Text == "" {
		return nil
	}
	find := func(s *spec.Spec) (github.Credentials, error) {
		if s == nil {
			return github.FindCredentials(e.machine, e.getenv, spec.GitHub{})
		}
		return github.FindCredentials(e.machine, e.getenv, s.GitHub, s.User.Home)
	}
	var cred github.Credentials
	var err error
	if s != nil {
		cred, err = find(s)
	} else if cred, err = find(agent.Good(e.machine, nil)); err != nil {
		cred, err = find(nil)
	}
	if err != nil {
		return fmt.Errorf("%w; or remove the runner here alone with --offline", err)
	}
	o.Token = cred.Registration
	if !cred.API() {
		return nil
	}
	client, err := github.New(github.Options{URL: r.setup.URL, Credentials: cred, Version: version, Dial: relay.Dialer(e.getenv)})
	if err == nil {
		o.GitHub = client
	}
	return err
}

// confirm shows on a terminal what goes, and asks once.
func (r *removal) confirm(e *env, f *flags, a removeFlags, plan *reconcile.Report) error {
	if a.yes || !isTerminal(e.stdin) || !isTerminal(e.stdout) {
		return nil
	}
	newPrinter(e, f).report(plan)
	fmt.Fprint(e.stderr, "This takes the host out of service for good. Go on? [y/N] ")
	answer, _ := bufio.NewReader(e.stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errDeclined
	}
	r.agreed = plan
	return nil
}

// apply takes the host apart.
func (r *removal) apply(ctx context.Context, e *env, f *flags, a removeFlags) error {
	jobs, letGo, err := r.keepJobsAway(ctx, e, a)
	if err != nil {
		return err
	}
	defer letGo()
	opt := reconcile.Options{Jobs: jobs}
	if !f.quiet {
		opt.Pace = pace(e)
		opt.Began = func(id reconcile.ID, changes []reconcile.Change) {
			fmt.Fprintf(e.stderr, "%s: %s\n", id, clean(gist(changes)))
		}
		opt.Said = func(id reconcile.ID, line string) { fmt.Fprintf(e.stderr, "%s: %s\n", id, clean(line)) }
	}
	began := time.Now()
	done := r.report(began, reconcile.Apply(aloud(ctx, e, f), e.machine, r.resources, opt))
	letGo()
	code := done.ExitCode()
	if code == reconcile.ExitOK {
		return r.end(e, f, done)
	}
	if err := r.show(e, f, done); err != nil {
		return err
	}
	if code == reconcile.ExitError {
		fmt.Fprintln(e.stderr, "The host is not taken apart to the end: mend what failed and run benchctl remove again, which goes on from here.")
	}
	return exit(code)
}

// end removes the locks, this removal's own among them, once nothing is left to
// be kept from others: whoever takes a new one finds nothing to do.
func (r *removal) end(e *env, f *flags, report *reconcile.Report) error {
	if err := e.machine.RemoveAll("/run/benchctl"); err != nil {
		return err
	}
	return r.show(e, f, report)
}

// keepJobsAway is law 5: for each change anew, or with --wait from the end of
// the running job on.
func (r *removal) keepJobsAway(ctx context.Context, e *env, a removeFlags) (jobs reconcile.Jobs, letGo func(), err error) {
	if !r.setup.Running() {
		return reconcile.NoJobs{}, func() {}, nil
	}
	keeper := newKeeper(e.machine, r.setup.Runner(e.machine))
	if !a.wait {
		return keeper, func() {}, nil
	}
	seized, err := keeper.Seize(ctx, func(line string) { fmt.Fprintln(e.stderr, clean(line)) })
	if err != nil {
		return nil, nil, err
	}
	return seized, seized.Release, nil
}

func (r *removal) report(began time.Time, outcomes []reconcile.Outcome) *reconcile.Report {
	return reconcile.NewReport("remove", r.host, r.ref, began, time.Since(began), outcomes)
}

// show prints what was done and, once all of it is, what is left.
func (r *removal) show(e *env, f *flags, report *reconcile.Report) error {
	var left []resources.Leftover
	if report.ExitCode() == reconcile.ExitOK {
		var err error
		if left, err = resources.Leftovers(e.machine, r.setup, r.resources, self()); err != nil {
			return err
		}
		for _, name := range r.secrets {
			if _, err := e.machine.Lstat(name); name != "" && err == nil {
				left = append(left, resources.Leftover{What: name, How: "a secret of yours: rm " + name + " when nothing else needs it"})
			}
		}
	}
	if f.output == "json" {
		return printJSON(e, struct {
			*reconcile.Report
			Left []resources.Leftover `json:"left,omitempty"`
		}{report, left})
	}
	p := newPrinter(e, f)
	if p.agreed = r.agreed; f.quiet { // nothing told of a change as it was made
		p.agreed = nil
	}
	p.report(report)
	if report.ExitCode() == reconcile.ExitOK {
		p.left(left)
	}
	return nil
}
