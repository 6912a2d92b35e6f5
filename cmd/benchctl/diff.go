package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

func newDiff(e *env, f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "diff",
		Short: "Show what differs between this host and the spec",
		Long: `Show what differs between this host and the spec, field by field. Nothing at all
is changed, so it may run at any time, during a job too. Seeing all of it takes root.`,
		Example: `  benchctl diff
  benchctl diff --only cpufreq,sysctl -v
  benchctl diff -f github.com/octo/bench-hosts/base.yaml@main -f this-host.yaml
  benchctl diff -o json | jq -r '.results[] | select(.status == "pending").id'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return diff(cmd.Context(), e, f) },
	}
}

func diff(ctx context.Context, e *env, f *flags) error {
	s, err := load(ctx, e, f)
	if err != nil {
		return err
	}
	if err := needSight(e, "diff"); err != nil {
		return err
	}
	w, err := wire(e, f, s, applyFlags{})
	if err != nil {
		return err
	}
	defer w.close()
	report := w.diff(aloud(ctx, e, f))
	w.notes(ctx, e, f)
	paused := tellPause(e, f)
	if w.client != nil && w.client.AppTokens() > 0 && !f.quiet {
		fmt.Fprintf(e.stderr, "note: GitHub made App %d an installation token to look with; a diff sends no POST for anything else (%d sent)\n", s.GitHub.App.ID, w.client.AppTokens())
	}
	if err := show(e, f, report); err != nil {
		return err
	}
	if !f.quiet && !paused && f.output == "text" && report.ExitCode() == reconcile.ExitDiffers {
		fmt.Fprintln(e.stderr, next(e, f))
	}
	return exit(report.ExitCode())
}

// next is what to type after a diff.
func next(e *env, f *flags) string {
	if slices.Contains(f.files, source.Stdin) {
		return "benchctl apply makes it so, with the spec in a file."
	}
	return "benchctl apply" + f.again(e) + " makes it so."
}

// diff looks at every selected resource.
func (w *wired) diff(ctx context.Context) *reconcile.Report {
	began := time.Now()
	outcomes := reconcile.Diff(ctx, w.machine, w.resources)
	w.markDrift(ctx, began, outcomes)
	return newReport("diff", w, began, outcomes)
}

// aloud lets whatever waits tell stderr what for, unless that is not wanted.
func aloud(ctx context.Context, e *env, f *flags) context.Context {
	if f.quiet {
		return ctx
	}
	return reconcile.WithProgress(ctx, func(line string) { fmt.Fprintln(e.stderr, clean(line)) })
}

// notes tells what is worth knowing and no difference.
func (w *wired) notes(ctx context.Context, e *env, f *flags) {
	if f.quiet {
		return
	}
	notes := resources.Notes(ctx, w.machine, w.spec)
	notes = append(notes, w.support(ctx).Warnings(time.Now(), w.spec.Runner.URL)...)
	if w.book != nil {
		notes = append(notes, w.book.Warnings...)
	}
	for _, note := range notes {
		fmt.Fprintln(e.stderr, "note:", clean(note))
	}
	if agentSources(f.files) == nil && slices.ContainsFunc(f.files, source.IsRemote) && w.spec.Schedule != nil {
		fmt.Fprintln(e.stderr, "note: the agent cannot read standard input each time, so it goes by a copy of the whole spec and fetches nothing")
	}
	if w.mute && !resources.Registered(w.machine, w.spec) {
		fmt.Fprintln(e.stderr, "note: apply will register the runner, which takes credentials, and none are set: GITHUB_TOKEN or GH_RUNNER_TOKEN")
	}
}

func newReport(verb string, w *wired, began time.Time, outcomes []reconcile.Outcome) *reconcile.Report {
	return reconcile.NewReport(verb, w.machine.Hostname(), specRef(w.spec), began, time.Since(began), outcomes)
}

func specRef(s *spec.Spec) reconcile.SpecRef {
	return reconcile.SpecRef{File: s.File, SHA256: s.SHA256}
}

// show prints a report the way the flags ask.
func show(e *env, f *flags, r *reconcile.Report) error {
	if f.output == "json" {
		return printJSON(e, r)
	}
	newPrinter(e, f).report(r)
	return nil
}

// show prints the report of an apply, which its reader may have agreed to.
func (w *wired) show(e *env, f *flags, r *reconcile.Report) error {
	if f.output == "json" || f.quiet { // so that nothing told of a change as it was made
		return show(e, f, r)
	}
	p := newPrinter(e, f)
	p.agreed = w.agreed
	p.report(r)
	return nil
}
