package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/resources"
)

func newRevert(e *env, f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "revert",
		Short: "Give every kernel knob back its original value",
		Long: `Give every kernel knob that benchctl ever changed back the value that it had
before, exactly, and take the knobs out of what the service checks when it
starts. The next apply sets them again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return revert(cmd.Context(), e, f) },
	}
}

func revert(ctx context.Context, e *env, f *flags) error {
	if err := needRoot("revert"); err != nil {
		return err
	}
	s, err := load(e, f.file)
	if err != nil {
		return err
	}
	alone := *f
	alone.offline = true // GitHub has no say in a knob, nor has a missing token file
	w, err := wire(e, &alone, s, applyFlags{})
	if err != nil {
		return err
	}
	defer w.close()
	release, err := e.machine.Lock(ctx, "revert")
	if err != nil {
		return err
	}
	defer release()
	began := time.Now()
	letGo, err := w.jobs.Hold(ctx)
	if err != nil {
		return deferred(e, err)
	}
	defer letGo()
	// First, or a start of the service in between would set the knobs again.
	if err := expect.ReleaseKnobs(e.machine); err != nil {
		return err
	}
	outcomes, err := resources.RestoreKnobs(e.machine)
	if err != nil {
		return err
	}
	report := newReport("revert", w, began, outcomes)
	if err := show(e, f, report); err != nil {
		return err
	}
	return exit(report.ExitCode())
}
