package reconcile

import "context"

type progressKey struct{}

// withProgress lets a resource's Apply say what it is at.
func (p *pass) withProgress(ctx context.Context, id ID) context.Context {
	if p.Said == nil {
		return ctx
	}
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
