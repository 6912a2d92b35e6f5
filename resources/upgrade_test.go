package resources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const (
	oldVersion = "2.336.0"
	newVersion = "2.337.0"
)

// An upgradeHost is a host in step with oldVersion, whose spec asks for
// newVersion.
type upgradeHost struct {
	*obeyHost
	sums   map[string]string // of each version's archive
	starts func(version string, u *host.Unit) (lines []string, err error)
	stop   error // why the service cannot be stopped
	begun  int   // starts of the service
	busy   bool  // systemd takes longer to answer than anybody waits for a Listener
}

// Unit answers in its time, unless nobody waits for it any more.
func (u *upgradeHost) Unit(ctx context.Context, name string) (host.Unit, error) {
	if u.busy {
		select {
		case <-ctx.Done():
			return host.Unit{}, fmt.Errorf("cannot ask systemd about %s: %w", name, ctx.Err())
		case <-time.After(5 * time.Millisecond): // patience is 1 ms here
		}
	}
	return u.Machine.Unit(ctx, name)
}

// sound is a version that listens.
func sound(string, *host.Unit) ([]string, error) { return []string{".path=/usr/bin", listensNow}, nil }

func newUpgradeHost(t *testing.T) *upgradeHost {
	t.Helper()
	u := &upgradeHost{obeyHost: newObeyHost(t), sums: map[string]string{}, starts: sound}
	for version, listener := range map[string]string{oldVersion: "listener", newVersion: "new listener"} {
		files := maps.Clone(runnerFiles)
		files["bin/Runner.Listener*"] = listener
		files["run.sh*"] = "#!/bin/bash\n# run " + version + "\n"
		u.sums[version] = archive(t, u.Machine, "/srv/runner-"+version+".tar.gz", files)
	}
	start := u.OnStart
	u.OnStart = func(unit string) error {
		if unit != obeyUnit {
			return start(unit)
		}
		u.begun++
		if err := start(unit); err != nil {
			return err
		}
		state := u.Units[unit]
		state.InvocationID, state.ActiveSince = fmt.Sprintf("%032x", u.begun), time.Now()
		lines, err := u.starts(u.version(), &state)
		u.Units[unit], u.Journals[state.InvocationID] = state, lines
		return err
	}
	for _, o := range u.apply(t, oldVersion, Options{Attended: true}) {
		if o.Status != reconcile.Changed && o.Status != reconcile.Unchanged {
			t.Fatalf("%+v", o)
		}
	}
	return u
}

// version is the one that bin leads to.
func (u *upgradeHost) version() string {
	target, _ := u.Readlink(laneDir + "/bin")
	return strings.TrimPrefix(target, "bin.")
}

