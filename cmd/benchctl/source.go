package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/SKaiNET-developers/benchctl/internal/agent"
	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/internal/relay"
	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// newReader makes what reads the spec; with kept, it asks for nothing that there
// is a copy of. What is fetched comes by the proxies and with the credentials of
// the last good spec, which knows this host's, unless the environment has others.
func newReader(e *env, f *flags, told listener, kept bool) *source.Reader {
	good := func() *spec.Spec { return agent.Good(e.machine, f.files) }
	if !kept && !f.offline && slices.ContainsFunc(f.files, source.IsRemote) {
		if s := good(); s != nil {
			takeProxies(e, s)
		}
	}
	return &source.Reader{
		Stdin: e.stdin, Copies: e.machine, Offline: f.offline, Kept: kept, Dial: relay.Dialer(e.getenv), Said: told.warn,
		Token:   func(ctx context.Context) string { return sourceToken(ctx, e, good(), told) },
		Resting: func() string { return resting(e, good(), told.patient) },
	}
}

// resting says why GitHub is to be left alone, as earlier passes remember it.
func resting(e *env, good *spec.Spec, patient bool) string {
	found, err := sourceCredentials(e, good)
	if err != nil {
		return ""
	}
	return github.LoadMemory(e.machine).Resting(found, patient)
}

// A listener is told of things, of which a person would like to know more than
// the journal.
type listener struct {
	note, warn func(line string)
	patient    bool // nobody waits
}

func toPerson(e *env, f *flags) listener {
	note := func(line string) { fmt.Fprintln(e.stderr, "note:", clean(line)) }
	if f.quiet {
		return listener{note: func(string) {}, warn: note}
	}
	return listener{note: note, warn: note}
}

func toJournal(e *env) listener {
	log := journal.New(e.stderr)
	return listener{
		note: func(string) {},
		warn: func(line string) { log.Say(journal.Warning, nil, "%s", clean(line)) },

		patient: true,
	}
}

// sourceToken is what github.com is shown, "" for nothing.
func sourceToken(ctx context.Context, e *env, good *spec.Spec, told listener) string {
	found, err := sourceCredentials(e, good)
	token := found.Token
	if err == nil && found.App != nil {
		token, err = github.InstallationToken(ctx, github.Options{URL: good.Runner.URL, Credentials: found, Dial: relay.Dialer(e.getenv)})
		told.note(fmt.Sprintf("GitHub was asked for an installation token of App %d, to fetch the spec with", found.App.ID))
	}
	if err != nil { // perhaps the spec that is fetched knows better
		told.warn(err.Error() + "; the spec is asked for without a token")
	}
	return token.Reveal()
}

// sourceCredentials are those of the environment and of the last good spec. What
// that one has for another GitHub is none of github.com's business.
func sourceCredentials(e *env, good *spec.Spec) (github.Credentials, error) {
	switch {
	case good == nil:
		return github.FindCredentials(e.machine, e.getenv, spec.GitHub{})
	case good.Runner.URL.Host == "github.com":
		return github.FindCredentials(e.machine, e.getenv, good.GitHub, good.User.Home)
	}
	typed := func(name string) string {
		if name == "CREDENTIALS_DIRECTORY" {
			return ""
		}
		return e.getenv(name)
	}
	return github.FindCredentials(e.machine, typed, spec.GitHub{})
}
