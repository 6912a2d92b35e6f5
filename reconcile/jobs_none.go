package reconcile

import "context"

// NoJobs is a host without a runner: nothing can be disturbed.
type NoJobs struct{}

// Idle finds no job.
func (NoJobs) Idle(context.Context) error { return nil }

// Hold has nothing to hold.
func (NoJobs) Hold(ctx context.Context) (context.Context, func() error, error) {
	return ctx, func() error { return nil }, nil
}

// Stop has nothing to stop.
func (NoJobs) Stop(context.Context) error { return nil }
