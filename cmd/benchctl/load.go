package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/SKaiNET-developers/benchctl/internal/agent"
	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/internal/relay"
	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// load reads and checks the spec that the flags name. Nothing is written: what
// was fetched is not kept.
func load(ctx context.Context, e *env, f *flags) (*spec.Spec, error) {
	return newReader(e, f, noted(e), false).Load(ctx, f.files)
}

// loadToApply is load for an apply. keep, called once the apply may write, keeps
// what was fetched. An apply that the agent starts goes by what the pass before
// it fetched.
func loadToApply(ctx context.Context, e *env, f *flags, a applyFlags) (s *spec.Spec, keep func(), err error) {
	say := noted(e)
	if !a.attended {
		say = logged(e)
	}
	from := newReader(e, f, say, !a.attended)
	keep = func() {
		if s.Schedule == nil {
			return // nobody will ask for it again
		}
		if err := from.Keep(e.machine); err != nil {
			say(err.Error())
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
	say := logged(e)
	from := newReader(e, f, say, false)
	s, err := loadKept(ctx, e, f, from)
	if lost := from.Keep(e.machine); lost != nil {
		say(lost.Error())
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
		from.Said(fmt.Sprintf("the last good spec is used, since %s has problems: see benchctl validate%s", f.names(), f.again()))
	case fault != nil:
		from.Said(fmt.Sprintf("the last good spec is used: %v", fault))
	}
	return s, err
}

// noted says a line to a person, and logged to the journal.
func noted(e *env) func(string) {
	return func(line string) { fmt.Fprintln(e.stderr, "note:", clean(line)) }
}

func logged(e *env) func(string) {
	return func(line string) { journal.New(e.stderr).Say(journal.Warning, nil, "%s", clean(line)) }
}

// newReader makes what reads the spec; with kept, it asks for nothing that there
// is a copy of. What is fetched comes by the proxies and with the credentials of
// the last good spec, which knows this host's, unless the environment has others.
func newReader(e *env, f *flags, say func(string), kept bool) *source.Reader {
	r := &source.Reader{
		Stdin: e.stdin, Copies: e.machine, Offline: f.offline, Kept: kept, Dial: relay.Dialer(e.getenv), Said: say,
	}
	r.Token = func() string { return sourceToken(e, agent.Good(e.machine, f.files), say) }
	if !kept && !f.offline && slices.ContainsFunc(f.files, source.IsRemote) {
		if good := agent.Good(e.machine, f.files); good != nil {
			takeProxies(e, good)
		}
	}
	return r
}

// sourceToken is what github.com is shown. Credentials that are this host's for
// another GitHub are none of github.com's business.
func sourceToken(e *env, good *spec.Spec, say func(string)) string {
	var where spec.GitHub
	var off []string
	getenv := e.getenv
	if good != nil {
		where, off = good.GitHub, []string{good.User.Home}
	}
	if good != nil && good.Runner.URL.Host != "github.com" {
		where = spec.GitHub{}
		getenv = func(name string) string {
			if name == "CREDENTIALS_DIRECTORY" {
				return ""
			}
			return e.getenv(name)
		}
	}
	found, err := github.FindCredentials(e.machine, getenv, where, off...)
	if err != nil { // perhaps the spec that is fetched knows better
		say(err.Error() + "; the spec is asked for without a token")
	}
	return found.Token.Reveal()
}
