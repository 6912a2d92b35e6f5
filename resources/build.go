package resources

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// Options are what the resources need beside the spec.
type Options struct {
	Host     host.Reader         // for names that are resolved once
	GitHub   GitHub              // nil without API credentials
	Releases Releases            // nil to ask nobody about the runner's releases
	Token    actions.Secret      // a pasted registration token, or ""
	Getenv   func(string) string // asked for proxies alone
	Self     string              // the running benchctl's own file
	// Stop ends the runner's service by law 5, also one whose Listener never
	// said a word. It is needed where a new version does not listen.
	Stop     func(context.Context) error
	Patience time.Duration // how long a started runner may take to listen; 0: five minutes
	Sources  []string      // what an agent reads the spec from; nil: a copy of it on the host

	Offline       bool // never talk to GitHub
	Glance        bool // a look that waits for nothing, as of a runner that is being started
	Attended      bool // a person is waiting: `latest` may be resolved
	Unattended    bool // it is the agent's own pass or apply
	Applying      bool // the diff is an apply's own
	AllowUpgrades bool
	Trust         bool // accept and record digests that nobody gave
	Verify        bool // look at the contents of every file of the runner
	TakeOver      bool // replace a same-named runner of another host
}

// Build lowers a spec to the resources that it asks for, in the order of law 4:
// what a job needs comes before the registration, the service comes after all
// of it, and the agent that keeps it so is the last.
func Build(s *spec.Spec, o Options) []reconcile.Resource {
	apt := NewApt()
	apt.AllowUpgrades, apt.Trust = o.AllowUpgrades, o.Trust

	config := configOf(s, o)
	runner := tarballOf(s, o)
	own := program{self: o.Self}
	l := launch{spec: s, binary: own.path()}
	var all []reconcile.Resource
	if s.Schedule == nil {
		all = append(all, noAgent{}) // a removal runs backwards
	}
	all = append(all, user{s}, Packages{apt})
	all = append(all, jdkOf(s, apt)...)
	all = append(all, ptsOf(s, apt)...)
	all = append(all, runner, config, env{l})
	all = append(all, knobsOf(s)...)
	all = append(all, cleanupOf(s)...)
	all = append(all, own, hooks{l}, serviceOf(l, o, config, runner))
	if s.Schedule != nil {
		all = append(all, agent{spec: s, binary: own.path(), sources: o.Sources, unattended: o.Unattended, patience: agentPatience})
	}
	return all
}

func serviceOf(l launch, o Options, config *Config, runner *Tarball) service {
	s := service{
		launch: l, patience: cmp.Or(o.Patience, startPatience), steady: steady, grace: startGrace,
		unattended: o.Unattended, config: config, runner: runner, stop: o.Stop,
	}
	if o.Glance {
		s.grace = 0
	}
	return s
}

func configOf(s *spec.Spec, o Options) *Config {
	c := NewConfig(o.Host, s, o.Getenv)
	c.GitHub, c.Token, c.Offline = o.GitHub, o.Token, o.Offline
	c.TakeOver, c.Applying, c.Unattended, c.Sparing = o.TakeOver, o.Applying, !o.Attended, o.Unattended
	return c
}

// Runner is the spec's runner as law 5 needs it: who it is and where. An
// account that is not there yet runs nothing. After a change of URL or name the
// unit to stop is still the one under the old name, and before a move it is the
// one in the old place.
func Runner(r host.Reader, s *spec.Spec) jobs.Runner {
	if f := FormerOf(r, s); f.registered(r) {
		return runnerOf(r, f.User, f.Unit, f.Dir)
	}
	runner := runnerOf(r, s.User.Name, unitName(s.Runner.URL, runnerName(r, s)), s.InstallDir)
	units := unitsOf(r, s.InstallDir)
	if len(units) > 0 && !slices.ContainsFunc(units, func(u foundUnit) bool { return u.name == runner.Unit }) {
		runner.Unit = units[0].name
	}
	return runner
}
