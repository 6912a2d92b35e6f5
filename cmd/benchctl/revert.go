package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

func newRevert(e *env, f *flags) *cobra.Command {
	return &cobra.Command{
		Annotations: takes("file", "offline", "output", "quiet", "verbose", "no-color").
			but("only", "cannot revert some kinds alone: every knob is given back; leave --only out, or take a key such as governor out of the spec and apply"),
		Use:   "revert",
		Short: "Give every kernel knob back its original value",
		Long: `Give every kernel knob that benchctl ever changed back the value that it had
before, exactly, and take the knobs out of what the service checks when it
starts. The next apply sets them again. What is needed for this is on the host
itself: a spec that is lost or broken is no hindrance.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return revert(cmd.Context(), e, f) },
	}
}

func revert(ctx context.Context, e *env, f *flags) error {
	if err := needRoot("revert"); err != nil {
		return err
	}
	defer e.machine.Close()
	ref, runners := toHold(ctx, e, f)
	release, err := takeTurn(ctx, e, "revert", false)
	if err != nil {
		return err
	}
	defer release()
	began := time.Now()
	var held []func() error
	for _, runner := range runners {
		_, letGo, err := newKeeper(e.machine, runner).Hold(ctx)
		if err != nil {
			return deferred(e, err)
		}
		defer letGo()
		held = append(held, letGo)
	}
	// First, or a start of the service in between would set the knobs again.
	if err := expect.ReleaseKnobs(e.machine); err != nil {
		return err
	}
	outcomes, err := resources.RestoreKnobs(e.machine)
	for _, letGo := range held {
		err = errors.Join(err, letGo())
	}
	if err != nil {
		return err
	}
	if err := forget(e, outcomes); err != nil {
		fmt.Fprintln(e.stderr, "note:", clean(err.Error()))
	}
	report := reconcile.NewReport("revert", e.machine.Hostname(), ref, began, time.Since(began), outcomes)
	if err := show(e, f, report); err != nil {
		return err
	}
	return exit(report.ExitCode())
}

// forget takes back that the knobs were in step, and the hooks, which expected
// them: that they are not now is no drift, since somebody asked for it.
func forget(e *env, outcomes []reconcile.Outcome) error {
	ids := []reconcile.ID{{Kind: "hooks"}}
	for _, o := range outcomes {
		ids = append(ids, o.ID)
	}
	return history.Forget(e.machine, ids)
}

// toHold finds whose jobs a revert must not disturb: the runners that the host
// itself knows of, and before the first apply the spec's. A spec that cannot be
// used is told of, and not needed.
func toHold(ctx context.Context, e *env, f *flags) (reconcile.SpecRef, []jobs.Runner) {
	installed := resources.Installed(e.machine)
	s, err := load(ctx, e, f)
	if err == nil {
		if len(installed) == 0 {
			installed = append(installed, resources.Runner(e.machine, s))
		}
		return specRef(s), installed
	}
	if !f.quiet {
		fmt.Fprintf(e.stderr, "note: %s; going by what is on this host: %s\n", unusable(e, f, err), clean(named(installed)))
	}
	return reconcile.SpecRef{File: f.names()}, installed
}

// unusable says in one line why there is no spec.
func unusable(e *env, f *flags, err error) string {
	var problems spec.Problems
	if errors.As(err, &problems) {
		return fmt.Sprintf("the spec %s cannot be used (benchctl validate%s says why)", f.names(), f.again(e))
	}
	reason, _, _ := strings.Cut(err.Error(), ";")
	return clean(reason)
}

func named(runners []jobs.Runner) string {
	var all []string
	for _, r := range runners {
		all = append(all, fmt.Sprintf("the runner in %s (%s)", r.Dir, r.Unit))
	}
	if len(all) == 0 {
		return "no runner of benchctl's"
	}
	return strings.Join(all, ", ")
}
