package resources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A rotor is a bench whose runner benchctl set up, with a service that runs.
type rotor struct {
	*bench
	rotation *Rotation
	did      []string // to the service
	busy     error
}

func newRotor(t *testing.T) *rotor {
	t.Helper()
	needRootForOwners(t)
	ro := &rotor{bench: inStep(t)}
	ro.AllowLabels = []string{"spare", "other"}
	ro.gh.runners[0].Labels = defaults("x86_64", "skainet", "Spare")
	ro.offlineRecord(7)
	ro.WriteFile(unitDir+"/actions.runner.octo-bench.box-bench.service",
		"[Service]\nWorkingDirectory="+configDir+"\n[X-Benchctl]\nRunner=box-bench\nRunnerTemplate=box-bench\n")
	ro.rotation = &Rotation{Config: ro.Config}
	return ro
}

// rotate is what the verb does.
func (ro *rotor) rotate(t *testing.T) []reconcile.Outcome {
	t.Helper()
	return reconcile.Apply(t.Context(), ro.Machine, []reconcile.Resource{ro.rotation}, reconcile.Options{Jobs: rotorJobs{ro: ro}, Starter: rotorService{ro}})
}

type rotorJobs struct {
	reconcile.NoJobs
	ro *rotor
}

func (j rotorJobs) Idle(context.Context) error { return j.ro.busy }

func (j rotorJobs) Stop(context.Context) error {
	j.ro.gh.note("stop")
	j.ro.did = append(j.ro.did, "stop")
	return nil
}

// rotorService starts what is registered.
type rotorService struct{ ro *rotor }

func (rotorService) ID() reconcile.ID { return reconcile.ID{Kind: "service"} }
func (rotorService) Needs() []string  { return []string{"config"} }

func (s rotorService) Diff(context.Context, host.Reader) ([]reconcile.Change, error) {
	if len(s.ro.did) == 1 {
		return []reconcile.Change{{Field: "state", Have: "inactive", Want: "listening"}}, nil
	}
	return nil, nil
}

func (s rotorService) Apply(_ context.Context, h host.Host) error {
	if local, err := readLocal(h, configDir); err != nil || local == nil {
		return errors.New("it is not registered")
	}
	s.ro.did = append(s.ro.did, "start")
	return nil
}

// is wants GitHub to have one runner: that one, with every label and the group
// that it had.
func (ro *rotor) is(t *testing.T, when string, group int64) {
	t.Helper()
	if len(ro.gh.runners) != 1 {
		t.Fatalf("%s: GitHub has %v", when, ro.gh.runners)
	}
	r := ro.gh.runners[0]
	var custom []string
	for _, l := range r.Labels {
		if !l.ReadOnly() {
			custom = append(custom, strings.ToLower(l.Name))
		}
	}
	if slices.Sort(custom); !slices.Equal(custom, []string{"skainet", "spare", "x86_64"}) || r.Name != "box-bench" || r.GroupID != group {
		t.Errorf("%s: GitHub has %+v, want labels skainet, spare, x86_64 and group %d", when, r, group)
	}
	if local, err := readLocal(ro.Machine, configDir); err != nil || int64(local.ID) != r.ID {
		t.Errorf("%s: here is %+v (%v), at GitHub %d", when, local, err, r.ID)
	}
	if rec := readRecord(ro.Machine, ro.URL, ro.Name); rec.ID != r.ID || rec.Labels != nil || rec.Former != "" {
		t.Errorf("%s: the record is %+v", when, rec)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		begin func(*rotor)
		calls []string // that change something, and the stop between them
		group int64
	}{
		"with API credentials": {func(*rotor) {}, []string{"mint", "stop", "delete 7"}, 1},
		"in an organisation, in a group that the spec does not name": {func(ro *rotor) {
			ro.organize()
			ro.configured(7, "box-bench", ro.URL.Text, `"disableUpdate":true,"workFolder":"_work"`)
			ro.record(record{URL: ro.URL.Text, Name: "box-bench", ID: 7, Ours: true})
			ro.gh.runners[0].GroupID = 2
		}, []string{"mint", "stop", "delete 7"}, 2},
		"with a pasted token, and credentials that may only read": {func(ro *rotor) {
			ro.Config.Token, ro.gh.mintErr = "pasted", errors.New("403")
		}, []string{"mint", "stop"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ro := newRotor(t)
			c.begin(ro)
			all := ro.rotate(t)
			if all[0].Status != reconcile.Changed || all[1].Status != reconcile.Changed || ro.rotation.Old != 7 || ro.rotation.New != 77 {
				t.Fatalf("%d is %d: %+v", ro.rotation.Old, ro.rotation.New, all)
			}
			calls := slices.DeleteFunc(slices.Clone(ro.gh.calls), func(call string) bool {
				verb, _, _ := strings.Cut(call, " ")
				return !slices.Contains([]string{"mint", "stop", "delete", "labels", "move"}, verb)
			})
			if !slices.Equal(calls, c.calls) {
				t.Errorf("it did %q, want %q", calls, c.calls)
			}
			ro.is(t, name, c.group)
		})
	}
}

