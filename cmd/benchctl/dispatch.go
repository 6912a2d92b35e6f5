package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/dispatch"
	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/internal/relay"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// dispatchFlags are what is to be started, and where.
type dispatchFlags struct {
	ref, download, repo, runner string
	inputs                      []string
	run                         int64
}

func newDispatch(e *env, f *flags) *cobra.Command {
	var a dispatchFlags
	cmd := &cobra.Command{
		Annotations: takes("file", "output", "quiet", "no-color").
			but("offline", "cannot dispatch a workflow: --offline forbids talking to GitHub; run again without it"),
		Use:   "dispatch WORKFLOW",
		Short: "Start a workflow, and see whether it ran well on this host",
		Long: `Start a workflow that has the trigger workflow_dispatch, follow its run until it
has ended, and list the artifacts that it leaves. WORKFLOW is its file, its path,
its name or its id.

First the workflow is read as it is at --ref, and what each of its jobs asks for
is compared with the labels that this runner has at GitHub: a workflow of which no
job can come here is not started, nor one whose inputs would be refused. Then it is
started, once: where GitHub does not answer, the run is looked for, and nothing is
sent again. Who has the job is asked of GitHub and of the journal of this host.

It ends with 0 only if the run succeeded and its jobs ran on this host. Ctrl-C
leaves the run alone, and --run takes it up again. While a job runs on this very
host GitHub is asked rarely, so that following does not disturb what is measured;
the end of the job is noticed all the same.

With --download each artifact is unpacked into a directory of its name below DIR.
What is there already is never overwritten. If the next job has begun on this very
host, that waits until it is over.

It needs an API token, or an App, with the repository permissions "Actions: write"
and, for a private repository, "Contents: read"; "Administration: read" shows the
runner's labels as GitHub has them. It works from another machine too; then GitHub
alone says who ran the job.`,
		Example: `  benchctl dispatch engine-benchmarks.yml --ref main
  benchctl dispatch engine-benchmarks.yml --ref v1.4 --input profile=full --download records
  benchctl dispatch --run 19482736450 --download records
  benchctl dispatch engine-benchmarks.yml -o json | jq .jobs[].pick_up_ms`,
		Args: func(_ *cobra.Command, args []string) error { return a.fit(args) },
		RunE: func(cmd *cobra.Command, args []string) error { return dispatchWorkflow(cmd.Context(), e, f, a, args) },
	}
	fs := cmd.Flags()
	fs.StringVar(&a.ref, "ref", "", "the branch or tag, `REF`, to run it at (default: the repository's default branch)")
	fs.StringArrayVar(&a.inputs, "input", nil, "an input of the workflow, as `NAME=VALUE`; may be repeated")
	fs.Int64Var(&a.run, "run", 0, "follow the run with this `ID` instead of starting one")
	fs.StringVar(&a.download, "download", "", "unpack the artifacts below `DIR`")
	fs.StringVar(&a.repo, "repo", "", "the `OWNER/NAME` of the workflow's repository (default: the one of runner.url)")
	fs.StringVar(&a.runner, "runner", "", "the `NAME` of the runner that is to run it (default: the spec's)")
	_ = cmd.MarkFlagDirname("download")
	return cmd
}

// fit reports whether the arguments make sense together.
func (a *dispatchFlags) fit(args []string) error {
	switch {
	case a.run < 0:
		return fmt.Errorf("cannot follow run %d: an id is a number above 0, the last part of the run's address", a.run)
	case a.run != 0 && (len(args) > 0 || a.ref != "" || len(a.inputs) > 0):
		return errors.New("cannot start a workflow and follow a run at once: --run goes without WORKFLOW, --ref and --input")
	case a.run == 0 && len(args) != 1:
		return fmt.Errorf("cannot tell which workflow to dispatch, with %d named: name one, as in benchctl dispatch engine-benchmarks.yml --ref main, or a run with --run", len(args))
	}
	return nil
}

func dispatchWorkflow(ctx context.Context, e *env, f *flags, a dispatchFlags, args []string) error {
	inputs, err := inputsOf(a.inputs)
	if err != nil {
		return err
	}
	s, err := load(ctx, e, f)
	if err != nil {
		return err
	}
	defer e.machine.Close()
	o, err := dispatchOptions(ctx, e, f, s, a)
	if err != nil {
		return err
	}
	o.Inputs, o.Ref, o.Run, o.Download = inputs, a.ref, a.run, a.download
	if len(args) > 0 {
		o.Workflow = args[0]
	}
	watched := newLive(e, f)
	o.Said, o.Now = watched.said, watched.now
	report, err := dispatch.Run(ctx, o)
	watched.done()
	if report != nil {
		if f.output == "json" {
			err = errors.Join(printJSON(e, report), err)
		} else {
			newPrinter(e, f).dispatched(report)
		}
	}
	if err != nil {
		err = errors.New(clean(err.Error()))
	}
	return err
}

// inputsOf takes NAME=VALUE apart.
func inputsOf(typed []string) (map[string]string, error) {
	all := map[string]string{}
	for _, t := range typed {
		name, value, ok := strings.Cut(t, "=")
		if _, twice := all[name]; !ok || name == "" || twice {
			return nil, fmt.Errorf("cannot use --input %q: it is NAME=VALUE, each name once", t)
		}
		all[name] = value
	}
	return all, nil
}

