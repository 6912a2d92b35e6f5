package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
)

func newRotate(e *env, f *flags) *cobra.Command {
	a := applyFlags{attended: true}
	cmd := &cobra.Command{
		Annotations: takes("file", "offline", "output", "quiet", "verbose", "no-color").
			but("only", "cannot rotate some kinds alone: there is one registration; leave --only out"),
		Use:   "rotate",
		Short: "Give the runner new credentials at GitHub",
		Long: `Give the runner a new registration at GitHub, with a new key, and everything else
as it is: name, group, labels, work directory. Do so when somebody may have seen
the old key, which jobs can read, or when your rules ask for it.

Everything that can fail is tried first, with the runner at work. Then, with no
job running, the service is stopped, the old entry is deleted at GitHub and the
new one made, and the service is back when it listens: after seconds, and how
many is said. While a job runs nothing is touched (exit code 3); --wait waits
for its end.

With credentials for GitHub's API the old entry is gone, with all that anybody
got hold of. With a registration token in GH_RUNNER_TOKEN alone, or with API
credentials that may only read, the entry stays and gets the new key. A rotation
that was cut off is ended by benchctl apply.`,
		Example: `  benchctl rotate
  benchctl rotate --wait -o json
  read -rs GH_RUNNER_TOKEN && export GH_RUNNER_TOKEN && benchctl rotate`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return rotate(cmd.Context(), e, f, a) },
	}
	cmd.Flags().BoolVar(&a.wait, "wait", false, "wait for a running job, and for another benchctl, to end, then go on")
	return cmd
}

func rotate(ctx context.Context, e *env, f *flags, a applyFlags) error {
	s, err := load(ctx, e, f)
	if err != nil {
		return err
	}
	if err := needRoot("rotate"); err != nil {
		return err
	}
	w, err := wire(e, f, s, a)
	if err != nil {
		return err
	}
	defer w.close()
	release, err := takeTurn(ctx, e, "rotate", a.wait)
	if err != nil {
		return err
	}
	defer release()
	if err := w.notPaused(e, f, "rotate"); err != nil {
		return err
	}
	jobs, letGo, err := w.keepJobsAway(aloud(ctx, e, f), e, a)
	if err != nil {
		return err
	}
	defer letGo()
	report, rotation := w.rotate(ctx, e, f, jobs)
	letGo()
	conclude(ctx, e, w, report, a)
	if err := show(e, f, report); err != nil {
		return err
	}
	tellRotation(e, f, report, rotation)
	return exit(report.ExitCode())
}

// rotate makes the registration anew and starts the service again, and takes
// the time in which it was down.
func (w *wired) rotate(ctx context.Context, e *env, f *flags, jobs reconcile.Jobs) (*reconcile.Report, *resources.Rotation) {
	o := w.options
	o.Applying = false
	rotation := resources.NewRotation(w.spec, o)
	down := &downtime{Jobs: jobs}
	opt := follow(e, f)
	opt.Jobs, opt.Starter = down, w.service
	began := time.Now()
	report := newReport("rotate", w, began, reconcile.Apply(aloud(ctx, e, f), w.machine, []reconcile.Resource{rotation}, opt))
	report.Down = down.until(time.Now())
	if o := &report.Results[0]; rotation.New != 0 && len(o.Changes) > 0 {
		o.Changes[0].Want = fmt.Sprint("of registration ", rotation.New)
		if rotation.InPlace() {
			o.Changes[0].Want = "new ones, of the same registration"
		}
	}
	w.partial = true // it says nothing of the other resources
	return report, rotation
}

// downtime notes when the service is stopped.
type downtime struct {
	reconcile.Jobs
	since time.Time
}

// Stop notes the moment before the service begins to stop.
func (d *downtime) Stop(ctx context.Context) error {
	since := time.Now()
	err := d.Jobs.Stop(ctx)
	if err == nil && d.since.IsZero() {
		d.since = since
	}
	return err
}

func (d *downtime) until(now time.Time) reconcile.Milliseconds {
	if d.since.IsZero() {
		return 0
	}
	return reconcile.Milliseconds(now.Sub(d.since))
}

// tellRotation says in a sentence what an operator wants to know.
func tellRotation(e *env, f *flags, report *reconcile.Report, rotation *resources.Rotation) {
	if f.output == "json" || f.quiet || rotation.New == 0 {
		return
	}
	gone := fmt.Sprintf("; registration %d is gone from GitHub", rotation.Old)
	if rotation.InPlace() {
		gone = ", and the old ones are worth nothing; the registration is the same"
	}
	fmt.Fprintf(e.stdout, "%s has new credentials%s.\n", rotation.Name, gone)
	if report.ExitCode() == reconcile.ExitOK {
		fmt.Fprintf(e.stdout, "The runner was down for %.1f s and listens again.\n", time.Duration(report.Down).Seconds())
	}
}