func (ro *rotor) record(rec record) {
	if err := rec.write(ro.Machine); err != nil {
		panic(err)
	}
}

// Without credentials for the API nobody sees what others set; what the spec
// says is there, and the entry is the one that there was.
func TestRotateWithAPastedTokenAlone(t *testing.T) {
	t.Parallel()
	ro := newRotor(t)
	ro.Config.GitHub, ro.Config.Token = nil, configCanary
	all := ro.rotate(t)
	if all[0].Status != reconcile.Changed || !slices.Contains(ro.Ran[1], "--replace") || len(ro.gh.runners) != 1 || ro.gh.runners[0].ID != 77 {
		t.Fatalf("ran %q, GitHub has %v: %+v", ro.Ran, ro.gh.runners, all)
	}
	if said := fmt.Sprintf("%q %v %v", ro.Ran, all, ro.Tree()); strings.Contains(said, configCanary) {
		t.Errorf("the token is in %s", said)
	}
}

// What cannot be rotated is left alone, and the service goes on.
func TestRotateRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*rotor)
		says  string
	}{
		"a token that may only read": {func(ro *rotor) { ro.gh.mintErr = errors.New("cannot get a token (403)") }, "cannot get a token (403)"},
		"GitHub is down":             {func(ro *rotor) { ro.gh.listErr = errors.New("no route") }, "no route; nothing was touched"},
		"offline":                    {func(ro *rotor) { ro.Config.Offline, ro.Config.GitHub = true, nil }, "--offline forbids"},
		"no credentials":             {func(ro *rotor) { ro.Config.GitHub = nil }, "set GITHUB_TOKEN, or GH_RUNNER_TOKEN with the token from https://github.com/octo/bench/settings/actions/runners/new"},
		"an ephemeral one":           {func(ro *rotor) { ro.Config.Ephemeral = true }, "for each job"},
		"never set up": {func(ro *rotor) {
			for _, path := range append(ro.leftHere(ro.Machine), unitDir+"/actions.runner.octo-bench.box-bench.service") {
				os.Remove(ro.Path(path))
			}
		}, "no runner was set up in " + configDir + "; run benchctl apply"},
		"set up by somebody else": {func(ro *rotor) {
			ro.WriteFile(unitDir+"/actions.runner.octo-bench.box-bench.service", "[Service]\nWorkingDirectory="+configDir+"\n")
		}, "was not set up by benchctl; have it adopted first"},
		"deleted at GitHub":     {func(ro *rotor) { ro.gh.runners = nil }, "registration is deleted at GitHub (id 7), not box-bench at https://github.com/octo/bench; run benchctl apply"},
		"another spec":          {func(ro *rotor) { ro.Config.WorkDir = "work" }, "workDir is _work, not work; run benchctl apply"},
		"somebody else's entry": {func(ro *rotor) { ro.gh.runners[0].Name = "precious" }, "which at GitHub is the runner precious"},
		"nobody knows whose": {func(ro *rotor) {
			ro.Config.GitHub, ro.Config.Token = nil, "pasted"
			os.Remove(ro.Path(registrationFile))
		}, "nothing of root's shows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ro := newRotor(t)
			c.spoil(ro)
			before := ro.Tree()
			all := ro.rotate(t)
			if len(all) != 1 || all[0].Status != reconcile.Failed || !strings.Contains(all[0].Error, c.says) || ro.did != nil {
				t.Errorf("did %q: %+v", ro.did, all)
			}
			if differ := hosttest.SameTree(before, ro.Tree()); len(differ) > 0 || len(ro.Ran) > 0 {
				t.Errorf("it touched %q and ran %q", differ, ro.Ran)
			}
		})
	}
}