func (u *upgradeHost) spec(t *testing.T, version string) *spec.Spec {
	t.Helper()
	s, err := spec.Load("runner.yaml", fmt.Appendf(nil, `version: 1
user: gha-runner
runner:
  url: https://github.com/octo/bench
  version: %q
  archive: /srv/runner-%[1]s.tar.gz
  sha256: %s
`, version, u.sums[version]))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (u *upgradeHost) build(s *spec.Spec, o Options) []reconcile.Resource {
	o.Host, o.GitHub, o.Getenv, o.Self, o.Applying = u, u.gh, func(string) string { return "" }, "/root/benchctl", true
	o.Patience, o.Stop = time.Millisecond, upgradeJobs{u: u}.Stop
	all := Build(s, o)
	for i, res := range all {
		if service, ok := res.(service); ok {
			service.steady, service.grace = time.Millisecond, time.Millisecond
			all[i] = service
		}
	}
	return all
}

// apply makes the host what a spec with that version says.
func (u *upgradeHost) apply(t *testing.T, version string, o Options) []reconcile.Outcome {
	t.Helper()
	return reconcile.Apply(t.Context(), u, u.build(u.spec(t, version), o), reconcile.Options{Jobs: upgradeJobs{u: u}})
}

// differ is what such an apply would find, but for what is in step.
func (u *upgradeHost) differ(t *testing.T, version string, o Options) (all []reconcile.Outcome) {
	t.Helper()
	return slices.DeleteFunc(reconcile.Diff(t.Context(), u, u.build(u.spec(t, version), o)), func(o reconcile.Outcome) bool {
		return o.Status == reconcile.Unchanged || reconcile.IsTolerated(o.Err)
	})
}

// upgradeJobs stops the service as law 5 would.
type upgradeJobs struct {
	reconcile.NoJobs
	u *upgradeHost
}

func (j upgradeJobs) Stop(ctx context.Context) error {
	if _, there := j.u.Units[obeyUnit]; !there || j.u.stop != nil {
		return j.u.stop
	}
	return j.u.Systemd().Stop(ctx, obeyUnit)
}

// of returns the outcome of a kind.
func of(all []reconcile.Outcome, kind string) reconcile.Outcome {
	return all[slices.IndexFunc(all, func(o reconcile.Outcome) bool { return o.Kind == kind })]
}

// Journal lets a version end whose first word has been heard.
func (u *upgradeHost) Journal(ctx context.Context, unit, invocation string, max int) ([]string, error) {
	lines, err := u.Machine.Journal(ctx, unit, invocation, max)
	if state := u.Units[obeyUnit]; slices.Contains(lines, "quits") && state.InvocationID == invocation {
		state.ActiveState, state.SubState = "activating", "auto-restart"
		u.Units[obeyUnit] = state
	}
	return lines, err
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t)
	if all := u.differ(t, newVersion, Options{}); len(all) != 1 || all[0].Kind != "tarball" || len(all[0].Changes) == 0 || all[0].Changes[0].Want != newVersion {
		t.Fatalf("before: %+v", all)
	}
	all := u.apply(t, newVersion, Options{Unattended: true})
	if of(all, "tarball").Status != reconcile.Changed || of(all, "service").Status != reconcile.Changed || u.version() != newVersion {
		t.Fatalf("now %s, %+v", u.version(), all)
	}
	if all := u.differ(t, newVersion, Options{Unattended: true}); len(all) != 0 || readTrial(u) != nil {
		t.Errorf("afterwards: %+v, trial %+v", all, readTrial(u))
	}
	// Back again is a matter of links: nothing is fetched.
	if err := os.Remove(u.Path("/srv/runner-" + oldVersion + ".tar.gz")); err != nil {
		t.Fatal(err)
	}
	if all := u.apply(t, oldVersion, Options{Attended: true}); of(all, "tarball").Status != reconcile.Changed || u.version() != oldVersion {
		t.Errorf("back: now %s, %+v", u.version(), of(all, "tarball"))
	}
	if all := u.differ(t, oldVersion, Options{Verify: true}); len(all) != 0 {
		t.Errorf("back: %+v", all)
	}
}

// defects are ways in which a version does not listen.
var defects = map[string]struct {
	starts func(u *host.Unit) (lines []string, err error)
	says   string
}{
	"ends at once": {func(u *host.Unit) ([]string, error) {
		u.ActiveState, u.SubState, u.LoadState = "active", "running", "loaded"
		return []string{".path=/usr/bin", "Unhandled exception: \x1b[31mno such thing", "quits"}, nil
	}, `Unhandled exception: \x1b[31mno such thing`},
	"is refused when it listens": {func(*host.Unit) ([]string, error) {
		return []string{".path=/usr/bin", listensNow, "An error occurred: Runner version v2.337.0 is deprecated and cannot receive messages.", "quits"}, nil
	}, "set a newer runner.version in the spec"},
	"says nothing":    {func(*host.Unit) ([]string, error) { return []string{".path=/usr/bin"}, nil }, "it does not listen after 1ms"},
	"cannot be begun": {func(*host.Unit) ([]string, error) { return nil, errors.New("no such file") }, "no such file"},
}

