package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/pause"
)

func newResume(e *env, f *flags) *cobra.Command {
	return &cobra.Command{
		Annotations: takes("output"),
		Use:         "resume",
		Short:       "End a pause",
		Long: `End a pause, whoever asked for it. Passes and applies go on as before; the next
one comes by the schedule. A host that is not paused stays as it is.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return resume(cmd.Context(), e, f) },
	}
}

func resume(ctx context.Context, e *env, f *flags) error {
	if err := needRoot("resume this host"); err != nil {
		return err
	}
	release, err := atWork(ctx, e, "resume")
	if err != nil {
		return err
	}
	defer release()
	old, err := pause.Load(e.machine, time.Now())
	if err != nil {
		return err
	}
	if err := pause.Resume(e.machine); err != nil {
		return err
	}
	switch {
	case f.output == "json":
		return printJSON(e, pauseAnswer{Replaced: old})
	case old == nil:
		fmt.Fprintln(e.stdout, "This host was not paused.")
	case old.Damaged != "":
		fmt.Fprintf(e.stdout, "The pause is over; what it was for is not known: its file was damaged (%s).\n", old.Damaged)
	default:
		fmt.Fprintf(e.stdout, "The pause of %s is over: %s\n", old.By, old.Reason)
	}
	return nil
}
