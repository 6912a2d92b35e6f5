package main

import (
	"context"

	"github.com/spf13/cobra"
)

// newPass is one look of the agent, as a process of its own, so that nothing
// that goes wrong in it stays in the agent. Nobody types it.
func newPass(e *env, f *flags) *cobra.Command {
	return &cobra.Command{
		Use:    "pass",
		Short:  "Look at everything once, as the agent does, and keep what was seen",
		Hidden: true,
		Args:   noArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return pass(cmd.Context(), e, f) },
	}
}

func pass(ctx context.Context, e *env, f *flags) error {
	if err := needRoot("make a pass"); err != nil {
		return err
	}
	s, err := loadForPass(ctx, e, f)
	if err != nil {
		return err
	}
	a := applyFlags{unattended: true}
	w, err := wire(e, f, s, a)
	if err != nil {
		tellNoPass(ctx, e, s)
		return err
	}
	defer w.close()
	if err := w.notPaused(e, f, "pass"); err != nil {
		return err
	}
	if err := e.machine.Unlocked(); err != nil {
		// What an apply is in the middle of is no drift.
		return w.putOff(e, f, "pass", err)
	}
	report := w.diff(ctx)
	report.Verb = "pass"
	conclude(ctx, e, w, report, a)
	if err := show(e, f, report); err != nil {
		return err
	}
	return exit(report.ExitCode())
}