// A version that does not listen gives way to the one before. Nothing but
// benchctl's own notes tells the host from what it was.
func TestUpgradeIsRolledBack(t *testing.T) {
	t.Parallel()
	for name, defect := range defects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUpgradeHost(t)
			u.starts = func(version string, state *host.Unit) ([]string, error) {
				if version == newVersion {
					return defect.starts(state)
				}
				return sound(version, state)
			}
			before := u.Tree()
			all := u.apply(t, newVersion, Options{Unattended: true})
			said := of(all, "tarball").Error
			if of(all, "tarball").Status != reconcile.Failed || of(all, "service").Status != reconcile.Changed {
				t.Fatalf("%+v", all)
			}
			for _, want := range []string{"cannot use runner 2.337.0: ", defect.says, "; runner 2.336.0 is back and listens; "} {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q: %s", want, said)
				}
			}
			if strings.Contains(said, "\x1b") {
				t.Errorf("it speaks to the terminal: %q", said)
			}
			for _, path := range hosttest.SameTree(before, u.Tree()) {
				if path != trialFile && !strings.HasPrefix(path, "/proc/") && path != laneDir+"/"+manifestName {
					t.Errorf("it left another %s: %s", path, u.Tree()[path])
				}
			}
			u.isWithheld(t)
		})
	}
}

// A question that is still open when the patience with a version ends does not
// keep the one before from coming back.
func TestUpgradeIsRolledBackOnABusyHost(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t)
	u.starts = func(version string, state *host.Unit) ([]string, error) {
		if u.busy = version == newVersion; u.busy {
			return nil, nil
		}
		return sound(version, state)
	}
	all := u.apply(t, newVersion, Options{Unattended: true})
	if said := of(all, "tarball").Error; !strings.Contains(said, "it does not listen after 1ms") || !strings.Contains(said, "; runner 2.336.0 is back and listens; ") {
		t.Errorf("%+v", all)
	}
}

