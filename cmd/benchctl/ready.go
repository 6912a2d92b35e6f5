package main

import (
	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
)

func newReady(e *env, _ *flags) *cobra.Command {
	return &cobra.Command{
		Annotations: takes(),
		Use:         "ready",
		Short:       "Set and verify the knobs before the runner's service starts",
		Long: `Set every knob that the last apply compiled into ` + expect.Kept + `,
wait a bounded time for drivers that are still loading, and verify. The runner's
unit runs this before each start, and does not start when it fails. It waits
for no apply and talks to nobody.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := needRoot("set the knobs"); err != nil {
				return err
			}
			return expect.Ready(cmd.Context(), e.machine)
		},
	}
}

// newGuard is the guardian that lets a held runner go on should benchctl die.
// Nobody types it.
func newGuard(*env, *flags) *cobra.Command {
	return &cobra.Command{
		Use:                jobs.GuardVerb,
		Hidden:             true,
		DisableFlagParsing: true,
		RunE:               func(_ *cobra.Command, args []string) error { return jobs.Guard(args) },
	}
}
