package reconcile

import (
	"context"
	"slices"
	"time"
)

// quiet keeps jobs away: it stops the service for what needs it down, and
// holds it still for everything else.
func (p *pass) quiet(ctx context.Context, res Resource, o Outcome) (release func(), err error) {
	nothing := func() {}
	if p.stopped {
		return nothing, nil
	}
	if !slices.Contains(o.Effects, Restart) && !slices.Contains(o.Effects, Reregister) {
		return p.Jobs.Hold(ctx)
	}
	if err := p.prepare(ctx, res); err != nil {
		return nothing, err
	}
	err = p.Jobs.Stop(ctx)
	p.stopped = err == nil
	return nothing, err
}

// prepareLimit is less than a runner may be held for. What takes longer is done
// with the service down instead.
const prepareLimit = 8 * time.Minute

// prepare lets a resource fail while the service is still up.
func (p *pass) prepare(ctx context.Context, res Resource) error {
	r, ok := res.(Preparer)
	if !ok {
		return nil
	}
	release, err := p.Jobs.Hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	bound, cancel := context.WithTimeout(p.withProgress(ctx, res.ID()), prepareLimit)
	defer cancel()
	err = r.Prepare(bound, p.host)
	if bound.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}
