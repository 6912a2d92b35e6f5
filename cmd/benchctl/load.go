package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/SKaiNET-developers/benchctl/internal/agent"
	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// load reads and checks the spec that the flags name. Nothing is written: what
// was fetched is not kept.
func load(ctx context.Context, e *env, f *flags) (*spec.Spec, error) {
	return newReader(e, f, toPerson(e, f), false).Load(ctx, f.files)
}

// loadToApply is load for an apply. keep, called once the apply may write, keeps
// what was fetched. An apply that the agent starts goes by what the pass before
// it fetched.
func loadToApply(ctx context.Context, e *env, f *flags, a applyFlags) (s *spec.Spec, keep func(), err error) {
	told := toPerson(e, f)
	if !a.attended {
		told = toJournal(e)
	}
	from := newReader(e, f, told, !a.attended)
	keep = func() {
		if s.Schedule == nil {
			return // nobody will ask for it again
		}
		if err := from.Keep(e.machine); err != nil {
			told.warn(err.Error())
		}
	}
	if a.attended {
		s, err = from.Load(ctx, f.files)
	} else {
		s, err = loadKept(ctx, e, f, from)
	}
	return s, keep, err
}

// loadForPass is load for a pass of the agent, which keeps what it fetches.
func loadForPass(ctx context.Context, e *env, f *flags) (*spec.Spec, error) {
	told := toJournal(e)
	from := newReader(e, f, told, false)
	s, err := loadKept(ctx, e, f, from)
	if lost := from.Keep(e.machine); lost != nil {
		told.warn(lost.Error())
	}
	return s, err
}

// loadKept is load where nobody is at hand: a spec with problems gives way to
// the last good one. The agent, which sees the same texts, says which problems.
func loadKept(ctx context.Context, e *env, f *flags, from *source.Reader) (*spec.Spec, error) {
	from.Open = e.machine.Open
	s, fault, err := agent.LoadKept(ctx, from, e.machine, f.files)
	var problems spec.Problems
	switch {
	case errors.As(fault, &problems):
		from.Said(fmt.Sprintf("the last good spec is used, since %s has problems: see benchctl validate%s", f.names(), f.again(e)))
	case fault != nil:
		from.Said(fmt.Sprintf("the last good spec is used: %v", fault))
	}
	return s, err
}