// dispatchOptions finds out whom to ask, and about which runner.
func dispatchOptions(ctx context.Context, e *env, f *flags, s *spec.Spec, a dispatchFlags) (dispatch.Options, error) {
	at, err := repositoryOf(s.Runner.URL, a.repo)
	if err != nil {
		return dispatch.Options{}, err
	}
	takeProxies(e, s)
	found, err := github.FindCredentials(e.machine, e.getenv, s.GitHub, s.User.Home)
	if err != nil {
		return dispatch.Options{}, err
	}
	if !found.API() {
		return dispatch.Options{}, errors.New("cannot dispatch a workflow: there are no credentials for GitHub's API; set GITHUB_TOKEN to a token with the repository permission `Actions: write`, or github in the spec")
	}
	registry, err := github.New(github.Options{
		URL: s.Runner.URL, Credentials: found, Version: version, Dial: relay.Dialer(e.getenv), Memory: github.LoadMemory(e.machine),
	})
	if err != nil {
		return dispatch.Options{}, err
	}
	o := dispatch.Options{
		GitHub: registry.For(at), Registry: registry, Repo: at.Owner + "/" + at.Repo, Page: at.Text,
		Runner: resources.NewConfig(e.machine, s, e.getenv).Name, Labels: append([]string{"self-hosted", "Linux", "X64"}, s.Runner.Labels...),
		Again: "benchctl dispatch" + f.again(e) + a.again() + " --run",
	}
	o.Host = runnersHost(ctx, e, resources.Runner(e.machine, s))
	o.Unsure = o.Host == nil && strings.Contains(s.Runner.Name, "{hostname}")
	if a.runner != "" && !strings.EqualFold(a.runner, o.Runner) {
		o.Runner, o.Host, o.Unsure = a.runner, nil, false
	}
	return o, nil
}

// again is what has to be said again to follow a run.
func (a *dispatchFlags) again() (flags string) {
	if a.repo != "" {
		flags += " --repo " + a.repo
	}
	if a.runner != "" {
		flags += " --runner " + a.runner
	}
	return flags
}

// repositoryOf is the repository that the workflow is of.
func repositoryOf(runner spec.URL, named string) (spec.URL, error) {
	if named == "" && runner.Scope == spec.Repository {
		return runner, nil
	}
	owner, name, ok := strings.Cut(named, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return runner, fmt.Errorf("cannot tell whose workflow is meant: %s has runners for many repositories; add --repo OWNER/NAME", runner.Text)
	}
	scheme, _, _ := strings.Cut(runner.Text, "://")
	return spec.URL{
		Text: fmt.Sprintf("%s://%s/%s/%s", scheme, runner.Host, owner, name), Scope: spec.Repository,
		Host: runner.Host, Owner: owner, Repo: name, API: runner.API,
	}, nil
}

// runnersHost is this machine if the runner's service is on it, else nil.
func runnersHost(ctx context.Context, e *env, r jobs.Runner) *dispatch.Host {
	if u, err := e.machine.Unit(ctx, r.Unit); err != nil || u.LoadState != "loaded" {
		return nil
	}
	h := &dispatch.Host{Reader: e.machine, Unit: r.Unit}
	if os.Geteuid() == 0 {
		h.Jobs = jobs.New(nil, r)
	}
	return h
}

// dispatched prints what came of a run.
func (p *printer) dispatched(r *dispatch.Report) {
	came := r.Run.Conclusion
	switch {
	case came == "":
		came = r.Run.Status
	case came == "success":
		came = p.paint(green, came)
	default:
		came = p.paint(red, clean(came))
	}
	fmt.Fprintf(p.w, "run %d of %s at %s: %s\n", r.Run.ID, clean(path.Base(r.Workflow)), clean(r.Ref), came)
	fmt.Fprintf(p.w, "  %s\n", clean(r.Run.URL))
	for _, j := range r.Jobs {
		fmt.Fprintf(p.w, "  %s: %s\n", p.paint(bold, clean(j.Name)), clean(jobLine(j)))
	}
	for _, a := range r.Artifacts {
		line := fmt.Sprintf("%s, until %s", dispatch.Size(a.Size), a.Expires.Format(time.DateOnly))
		switch {
		case a.Expired:
			line = "expired, and gone"
		case a.Dir != "":
			line += fmt.Sprintf(", in %s (%s)", a.Dir, count(a.Files, "file"))
		}
		fmt.Fprintf(p.w, "  artifact %s: %s\n", p.paint(bold, clean(a.Name)), clean(line))
	}
}

// jobLine is a job in a line, but for its name.
func jobLine(j dispatch.Job) string {
	line := j.Conclusion
	if line == "" {
		line = j.Status
	}
	if j.Runner == "" {
		return line
	}
	line += " on " + j.Runner
	if j.Here && !j.Said.IsZero() {
		line += ", which is this host"
	} else if j.Journal != "" {
		line += ", by GitHub's account (this host's journal: " + j.Journal + ")"
	}
	line += fmt.Sprintf("; in the queue for %s", time.Duration(j.QueuedMS)*time.Millisecond)
	if j.Status == "completed" {
		line += fmt.Sprintf(", took %s", time.Duration(j.ElapsedMS)*time.Millisecond)
	}
	if j.PickUpMS > 0 {
		line += fmt.Sprintf("; in the journal %s after the dispatch", time.Duration(j.PickUpMS)*time.Millisecond)
	}
	return line
}
