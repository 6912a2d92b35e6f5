package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/internal/pause"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

func newPause(e *env, f *flags) *cobra.Command {
	var length string
	cmd := &cobra.Command{
		Annotations: takes("output", "quiet"),
		Use:         "pause REASON",
		Short:       "Keep benchctl from changing this host for a while",
		Long: `Refuse every pass and every apply, rotate and remove (exit code 3) until the pause
ends: after --for, else with "benchctl resume". It survives reboots. The runner
goes on taking jobs, an ephemeral one only the one that it is registered for; diff,
status, validate, rehearse and revert work as ever.`,
		Example: `  benchctl pause "calibrating the power meter" --for 2h
  benchctl pause "BIOS update, ask ana"`,
		RunE: func(cmd *cobra.Command, words []string) error {
			return pauseHost(cmd.Context(), e, f, words, length)
		},
	}
	cmd.Flags().StringVar(&length, "for", "", "for this `TIME`, such as 2h, 90m or 2d (default: until benchctl resume)")
	return cmd
}

func pauseHost(ctx context.Context, e *env, f *flags, words []string, length string) error {
	now := time.Now()
	p, err := asked(e, words, length, now)
	if err != nil {
		return err
	}
	if err := needRoot("pause this host"); err != nil {
		return err
	}
	release, err := atWork(ctx, e, "pause")
	if err != nil {
		return err
	}
	defer release()
	old, err := pause.Load(e.machine, now)
	if err != nil {
		return err
	}
	if err := pause.Set(e.machine, p); err != nil {
		return err
	}
	if f.output == "json" {
		return printJSON(e, pauseAnswer{Paused: true, Pause: &p, Replaced: old})
	}
	fmt.Fprintf(e.stdout, "Paused until %s: %s\n", p.Ends(), clean(p.Reason))
	if old != nil {
		fmt.Fprintf(e.stdout, "That replaces an earlier pause: %s.\n", old)
	}
	if !f.quiet {
		fmt.Fprintln(e.stderr, "The runner goes on taking jobs; no pass and no apply changes this host. benchctl resume ends the pause.")
	}
	return nil
}

// asked is the pause that a person typed.
func asked(e *env, words []string, length string, now time.Time) (pause.Pause, error) {
	reason, err := pause.Reason(words)
	p := pause.Pause{Reason: reason, By: pause.Asker(e.machine, e.getenv), Since: now}
	if err != nil || length == "" {
		return p, err
	}
	d, err := pause.Length(length)
	p.Until = now.Add(d)
	return p, err
}

// pauseAnswer is what pause and resume print with -o json.
type pauseAnswer struct {
	Paused   bool         `json:"paused"`
	Pause    *pause.Pause `json:"pause,omitempty"`    // the one in force
	Replaced *pause.Pause `json:"replaced,omitempty"` // the one that was
}

// atWork takes the host's lock for a moment. An apply that has it is not waited
// for: what it has begun it ends first, which is told.
func atWork(ctx context.Context, e *env, verb string) (release func(), err error) {
	release, err = e.machine.Lock(ctx, verb)
	if errors.Is(err, linux.ErrLocked) {
		fmt.Fprintln(e.stderr, "note:", clean(err.Error()), "(what it has begun goes on; this counts for what follows)")
		return func() {}, nil
	}
	return release, err
}

// notPaused refuses to go on while the host is paused.
func (w *wired) notPaused(e *env, f *flags, verb string) error {
	now := time.Now()
	p, err := pause.Load(e.machine, now)
	if err != nil {
		return err
	}
	if p == nil {
		_ = pause.Sweep(e.machine, now) // or the next writer does
		return nil
	}
	book, lost := history.Defer(e.machine, history.Deferral{At: now, Verb: verb, Why: p.String()})
	remembered(e, journal.New(e.stderr), w.spec, book, lost)
	return w.putOff(e, f, verb, fmt.Errorf("%s; nothing was touched; %s", p, pause.Next))
}

// putOff ends a verb that may not go on at present: with a report in JSON if
// that was asked for, and a sentence.
func (w *wired) putOff(e *env, f *flags, verb string, why error) error {
	if f.output == "json" {
		if err := printJSON(e, w.deferred(verb, why)); err != nil {
			return err
		}
	}
	fmt.Fprintln(e.stderr, "benchctl: deferred:", why)
	return exitError{reconcile.ExitDeferred}
}

// deferred is the report of a pass that was not made, and why.
func (w *wired) deferred(verb string, why error) *reconcile.Report {
	var outcomes []reconcile.Outcome
	for _, r := range w.resources {
		outcomes = append(outcomes, reconcile.Outcome{
			ID: r.ID(), Kind: r.ID().Kind, Status: reconcile.Deferred, Error: why.Error(), Err: why,
		})
	}
	return newReport(verb, w, time.Now(), outcomes)
}

// tellPause notes that the host is paused, for verbs that work all the same.
func tellPause(e *env, f *flags) (paused bool) {
	p, err := pause.Load(e.machine, time.Now())
	switch {
	case f.quiet:
	case p != nil:
		fmt.Fprintf(e.stderr, "note: %s; meanwhile no apply changes it; %s\n", p, pause.Next)
	case err != nil && f.verbose:
		fmt.Fprintln(e.stderr, "note:", err)
	}
	return p != nil
}
