package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

func newReady(e *env, _ *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "ready",
		Short: "Set and verify the knobs before the runner's service starts",
		Long: `Set every knob that the last apply compiled into ` + expect.Kept + `,
wait a bounded time for drivers that are still loading, and verify. The runner's
unit runs this before each start, and does not start when it fails. It takes no
lock and talks to nobody.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := needRoot("set the knobs"); err != nil {
				return err
			}
			return expect.Ready(cmd.Context(), e.machine)
		},
	}
}

func newGate(e *env, _ *flags) *cobra.Command {
	var job string
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Check, around a job, that the host is as the last pass left it",
		Long: `Check that the host is what the last apply compiled into
` + expect.Current + `. The runner's hooks call this around each job, without
privileges; what is found goes to the job's summary.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return gate(e, job) },
	}
	cmd.Flags().StringVar(&job, "job", "started", "the moment: started or completed")
	return cmd
}

// gate reports on the host as a job sees it. Exit code 2 says that it is not
// as wanted; what follows from that is for the hook to decide.
func gate(e *env, job string) error {
	if job != "started" && job != "completed" {
		return fmt.Errorf("cannot gate a job that has %q: --job is started or completed", job)
	}
	want, err := expect.Load(e.machine, expect.Current)
	if err != nil {
		return err
	}
	changes, err := want.Compare(e.machine)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("benchctl: when the job had %s, the host was as it must be (%d knobs, revision %s)\n", job, len(want.Knobs), want.Revision)
	if len(changes) > 0 {
		text = fmt.Sprintf("benchctl: when the job had %s, the host was NOT as it must be\n\n", job)
		for _, c := range changes {
			text += fmt.Sprintf("* %s is %s, wanted %s\n", clean(c.Field), clean(c.Have), clean(c.Want))
		}
	}
	fmt.Fprint(e.stdout, text)
	if err := summarize(e, text); err != nil {
		return err
	}
	if len(changes) > 0 {
		return exit(reconcile.ExitDiffers)
	}
	return nil
}

// summarize appends to the job's own summary, where there is one.
func summarize(e *env, text string) error {
	path := e.getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write the job's summary: %w", err)
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
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
