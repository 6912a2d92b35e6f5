package jobs

import (
	"context"
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
	var h *held
	err := persist(ctx, progress, func(worker *process) (err error) {
		if worker == nil {
			h, err = k.hold(ctx)
		} else {
			h, err = k.ambush(ctx, *worker)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Seizure{keeper: k, held: h}, nil
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
// bounds of a hold are those of all changes together. Once the hold is over, by
// a Stop or by itself, a Seizure does what the Keeper does.
type Seizure struct {
	keeper *Keeper
	held   *held // nil once it is over
}

var _ reconcile.Jobs = (*Seizure)(nil)

// Idle returns nil while the runner is held.
func (s *Seizure) Idle(ctx context.Context) error {
	if s.lasts() {
		return nil
	}
	return s.keeper.Idle(ctx)
}

// Hold is like [Keeper.Hold], but its release only looks whether the runner has
// been held, and holds it on.
func (s *Seizure) Hold(ctx context.Context) (held context.Context, release func() error, err error) {
	if !s.lasts() {
		return s.keeper.Hold(ctx)
	}
	h := s.held
	held, cancel := h.during(ctx)
	return held, sync.OnceValue(func() error {
		cancel()
		return s.keeper.intact(h)
	}), nil
}

// Stop is like [Keeper.Stop], without another look for jobs: none can have come.
func (s *Seizure) Stop(ctx context.Context) error {
	if !s.lasts() {
		return s.keeper.Stop(ctx)
	}
	h := s.held
	s.held = nil
	return s.keeper.end(ctx, h)
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
