package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// applyFlags are what only apply understands.
type applyFlags struct {
	yes             bool
	wait            bool
	allowUpgrades   bool
	trustOnFirstUse bool
	verify          bool
	takeOver        bool
	applying        bool // the verb is apply
	attended        bool // a person typed it
	unattended      bool // it is the agent's own
}

func newApply(e *env, f *flags) *cobra.Command {
	a := applyFlags{applying: true}
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make this host what the spec says",
		Long: `Make this host what the spec says: look at each resource in order, change what
differs, and look again. While a job runs nothing is touched (exit code 3).
A second apply changes nothing.`,
		Example: `  benchctl apply
  benchctl apply -f runner.yaml --wait
  benchctl apply --only jdk,service
  read -rs GH_RUNNER_TOKEN && export GH_RUNNER_TOKEN && benchctl apply --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.attended = !a.unattended
			return apply(cmd.Context(), e, f, a)
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&a.unattended, "unattended", false, "nobody is at hand: as the agent's unit runs it")
	_ = fs.MarkHidden("unattended")
	fs.BoolVar(&a.yes, "yes", false, "do not ask before a re-registration or a stopped service")
	fs.BoolVar(&a.wait, "wait", false, "wait for a running job, and for another benchctl, to end, then go on")
	fs.BoolVar(&a.allowUpgrades, "allow-upgrades", false, "let apt upgrade, downgrade or remove other packages")
	fs.BoolVar(&a.trustOnFirstUse, "trust-on-first-use", false, "accept and record the digest of a file that nobody vouches for")
	fs.BoolVar(&a.verify, "verify", false, "check the digest of every file of the runner, not only its dates")
	fs.BoolVar(&a.takeOver, "take-over", false, "take a runner of the same name over from another host")
	for _, wish := range []string{"wait", "allow-upgrades", "trust-on-first-use", "take-over"} {
		cmd.MarkFlagsMutuallyExclusive("unattended", wish) // that is for a person to decide
	}
	return cmd
}

func apply(ctx context.Context, e *env, f *flags, a applyFlags) error {
	s, keep, err := loadToApply(ctx, e, f, a)
	if err != nil {
		return err
	}
	if err := needRoot("apply"); err != nil {
		return err
	}
	w, err := wire(e, f, s, a)
	if err != nil {
		return err
	}
	defer w.close()
	release, err := lockToApply(ctx, e, a)
	if err != nil {
		return err
	}
	defer release()
	if ok, err := w.mayBegin(ctx, e, f, a, keep); err != nil || !ok {
		return err
	}
	w.notes(ctx, e, f)
	jobs, letGo, err := w.keepJobsAway(aloud(ctx, e, f), e, a)
	if err != nil {
		return err
	}
	defer letGo()
	// That may have taken as long as a job, in which somebody paused the host or
	// changed the spec.
	if err := w.notPaused(e, f, "apply"); err != nil {
		return err
	}
	if jobs != w.jobs {
		if err := w.notOutdated(ctx, e, f, a); err != nil {
			return err
		}
	}
	ran := w.serviceRuns(ctx)
	report := w.apply(ctx, e, f, jobs, ran)
	letGo()
	conclude(ctx, e, w, report, a)
	if a.attended || f.output == "json" { // otherwise the journal has it, line by line
		if err := w.show(e, f, report); err != nil {
			return err
		}
	}
	if ran && !w.serviceRuns(context.WithoutCancel(ctx)) {
		fmt.Fprintln(e.stderr, "The runner's service was stopped and stays down: it takes no job until an apply ends well.")
	}
	return exit(report.ExitCode())
}

// lockToApply takes the host's lock. One that nobody typed is put off by another
// benchctl.
func lockToApply(ctx context.Context, e *env, a applyFlags) (release func(), err error) {
	if a.attended {
		return takeTurn(ctx, e, "apply", a.wait)
	}
	release, err = e.machine.Lock(ctx, byAgent)
	if errors.Is(err, linux.ErrLocked) {
		err = deferred(e, err)
	}
	return release, err
}

// mayBegin reports whether nothing, and nobody, is against an apply. keep keeps
// the spec for when it has problems one day; a host that is paused keeps the
// one it has.
func (w *wired) mayBegin(ctx context.Context, e *env, f *flags, a applyFlags, keep func()) (bool, error) {
	if err := w.notPaused(e, f, "apply"); err != nil {
		return false, err
	}
	keep()
	if err := w.cannotRegister(); err != nil {
		return false, err
	}
	return confirm(ctx, e, f, a, w)
}

// apply makes each selected resource so, telling stderr of each step. A service
// that ran runs again afterwards, selected or not.
func (w *wired) apply(ctx context.Context, e *env, f *flags, jobs reconcile.Jobs, ran bool) *reconcile.Report {
	began := time.Now()
	opt := follow(e, f)
	opt.Jobs, opt.Found = jobs, w.foundDrift(ctx, began)
	if ran {
		opt.Starter = w.starter
	}
	return newReport("apply", w, began, reconcile.Apply(aloud(ctx, e, f), w.machine, w.resources, opt))
}

// notOutdated refuses to bring a host into step with a spec that is no longer
// what the agent goes by. The pass that a change wakes starts another apply.
func (w *wired) notOutdated(ctx context.Context, e *env, f *flags, a applyFlags) error {
	if a.attended {
		return nil // that is what was typed
	}
	now, _, err := loadToApply(ctx, e, f, a)
	if err != nil || now.SHA256 == w.spec.SHA256 {
		return err
	}
	why := errors.New("the spec changed while a job was waited for; nothing was touched")
	book, lost := history.Defer(w.machine, history.Deferral{At: time.Now(), Verb: "apply", Why: why.Error(), Job: true})
	remembered(e, journal.New(e.stderr), w.spec, book, lost)
	return w.putOff(e, f, "apply", why)
}

// follow tells stderr of each step, unless that is not wanted.
func follow(e *env, f *flags) (opt reconcile.Options) {
	if f.quiet {
		return opt
	}
	opt.Pace = pace(e)
	opt.Began = func(id reconcile.ID, changes []reconcile.Change) {
		fmt.Fprintf(e.stderr, "%s: %s\n", id, clean(gist(changes)))
	}
	opt.Said = func(id reconcile.ID, line string) { fmt.Fprintf(e.stderr, "%s: %s\n", id, clean(line)) }
	return opt
}

// pace is how long a person watches a silent screen before wondering. Where
// nobody watches, the default will do.
func pace(e *env) time.Duration {
	if isTerminal(e.stderr) {
		return 3 * time.Second
	}
	return 0
}

// gist is what a step is about, in a few words.
func gist(changes []reconcile.Change) string {
	var fields []string
	for _, c := range changes {
		fields = append(fields, c.Field)
	}
	const most = 4
	if n := len(fields); n > most {
		fields = append(fields[:most], fmt.Sprintf("and %d more", n-most))
	}
	return strings.Join(fields, ", ")
}

// errDeclined ends an apply that its operator did not want.
var errDeclined = errors.New("nothing was changed, as you said")

// confirm shows the diff on a terminal and asks once, if it holds something
// that cannot be taken back or that stops the service.
func confirm(ctx context.Context, e *env, f *flags, a applyFlags, w *wired) (bool, error) {
	if a.yes || !a.attended || !isTerminal(e.stdin) || !isTerminal(e.stdout) {
		return true, nil
	}
	report := w.diff(aloud(ctx, e, f))
	why := grave(report, w.serviceRuns(ctx))
	if why == "" {
		return true, nil
	}
	newPrinter(e, f).report(report)
	fmt.Fprintf(e.stderr, "This %s. Go on? [y/N] ", why)
	answer, _ := bufio.NewReader(e.stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return false, errDeclined
	}
	w.agreed = report
	return true, nil
}

// grave says in words what of a diff an operator should agree to first.
func grave(r *reconcile.Report, running bool) string {
	var why []string
	for _, o := range r.Results {
		if slices.Contains(o.Effects, reconcile.Reregister) && o.Kind == "config" && running {
			why = append(why, "registers the runner anew at GitHub")
		}
		if slices.Contains(o.Effects, reconcile.Restart) && running {
			why = append(why, "stops the runner's service for a while")
		}
		for _, c := range o.Changes {
			if strings.HasPrefix(c.Field, "drop-in") {
				why = append(why, "moves a drop-in of the service aside")
			}
		}
	}
	slices.Sort(why)
	return strings.Join(slices.Compact(why), " and ")
}
