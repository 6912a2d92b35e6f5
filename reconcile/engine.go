package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Diff looks at every resource and changes nothing. Resources are looked at
// side by side, since each only reads; the outcomes keep their order.
func Diff(ctx context.Context, r host.Reader, resources []Resource) []Outcome {
	outcomes := make([]Outcome, len(resources))
	var wg sync.WaitGroup
	for i, res := range resources {
		wg.Go(func() { outcomes[i] = look(ctx, r, res) })
	}
	wg.Wait()
	return outcomes
}

// look is one resource's diff, as an outcome.
func look(ctx context.Context, r host.Reader, res Resource) Outcome {
	begun := time.Now()
	changes, err := res.Diff(ctx, readOnly{r})
	o := Outcome{ID: res.ID(), Kind: res.ID().Kind, Changes: changes, Effects: effects(changes)}
	switch {
	case err != nil && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrWithheld):
		o.Status = Failed
	case len(changes) > 0:
		o.Status = Pending
	case errors.Is(err, ErrWithheld):
		o.Status = Failed
	case errors.Is(err, ErrUnsupported):
		o.Status = Unsupported
	case errors.Is(err, ErrUnknown):
		o.Status = Unknown
	default:
		o.Status = Unchanged
	}
	o.note(err)
	o.Elapsed = Milliseconds(time.Since(begun))
	return o
}

// readOnly hides every method that a Reader does not have, so that not even a
// type assertion in a Diff finds a way to change something.
type readOnly struct{ host.Reader }

// Options are how an Apply goes about its work.
type Options struct {
	Jobs Jobs
	// Starter, if set, starts the service again. It is settled last, and only
	// if the service was stopped: for resources that leave the service out.
	Starter Resource
	// Found, if set, is told of what differs before anything is done about it,
	// and may fill in what is known of the changes.
	Found func(ID, []Change)
	// Began and Ended, if set, are told of each resource that is worked on,
	// and Said of each line that long work has to say.
	Began func(ID, []Change)
	Ended func(Outcome)
	Said  func(ID, string)
	// Pace is how often long work says how far it is; 0 is DefaultPace.
	Pace time.Duration
}

// Apply makes each resource so, in order, and looks again at each. While a job
// runs nothing is touched: what was not settled yet is deferred.
func Apply(ctx context.Context, h host.Host, resources []Resource, opt Options) []Outcome {
	p := &pass{Options: opt, host: h, failed: map[string]string{}}
	p.busy = opt.Jobs.Idle(ctx)
	outcomes := make([]Outcome, 0, len(resources))
	for _, res := range resources {
		outcomes = append(outcomes, p.settle(ctx, res))
	}
	if p.stopped && opt.Starter != nil {
		outcomes = append(outcomes, p.settle(ctx, opt.Starter))
	}
	judge(resources, outcomes)
	return outcomes
}

// judge makes a failure of each change that was taken back before the end,
// whether this run had made it or one before, which was killed.
func judge(resources []Resource, outcomes []Outcome) {
	for i, res := range resources {
		if r, ok := res.(Provisional); ok {
			if err := r.Verdict(); err != nil {
				outcomes[i].Status = Failed
				outcomes[i].note(err)
			}
		}
	}
}

// A pass is one Apply on its way.
type pass struct {
	Options
	host    host.Host
	failed  map[string]string // by kind, what became of it
	stopped bool              // the service is down, and only its own resource starts it
	busy    error             // why everything from here on is deferred
}

// settle brings one resource into step and tells of it.
func (p *pass) settle(ctx context.Context, res Resource) Outcome {
	o := p.outcome(ctx, res)
	switch {
	case errors.Is(o.Err, ErrWithheld):
	case o.Status == Failed || o.Status == Skipped:
		p.failed[o.Kind] = "failed"
	case o.Status == Unsupported && !IsTolerated(o.Err):
		p.failed[o.Kind] = "this host does not support"
	}
	if p.Ended != nil {
		p.Ended(o)
	}
	return o
}

func (p *pass) outcome(ctx context.Context, res Resource) Outcome {
	id := res.ID()
	if p.busy != nil {
		o := Outcome{ID: id, Kind: id.Kind, Status: Deferred}
		if !errors.Is(p.busy, ErrBusy) {
			o.Status = Failed
		}
		o.note(p.busy)
		return o
	}
	if kind := p.failedNeed(res); kind != "" {
		o := Outcome{ID: id, Kind: id.Kind, Status: Skipped}
		o.note(fmt.Errorf("it needs %s, which %s", kind, p.failed[kind]))
		return o
	}
	begun := time.Now()
	o := look(p.withProgress(ctx, id), p.host, res)
	switch {
	case ctx.Err() != nil && o.Status != Unchanged:
		o.Status = Failed
		o.note(fmt.Errorf("interrupted before anything of it was changed (%w); apply again to go on", ctx.Err()))
	case o.Status == Pending:
		o = p.change(ctx, res, o)
	}
	o.Elapsed = Milliseconds(time.Since(begun))
	return o
}

// change applies what look found, with jobs kept away for as long as it takes.
func (p *pass) change(ctx context.Context, res Resource, o Outcome) Outcome {
	if p.Found != nil {
		p.Found(o.ID, o.Changes)
	}
	held, release, err := p.quiet(ctx, res, o)
	if err != nil {
		return p.refused(o, err)
	}
	if p.Began != nil {
		p.Began(o.ID, o.Changes)
	}
	err = res.Apply(p.withProgress(held, o.ID), p.host)
	if err != nil && held.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", err, context.Cause(held))
	}
	return p.letGo(p.changed(ctx, res, o, err), release)
}

// changed is what came of an Apply, by another look.
func (p *pass) changed(ctx context.Context, res Resource, o Outcome, err error) Outcome {
	if err != nil {
		o.Status = Failed
		o.note(err)
		return o
	}
	again := look(p.withProgress(ctx, o.ID), p.host, res)
	o.Status, o.Err, o.Error = Changed, again.Err, again.Error
	if again.Status == Pending || again.Status == Failed {
		o.Status = Failed
		o.note(errors.Join(stillDiffers(again.Changes), again.Err))
	}
	return o
}

// failedNeed returns the kind that res needs and that failed, if one did.
func (p *pass) failedNeed(res Resource) string {
	d, ok := res.(Dependent)
	if !ok {
		return ""
	}
	for _, kind := range d.Needs() {
		if p.failed[kind] != "" {
			return kind
		}
	}
	return ""
}

func (o *Outcome) note(err error) {
	if err != nil {
		o.Err, o.Error = err, err.Error()
	}
}

func stillDiffers(changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	var rest []string
	for _, c := range changes {
		rest = append(rest, fmt.Sprintf("%s is %s, not %s", c.Field, c.Have, c.Want))
	}
	return fmt.Errorf("it still differs after the change: %s", strings.Join(rest, "; "))
}

// effects is the union of what the changes bring about, sorted.
func effects(changes []Change) []Effect {
	var all []Effect
	for _, c := range changes {
		all = append(all, c.Effects...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
