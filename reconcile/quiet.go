package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// quiet keeps jobs away: it stops the service for what needs it down, and
// holds it still for everything else. After a stop it still asks for a hold,
// which is nothing as long as the service is down, and needed as soon as the
// service's own resource has started it.
func (p *pass) quiet(ctx context.Context, res Resource, o Outcome) (held context.Context, release func() error, err error) {
	if !slices.Contains(o.Effects, Restart) && !slices.Contains(o.Effects, Reregister) {
		return p.Jobs.Hold(ctx)
	}
	if p.stopped {
		return NoJobs{}.Hold(ctx)
	}
	if err := p.prepare(ctx, res); err != nil {
		return nil, nil, err
	}
	if err := p.Jobs.Stop(ctx); err != nil {
		return nil, nil, err
	}
	p.stopped = true
	return NoJobs{}.Hold(ctx)
}

// stopTime is what is left of a hold for a stop of the service.
const stopTime = time.Minute

// prepare lets a resource fail while the service is still up. What takes longer
// than a runner may be held for is done with the service down instead.
func (p *pass) prepare(ctx context.Context, res Resource) error {
	r, ok := res.(Preparer)
	if !ok {
		return nil
	}
	held, release, err := p.Jobs.Hold(ctx)
	if err != nil {
		return err
	}
	bound, cancel := sparing(held, stopTime)
	defer cancel()
	err = r.Prepare(p.withProgress(bound, res.ID()), p.host)
	late := bound.Err() != nil && ctx.Err() == nil // asked before the release, with which held ends too
	if p.busy = release(); p.busy != nil {
		return p.busy
	}
	if late {
		return nil
	}
	return err
}

// sparing ends some time before another context's deadline.
func sparing(ctx context.Context, spare time.Duration) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, end.Add(-spare))
	}
	return context.WithCancel(ctx)
}

// refused is the outcome of a change for which jobs could not be kept away. A
// hold that did not last has failed; else nothing was touched.
func (p *pass) refused(o Outcome, err error) Outcome {
	o.Status = Failed
	if errors.Is(err, ErrBusy) && p.busy == nil {
		o.Status, p.busy = Deferred, err
	}
	o.note(err)
	return o
}

// letGo lets the runner go on after a change. If it had gone on before, a job
// may have met the change: that is a failure, and nothing more is touched.
func (p *pass) letGo(o Outcome, release func() error) Outcome {
	lost := release()
	if lost == nil {
		return o
	}
	p.busy = lost
	if o.Err != nil {
		lost = fmt.Errorf("%w; besides, %w", lost, o.Err)
	}
	o.Status = Failed
	o.note(lost)
	return o
}