// isWithheld: nobody tries the version again by himself, and what else differs
// is mended meanwhile; a person may, and so may a spec that was changed.
func (u *upgradeHost) isWithheld(t *testing.T) {
	t.Helper()
	begun := u.begun
	u.WriteFile(laneDir+"/.path", "/evil\n")
	all := u.apply(t, newVersion, Options{Unattended: true})
	if o := of(all, "tarball"); o.Status != reconcile.Failed || len(o.Changes) > 0 || !strings.Contains(o.Error, "runner 2.337.0 was tried at ") {
		t.Errorf("an unattended pass: %+v", o)
	}
	if of(all, "env").Status != reconcile.Changed || of(all, "service").Status != reconcile.Changed || u.version() != oldVersion || u.begun != begun+1 {
		t.Errorf("an unattended pass, with drift: version %s, %+v", u.version(), all)
	}
	for name, o := range map[string]Options{"a person": {Attended: true}, "a diff": {}} {
		if all := u.differ(t, newVersion, o); len(all) != 1 || all[0].Status != reconcile.Pending {
			t.Errorf("%s: %+v", name, all)
		}
	}
	tr := readTrial(u)
	long := *tr
	long.Failed = long.Failed.Add(-withheldFor)
	other := *tr
	other.Spec = strings.Repeat("0", 64)
	for name, again := range map[string]trial{"a day later": long, "another spec": other} {
		if err := again.write(u); err != nil {
			t.Fatal(err)
		}
		if all := u.differ(t, newVersion, Options{Unattended: true}); len(all) != 1 || all[0].Status != reconcile.Pending {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

// What goes wrong before the first file moves does not cost the runner: the
// version that is there is whole, and starts again.
func TestUpgradeThatCannotBegin(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t)
	u.OnStop = func(string) error { // from here on no trial can be noted
		u.WriteFile(trialFile+"/in the way", "")
		return nil
	}
	all := u.apply(t, newVersion, Options{Unattended: true})
	if o := of(all, "tarball"); o.Status != reconcile.Failed || u.version() != oldVersion || u.Units[obeyUnit].ActiveState != "active" {
		t.Errorf("version %s, %s, %+v, %+v", u.version(), u.Units[obeyUnit].ActiveState, o, of(all, "service"))
	}
}

// Each trial takes the runner away for minutes, so a version that never listens
// is not tried day after day.
func TestUpgradeIsGivenUpForGood(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t)
	u.starts = func(version string, state *host.Unit) ([]string, error) {
		if version == newVersion {
			return defects["says nothing"].starts(state)
		}
		return sound(version, state)
	}
	aDayLater := func() {
		if tr := readTrial(u); tr != nil && !tr.Failed.IsZero() {
			tr.Failed = tr.Failed.Add(-withheldFor)
			if err := tr.write(u); err != nil {
				t.Fatal(err)
			}
		}
	}
	for day := range 3 {
		begun := u.begun
		if o := of(u.apply(t, newVersion, Options{Unattended: true}), "tarball"); o.Status != reconcile.Failed || u.begun != begun+2 {
			t.Fatalf("day %d: %d starts, %+v", day, u.begun-begun, o)
		}
		aDayLater()
	}
	begun := u.begun
	o := of(u.apply(t, newVersion, Options{Unattended: true}), "tarball")
	if u.begun != begun || len(o.Changes) > 0 || !strings.Contains(o.Error, "the agent, which gave it up 3 times, only when the spec changes") {
		t.Errorf("the fourth day: %d starts, %+v", u.begun-begun, o)
	}
	tr := readTrial(u)
	tr.Spec = strings.Repeat("0", 64)
	if err := tr.write(u); err != nil {
		t.Fatal(err)
	}
	if all := u.differ(t, newVersion, Options{Unattended: true}); len(all) != 1 || all[0].Status != reconcile.Pending {
		t.Errorf("another spec: %+v", all)
	}
	if o := of(u.apply(t, newVersion, Options{Attended: true}), "tarball"); o.Status != reconcile.Failed || readTrial(u).Times != 1 {
		t.Errorf("a person, with another spec: %+v, %+v", o, readTrial(u))
	}
}

// Where the version before does not listen either, that is said, and it is the
// one that stays.
func TestNeitherVersionListens(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t)
	u.starts = func(string, *host.Unit) ([]string, error) {
		return []string{".path=/usr/bin", "2026-11-23 12:00:00Z: Runner connect error: no route. Retrying until reconnected."}, nil
	}
	all := u.apply(t, newVersion, Options{Unattended: true})
	if o := of(all, "service"); o.Status != reconcile.Failed || !strings.Contains(o.Error, "no route") {
		t.Errorf("%+v", o)
	}
	if o := of(all, "tarball"); o.Status != reconcile.Failed || !strings.Contains(o.Error, "runner 2.336.0 is to come back and does not listen either") {
		t.Errorf("%+v", o)
	}
	u.Journals[u.Units[obeyUnit].InvocationID] = []string{listensNow} // by itself, once GitHub can be reached again
	if all := u.apply(t, newVersion, Options{Unattended: true}); of(all, "service").Status != reconcile.Unchanged || u.version() != oldVersion {
		t.Errorf("when GitHub can be reached again: version %s, %+v", u.version(), all)
	}
}

// A new version that may have taken a job is not stopped, and proves itself
// later.
func TestNoRollBackDuringAJob(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t)
	u.starts = func(version string, state *host.Unit) ([]string, error) {
		if version == newVersion {
			u.stop = fmt.Errorf("a job is running: %w", reconcile.ErrBusy)
			return []string{".path=/usr/bin"}, nil
		}
		return sound(version, state)
	}
	all := u.apply(t, newVersion, Options{})
	if o := of(all, "service"); o.Status != reconcile.Failed || !strings.Contains(o.Error, "runner 2.336.0 was not brought back: a job is running") || u.version() != newVersion {
		t.Fatalf("version %s, %+v", u.version(), o)
	}
	u.stop = nil
	u.Journals[u.Units[obeyUnit].InvocationID] = []string{listensNow}
	if all := u.differ(t, newVersion, Options{}); len(all) != 1 || all[0].Changes[0].Field != "runner 2.337.0" {
		t.Errorf("when it listens: %+v", all)
	}
	if all := u.apply(t, newVersion, Options{}); of(all, "service").Status != reconcile.Changed || readTrial(u) != nil {
		t.Errorf("when it listens: %+v", of(all, "service"))
	}
	if left := u.differ(t, newVersion, Options{}); len(left) != 0 {
		t.Errorf("in the end: %+v", left)
	}
}

