package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/gate"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

func newGate(e *env, _ *flags) *cobra.Command {
	var job, policy string
	cmd := &cobra.Command{
		Annotations: takes(),
		Use:         "gate",
		Short:       "Check, around a job, that the host is as the last pass left it",
		Long: `Check that the host is what the last apply compiled into
` + expect.Current + `. The runner's hooks call this around each job, as the
runner's user and inside its sandbox; what is found goes to the job's log and to
its summary. It only reads, and takes milliseconds.

The exit code is 2 when the host is not as it must be, or when that cannot be
known, and --policy is fail; the other policies end with 0.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, p := gate.Moment(job), gate.Policy(policy)
			if m != gate.Started && m != gate.Completed {
				return fmt.Errorf("cannot gate a job that has %q: --job is started or completed", job)
			}
			switch p {
			case gate.Off:
				return nil
			case gate.Fail, gate.Warn:
				g := gate.Gate{Host: e.machine, Getenv: e.getenv}
				return tell(e, g, g.Look(cmd.Context(), m), p)
			}
			return fmt.Errorf("cannot gate with %q: --policy is fail, warn or off, as gate in the spec", policy)
		},
	}
	cmd.Flags().StringVar(&job, "job", string(gate.Started), "the `MOMENT`: started or completed")
	cmd.Flags().StringVar(&policy, "policy", string(gate.Fail), "the `POLICY`, what a host that is not as it must be means: fail, warn or off")
	return cmd
}

// tell says to a job what was found, and lets it through or not.
func tell(e *env, g gate.Gate, r gate.Report, p gate.Policy) error {
	r.Log(e.stdout, p)
	if e.getenv("GITHUB_ACTIONS") == "true" {
		r.Annotate(e.stdout, p)
	}
	if err := g.Summarize(r, p); err != nil {
		complain(e.stderr, err) // the log has it all
	}
	if r.Bad() && p == gate.Fail {
		return exit(reconcile.ExitDiffers)
	}
	return nil
}
