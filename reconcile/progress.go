package reconcile

import (
	"context"
	"time"
)

type progressKey struct{}

type paceKey struct{}

// DefaultPace is how often work says how far it is where nobody watches: often
// enough to tell it from work that hangs, seldom enough for a log.
const DefaultPace = 30 * time.Second

// withProgress lets a resource's Diff and Apply say what they are at.
func (p *pass) withProgress(ctx context.Context, id ID) context.Context {
	if p.Said == nil {
		return ctx
	}
	ctx = context.WithValue(ctx, paceKey{}, p.Pace)
	return WithProgress(ctx, func(line string) { p.Said(id, line) })
}

// WithProgress makes [Progress] return say.
func WithProgress(ctx context.Context, say func(line string)) context.Context {
	return context.WithValue(ctx, progressKey{}, say)
}

// Progress returns where long work reports what it is at, one line at a time.
// It is never nil.
func Progress(ctx context.Context) func(line string) {
	if say, ok := ctx.Value(progressKey{}).(func(string)); ok {
		return say
	}
	return func(string) {}
}

// Pace is how long work that goes on may be silent; see [Options].
func Pace(ctx context.Context) time.Duration {
	if pace, ok := ctx.Value(paceKey{}).(time.Duration); ok && pace > 0 {
		return pace
	}
	return DefaultPace
}
