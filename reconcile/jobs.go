package reconcile

import "context"

// Jobs keeps the engine away from the jobs of the runner: nothing is changed
// from a job's acquisition until its worker is gone (law 5). Each method
// returns an error that wraps [ErrBusy], with the reason, when a job is there
// or cannot be ruled out.
type Jobs interface {
	// Idle looks whether a job is running. It costs next to nothing.
	Idle(context.Context) error
	// Hold keeps the runner from taking a job until release is called. Should
	// benchctl die first, or take too long, something already armed releases
	// it. The context that it returns is done as soon as the hold can no longer
	// be relied on, and its deadline, if it has one, is when that will be.
	// release returns an error if the runner went on before.
	Hold(context.Context) (held context.Context, release func() error, err error)
	// Stop ends the runner's service, unless a job has begun. A service that
	// is not there, or down, is no error.
	Stop(context.Context) error
}