func TestRotateIsDeferred(t *testing.T) {
	t.Parallel()
	ro := newRotor(t)
	ro.busy = fmt.Errorf("a job is running: %w", reconcile.ErrBusy)
	if all := ro.rotate(t); all[0].Status != reconcile.Deferred || ro.gh.calls != nil {
		t.Errorf("asked GitHub %q: %+v", ro.gh.calls, all)
	}
}

// A pasted token that has expired costs nothing: the old credentials are back,
// and so is the service.
func TestRotateThatFailsLeavesTheOldCredentials(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*rotor){
		"an expired token": func(ro *rotor) {
			ro.Config.GitHub, ro.Config.Token = nil, "pasted"
			real := ro.OnRun
			ro.OnRun = func(cmd host.Command) (host.Output, error) {
				if slices.Contains(cmd.Argv, "remove") {
					return real(cmd)
				}
				return fails(cmd, "Http response code: NotFound from 'POST https://api.github.com/actions/runner-registration'")
			}
		},
		"an entry that GitHub does not delete": func(ro *rotor) { ro.Config.GitHub = stubborn{ro.gh} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ro := newRotor(t)
			spoil(ro)
			all := ro.rotate(t)
			if all[0].Status != reconcile.Failed || !strings.Contains(all[0].Error, "; the old credentials are in place and unchanged") || all[1].Status != reconcile.Changed {
				t.Errorf("%+v", all)
			}
			if !slices.Equal(ro.did, []string{"stop", "start"}) || ro.gh.runners[0].ID != 7 {
				t.Errorf("did %q, GitHub has %+v", ro.did, ro.gh.runners)
			}
		})
	}
}

// stubborn does not delete.
type stubborn struct{ *fakeGitHub }

func (stubborn) DeleteRunner(context.Context, int64) error {
	return errors.New("cannot delete runner 7: it is running a job (422)")
}

// Law 6: killed at any instant, the next apply ends it, with every label and the
// group that there was.
func TestRotateKilledAtAnyInstant(t *testing.T) {
	t.Parallel()
	instants := 0
	for n := 1; ; n++ {
		ro := newRotor(t)
		ro.organize()
		ro.configured(7, "box-bench", ro.URL.Text, `"disableUpdate":true,"workFolder":"_work"`)
		ro.record(record{URL: ro.URL.Text, Name: "box-bench", ID: 7, Ours: true})
		ro.gh.runners[0].GroupID = 2
		k := &killer{left: n}
		mortal(ro.bench, k)
		if !ro.diesRotating(t, k) {
			break
		}
		instants++
		k.left = 0
		ro.settles(t, fmt.Sprintf("killed at instant %d", n))
		ro.is(t, fmt.Sprintf("killed at instant %d", n), 2)
	}
	t.Logf("%d instants", instants)
	if instants < 8 {
		t.Errorf("only %d instants were tried", instants)
	}
}

func (ro *rotor) diesRotating(t *testing.T, k *killer) (died bool) {
	t.Helper()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case killed:
			died = true
		default:
			panic(r)
		}
	}()
	ro.rotate(t)
	return false
}