// What was altered is no version to come back to, and does not keep the next
// one from being tried.
func TestNothingToComeBackTo(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t)
	u.WriteFile(laneDir+"/run.sh", "#!/bin/bash\n# mine\n")
	u.starts = func(version string, state *host.Unit) ([]string, error) {
		return defects["says nothing"].starts(state)
	}
	all := u.apply(t, newVersion, Options{Attended: true})
	if of(all, "tarball").Status != reconcile.Changed || of(all, "service").Status != reconcile.Failed || u.version() != newVersion || readTrial(u) != nil {
		t.Errorf("version %s, %+v", u.version(), all)
	}
}

// Law 6: killed at any instant of an upgrade, or of taking it back, the next
// pass ends where it would have ended.
func TestUpgradeKilledAtAnyInstant(t *testing.T) {
	t.Parallel()
	silent := func(version string, state *host.Unit) ([]string, error) {
		if version == newVersion {
			return defects["says nothing"].starts(state)
		}
		return sound(version, state)
	}
	for name, c := range map[string]struct {
		starts func(string, *host.Unit) ([]string, error)
		ends   string // with which version
		from   int    // until it is started, one version is like another
	}{"that listens": {sound, newVersion, 1}, "that does not": {silent, oldVersion, 36}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			instants := 0
			for n := c.from; ; n++ {
				u := newUpgradeHost(t)
				u.starts = c.starts
				k := &killer{left: n}
				if !u.dies(t, k) {
					break
				}
				instants++
				all := u.apply(t, newVersion, Options{Unattended: true})
				for _, o := range all {
					if o.Status == reconcile.Failed && o.Kind != "tarball" || o.Status == reconcile.Skipped {
						t.Errorf("killed at instant %d: %+v", n, o)
					}
				}
				if failed := of(all, "tarball").Status == reconcile.Failed; failed != (c.ends == oldVersion) {
					t.Errorf("killed at instant %d: %+v", n, of(all, "tarball"))
				}
				if u.version() != c.ends || u.Units[obeyUnit].ActiveState != "active" {
					t.Errorf("killed at instant %d: version %s, %s", n, u.version(), u.Units[obeyUnit].ActiveState)
				}
				left := u.differ(t, newVersion, Options{Unattended: true, Verify: true})
				if withheld := len(left) == 1 && errors.Is(left[0].Err, reconcile.ErrWithheld) && len(left[0].Changes) == 0; withheld != (c.ends == oldVersion) || !withheld && len(left) > 0 {
					t.Errorf("killed at instant %d: in the end %+v", n, left)
				}
				u.leavesNothingHalfDone(t, tarballOf(u.spec(t, newVersion), Options{}))
			}
			t.Logf("%d instants", instants)
			if instants < 20 {
				t.Errorf("only %d instants were tried", instants)
			}
		})
	}
}

// dies upgrades and reports whether it was killed on the way.
func (u *upgradeHost) dies(t *testing.T, k *killer) (died bool) {
	t.Helper()
	before, run, start := u.Before, u.OnRun, u.OnStart
	defer func() {
		u.Before, u.OnRun, u.OnStart, u.OnStop = before, run, start, nil
		switch r := recover().(type) {
		case nil:
		case killed:
			died = true
		default:
			panic(r)
		}
	}()
	u.Before = func(op, path string) { before(op, path); k.step() }
	u.OnRun = func(cmd host.Command) (host.Output, error) { k.step(); return run(cmd) }
	u.OnStart = func(unit string) error { k.step(); return start(unit) }
	u.OnStop = func(string) error { k.step(); return nil }
	u.apply(t, newVersion, Options{Unattended: true})
	return false
}
