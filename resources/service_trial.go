package resources

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// steady is how long a version on trial has to listen. One that GitHub takes no
// more says that it listens and ends with the answer to its first question.
const steady = 5 * time.Second

// diffTrial says that a version listens and nobody has noted it: benchctl was
// killed just then.
func (s service) diffTrial(r host.Reader) []reconcile.Change {
	tr := s.runner.onTrial(r)
	if tr == nil {
		return nil
	}
	return []reconcile.Change{{Field: "runner " + tr.To, Have: "on trial", Want: "proved"}}
}

// noteListening ends the trial of a version that listens.
func (s service) noteListening(ctx context.Context, h host.Host, u host.Unit) error {
	if s.runner.onTrial(h) == nil {
		return nil
	}
	if _, ok, err := listening(ctx, h, u); err != nil || !ok {
		return err
	}
	return s.runner.prove(h)
}

// startOnTrial starts the runner, and brings the version before back if one on
// trial does not listen.
func (s service) startOnTrial(ctx context.Context, h host.Host, name string) error {
	tr := s.runner.onTrial(h)
	if tr == nil {
		return s.start(ctx, h, name)
	}
	err := s.start(ctx, h, name)
	if err == nil {
		err = s.keepsListening(ctx, h, name)
	}
	switch {
	case err == nil:
		return s.runner.prove(h)
	case ctx.Err() != nil:
		return err // nobody waited for it; the next apply does
	}
	return s.rollBack(ctx, h, name, tr, err)
}

// keepsListening waits for as long as a version has to listen.
func (s service) keepsListening(ctx context.Context, h host.Host, name string) error {
	first, err := h.Unit(ctx, name)
	for begun := time.Now(); err == nil && time.Since(begun) < s.steady; {
		if err = wait(ctx, min(lookInterval, s.steady)); err != nil {
			break
		}
		var u host.Unit
		if u, err = h.Unit(ctx, name); err == nil && (u.ActiveState != "active" || u.InvocationID != first.InvocationID) {
			err = failedStart(ctx, h, name, errors.New("it listened and ended at once"))
		}
	}
	return err
}

// rollBack brings the version before a trial back, with everything that is
// compiled from the version, and starts that. Killed on the way, the next pass
// goes on: what is wanted from the first step on is the version before.
func (s service) rollBack(ctx context.Context, h host.Host, name string, tr *trial, why error) error {
	var failed *startError
	if !errors.As(why, &failed) {
		return why // it may well listen, as far as could be seen
	}
	reconcile.Progress(ctx)(fmt.Sprintf("runner %s does not listen: bringing %s back", tr.To, tr.From))
	if err := s.stop(ctx); err != nil {
		return fmt.Errorf("%w; runner %s was not brought back: %w", why, tr.From, err)
	}
	if err := s.runner.giveUp(h, tr, failed.story()); err != nil {
		return fmt.Errorf("%w; runner %s was not brought back: %w; apply again to go on", why, tr.From, err)
	}
	err := s.comeBack(ctx, h)
	s.runner.verdict = tr.sentence(name, failed, err)
	if err != nil {
		return fmt.Errorf("cannot bring runner %s back, after %s did not listen: %w", tr.From, tr.To, err)
	}
	return nil
}

// comeBack puts the version before in place and starts it.
func (s service) comeBack(ctx context.Context, h host.Host) error {
	if err := s.runner.Apply(ctx, h); err != nil {
		return err
	}
	if err := (hooks{s.launch}).Apply(ctx, h); err != nil {
		return err
	}
	unit, _, err := s.own(h)
	if err != nil {
		return err
	}
	u, err := h.Unit(ctx, unit.name)
	if err != nil {
		return err
	}
	if err := s.writeFiles(ctx, h, u, unit); err != nil {
		return err
	}
	if err := unit.takeIn(ctx, h, u); err != nil {
		return err
	}
	return s.start(ctx, h, unit.name)
}

// sentence is what an operator hears of a version that was given up.
func (tr *trial) sentence(unit string, why *startError, back error) error {
	now := "runner " + tr.From + " is back and listens"
	if back != nil {
		now = "runner " + tr.From + " is to come back and does not listen either"
	}
	agent := "in a day or when the spec changes"
	if tr.Times >= mostTrials {
		agent = "only when the spec changes"
	}
	next := "see journalctl -u " + unit + " and set another runner.version; benchctl apply tries " + tr.To + " again at once, the agent " + agent
	return fmt.Errorf("cannot use runner %s: %s; %s; %s", tr.To, why.story(), now, nextStep(why.said, next))
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
