package main

import (
	"context"

	"github.com/spf13/cobra"
)

// newFetch gets the agent the copies of a spec to begin with, as a process of
// its own: what it takes to speak TLS does not stay in the agent. Nobody types it.
func newFetch(e *env, f *flags) *cobra.Command {
	return &cobra.Command{
		Use:    "fetch",
		Short:  "Fetch what of the spec there is no copy of on this host",
		Hidden: true,
		Args:   noArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return fetch(cmd.Context(), e, f) },
	}
}

func fetch(ctx context.Context, e *env, f *flags) error {
	if err := needRoot("fetch the spec"); err != nil {
		return err
	}
	from := newReader(e, f, toJournal(e), true)
	if _, err := from.All(ctx, f.files); err != nil {
		return err
	}
	return from.Keep(e.machine)
}
