package main

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/deadline"
	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/internal/notify"
	"github.com/SKaiNET-developers/benchctl/internal/relay"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// tell has somebody told what a run came to, if the spec says whom, and says
// what of that failed.
func (w *wired) tell(ctx context.Context, e *env, log *journal.Log, r *reconcile.Report, a applyFlags) {
	if w.spec.Notify == nil {
		return
	}
	s := notify.State{
		Host: w.machine.Hostname(), Report: r, Partial: w.partial, Attended: a.attended, Online: w.online(r),
		Disks: disks(w.machine, w.spec), Deadlines: versionEnd(deadline.Kept(w.machine, runnerInstalled(w.machine, w.spec))),
	}
	o := tellOptions(e, w.spec, w.jobs.Idle)
	if w.client != nil && w.options.GitHub != nil {
		o.Issues = w.client
		s.Deadlines = append(s.Deadlines, tokenEnd(w.client, a)...)
	}
	if w.options.Offline {
		o.Issue = false
	}
	told(log, notify.Tell(ctx, w.machine, o, s))
}

// tellNoPass has somebody told that a pass could not even look. GitHub is left
// alone: that its client could not be made may be why.
func tellNoPass(ctx context.Context, e *env, s *spec.Spec) {
	if s.Notify == nil {
		return
	}
	o := tellOptions(e, s, newKeeper(e.machine, resources.Runner(e.machine, s)).Idle)
	o.Issue = false
	told(journal.New(e.stderr), notify.Tell(ctx, e.machine, o, notify.State{Host: e.machine.Hostname()}))
}

func tellOptions(e *env, s *spec.Spec, idle func(context.Context) error) notify.Options {
	return notify.Options{
		Notify: *s.Notify, Now: time.Now(), Idle: idle, Getenv: e.getenv,
		Confined: e.getenv(relay.SocketEnv) != "", Dial: relay.Dialer(e.getenv),
	}
}

func told(log *journal.Log, problems []error) {
	for _, err := range problems {
		log.Say(journal.Warning, journal.Fields{"NOTIFY": "failed"}, "%s", clean(err.Error()))
	}
}

// tokenEnd is when the API token ends. A person may have come with another
// token than the agent has.
func tokenEnd(c *github.Client, a applyFlags) []notify.Deadline {
	at, known := c.TokenEnds()
	if !known || a.attended {
		return nil
	}
	return []notify.Deadline{{
		Cause: "credential", At: at, What: "the API token that benchctl shows GitHub",
		Next: "make a new token and put it where that one is",
	}}
}

// enoughFree is what a runner, its tools and a checkout need, where the spec
// says nothing else.
const enoughFree = 20 << 30

// disks are those that jobs fill, once each.
func disks(r host.Reader, s *spec.Spec) (disks []notify.Disk) {
	floor := uint64(enoughFree)
	if s.Cleanup != nil && s.Cleanup.MinFree > 0 {
		floor = uint64(s.Cleanup.MinFree)
	}
	seen := map[string]bool{}
	for _, dir := range []string{s.WorkDir(), s.InstallDir} {
		if d, err := r.Disk(dir); err == nil && !seen[d.Mount] {
			seen[d.Mount] = true
			disks = append(disks, notify.Disk{Path: dir, Free: d.Free, Floor: floor})
		}
	}
	return disks
}

// runnerInstalled is the version that the runner's link leads to, "" where
// there is none.
func runnerInstalled(r host.Reader, s *spec.Spec) string {
	target, err := r.Readlink(s.InstallDir + "/bin")
	version, ok := strings.CutPrefix(path.Base(target), "bin.")
	if err != nil || !ok || strings.Trim(version, "0123456789.") != "" {
		return ""
	}
	return version
}
