package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/SKaiNET-developers/benchctl/internal/deadline"
	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/internal/relay"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// wired is a spec made ready for one verb: the only place where the machine,
// GitHub and the resources meet.
type wired struct {
	spec      *spec.Spec
	machine   *linux.Machine
	jobs      *jobs.Keeper
	resources []reconcile.Resource
	options   resources.Options  // what they were built with
	partial   bool               // --only leaves some out
	service   reconcile.Resource // the runner's, selected or not
	starter   reconcile.Resource // the service, where --only leaves it out
	agreed    *reconcile.Report  // what somebody was shown and said yes to
	mute      bool               // no credentials: nothing can be registered
	client    *github.Client     // nil when nobody is to be asked
	memory    *github.Memory     // of what GitHub said
	lasts     deadline.Support   // what GitHub last said of the runner's version
	book      *history.Book      // what earlier passes remembered; nil until it is asked for
}

// wire builds the selected resources of a spec. It talks to nobody.
func wire(e *env, f *flags, s *spec.Spec, a applyFlags) (*wired, error) {
	if err := resources.Rival(e.machine, s); err != nil {
		return nil, err
	}
	o := resources.Options{
		Host: e.machine, Getenv: e.getenv, Self: self(), Sources: agentSources(f.files),
		Offline: f.offline, Attended: a.attended, Unattended: a.unattended, Applying: a.applying,
		AllowUpgrades: a.allowUpgrades, Trust: a.trustOnFirstUse, Verify: a.verify, TakeOver: a.takeOver,
	}
	takeProxies(e, s)
	memory := github.LoadMemory(e.machine)
	client, err := withGitHub(e, f, s, &o, memory)
	if err != nil {
		return nil, err
	}
	keeper := newKeeper(e.machine, resources.Runner(e.machine, s))
	o.Stop, o.Patience = keeper.StopSilent, patience()
	all := resources.Build(s, o)
	some, err := selected(all, f.only)
	if err != nil {
		return nil, err
	}
	w := &wired{spec: s, machine: e.machine, jobs: keeper, resources: some, client: client, memory: memory}
	w.options, w.partial = o, len(f.only) > 0
	w.mute = !f.offline && o.GitHub == nil && o.Token == ""
	isService := func(r reconcile.Resource) bool { return r.ID().Kind == "service" }
	w.service = all[slices.IndexFunc(all, isService)]
	if !slices.ContainsFunc(some, isService) {
		w.starter = w.service
	}
	return w, nil
}

// withGitHub finds credentials and makes a client, unless nobody is to be asked.
func withGitHub(e *env, f *flags, s *spec.Spec, o *resources.Options, memory *github.Memory) (*github.Client, error) {
	if f.offline {
		return nil, nil
	}
	found, err := github.FindCredentials(e.machine, e.getenv, s.GitHub, s.User.Home)
	if err != nil {
		return nil, err
	}
	client, err := github.New(github.Options{
		URL: s.Runner.URL, Credentials: found, Version: version, Dial: relay.Dialer(e.getenv),
		Memory: memory, Patient: o.Unattended,
	})
	if err != nil {
		return nil, err
	}
	o.Releases, o.Token = client, found.Registration
	if found.API() {
		o.GitHub = client
	}
	return client, nil
}

// self is the running benchctl's own file.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// cannotRegister says so before anything is changed: a runner that has to be
// registered, and nothing to register it with.
func (w *wired) cannotRegister() error {
	wants := slices.ContainsFunc(w.resources, func(r reconcile.Resource) bool { return r.ID().Kind == "config" })
	if !wants || !w.mute || resources.Registered(w.machine, w.spec) {
		return nil
	}
	return fmt.Errorf("cannot register the runner: there are no credentials; set GITHUB_TOKEN, or GH_RUNNER_TOKEN with a token from the page of new runners at %s; nothing was changed",
		w.spec.Runner.URL.Text)
}

// serviceRuns reports whether the runner's service is up, or about to be. Its
// unit's name is looked up each time, since an apply may change it.
func (w *wired) serviceRuns(ctx context.Context) bool {
	u, err := w.machine.Unit(ctx, resources.Runner(w.machine, w.spec).Unit)
	return err == nil && u.ActiveState != "inactive" && u.ActiveState != "failed"
}

func (w *wired) close() { w.machine.Close() }
