package jobs

import (
	"context"
	"errors"
	"sync"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Seize holds the runner for a whole apply, in spite of a queue that is never
// empty: at once if no job is there, else in the moment in which the Worker of
// the running job ends. If the Listener was quicker and has taken the next job,
// that one is waited for, and so on until the context ends. While a Worker
// lives it sleeps.
//
// It tells progress why it waits, each time the reason changes.
func (k *Keeper) Seize(ctx context.Context, progress func(reason string)) (*Seizure, error) {
	s := &Seizure{keeper: k, progress: progress}
	return s, s.insist(ctx)
}

// ambush holds the runner as soon as a Worker has ended. All that takes time is
// done before: between a Worker and the next acquisition the Listener needs
// three round trips, which to a server in the same house are milliseconds.
func (k *Keeper) ambush(ctx context.Context, worker process) (*held, error) {
	listeners, _, err := k.find()
	if err != nil {
		return nil, err
	}
	h, err := k.ready(ctx, listeners)
	if err != nil {
		return nil, err
	}
	if err := k.outlive(ctx, worker); err != nil {
		h.release()
		return nil, err
	}
	if err := k.take(ctx, h); err != nil {
		return nil, err
	}
	return h, nil
}

// A Seizure is a runner that is held for more than one change. It implements
// [reconcile.Jobs] like the Keeper, but with the hold that it has already. The
// bounds of a hold are those of all changes together. Once it is over, by a Stop
// or by itself, the runner is seized anew for what comes after.
type Seizure struct {
	keeper   *Keeper
	progress func(reason string)
	held     *held // nil when the runner was let go
}

var _ reconcile.Jobs = (*Seizure)(nil)

// insist holds the runner, if it is not held, however long that takes.
func (s *Seizure) insist(ctx context.Context) error {
	if s.lasts() {
		return nil
	}
	return persist(ctx, s.progress, func(worker *process) (err error) {
		if worker == nil {
			s.held, err = s.keeper.hold(ctx)
		} else {
			s.held, err = s.keeper.ambush(ctx, *worker)
		}
		return err
	})
}

// Idle returns nil when the runner is held.
func (s *Seizure) Idle(ctx context.Context) error { return s.insist(ctx) }

// Hold is like [Keeper.Hold], but its release only looks whether the runner has
// been held, and holds it on.
func (s *Seizure) Hold(ctx context.Context) (held context.Context, release func() error, err error) {
	if err := s.insist(ctx); err != nil {
		return nil, nil, err
	}
	h := s.held
	held, cancel := h.during(ctx)
	return held, sync.OnceValue(func() error {
		cancel()
		return s.keeper.intact(h)
	}), nil
}

// Stop is like [Keeper.Stop]. If a message has arrived since the runner was
// held, it is let go and seized anew: the job may be one that it has to take.
func (s *Seizure) Stop(ctx context.Context) error {
	for {
		if err := s.insist(ctx); err != nil {
			return err
		}
		err := s.keeper.lookAgain(s.held)
		if err == nil {
			h := s.held
			s.held = nil
			return s.keeper.end(ctx, h)
		}
		s.Release()
		if !errors.Is(err, reconcile.ErrBusy) {
			return err
		}
	}
}

// Release lets the runner go on.
func (s *Seizure) Release() {
	if s.held != nil {
		s.held.release()
		s.held = nil
	}
}

// lasts reports whether the runner is held by this Seizure. One that was down
// is not, since there is nothing to hold.
func (s *Seizure) lasts() bool {
	if s.held == nil || s.keeper.loose {
		return s.held != nil
	}
	if s.held.guard == nil || s.keeper.intact(s.held) != nil {
		s.Release()
		return false
	}
	return true
}
