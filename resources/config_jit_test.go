package resources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// usedUp is a host whose ephemeral runner has had its one job, as the job and the
// Listener left it.
func (b *bench) usedUp(t *testing.T) {
	t.Helper()
	needRootForOwners(t)
	b.Ephemeral = true
	b.spec = &spec.Spec{InstallDir: configDir, User: spec.User{Name: "gha-runner", Home: "/var/lib/gha-runner"}, Runner: spec.Runner{WorkDir: "_work"}}
	b.apply(t)
	b.gh.runners, b.gh.calls, b.Ran = nil, nil, nil
	for _, path := range b.leftHere(b.Machine) {
		if err := os.Remove(b.Path(path)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bench", "_tool", "_temp"} {
		leave(t, b.Machine, "_work/"+name, time.Minute)
	}
}

// Between two jobs, what there is to do is plain, and the order of things.
func TestConfigBetweenTwoJobs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.usedUp(t)
	changes, err := b.Diff(t.Context(), b.Machine)
	want := "registration: used up by its one job (id 101) -> box-bench at https://github.com/octo/bench [re-register]\n" +
		"work directory: _temp, _tool, bench -> empty"
	if err != nil || lines(changes) != want {
		t.Errorf("got %q, %v\nwant %q", lines(changes), err, want)
	}
	if slices.ContainsFunc(changes, func(c reconcile.Change) bool { return !c.Asked }) {
		t.Errorf("it is taken for drift: %+v", changes)
	}
	if is := b.Online(); is != nil {
		t.Errorf("it is expected to be online: %v", *is)
	}
	b.Unattended = true
	b.apply(t)
	if want := []string{"list box-bench", "list box-bench", "jit {Name:box-bench GroupID:1 Labels:[self-hosted Linux X64 x86_64 skainet] WorkDir:_work}", "list box-bench"}; !slices.Equal(b.gh.calls, want) {
		t.Errorf("asked GitHub %q\nwant %q", b.gh.calls, want)
	}
	if left := there(t, b.Machine, "_work"); left != "" || len(b.Ran) > 0 {
		t.Errorf("left %q, ran %q", left, b.Ran)
	}
}

// GitHub may take longer than the runner to see the end of a job, and a Listener
// may end without taking its registration along.
func TestConfigAtTheEndOfAJob(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.usedUp(t)
	b.Unattended, b.forgets = true, time.Millisecond
	b.gh.runners = []actions.Runner{{ID: 101, Name: "box-bench", Status: "online", Busy: true}}
	want := "registration: used up by its one job (id 101), which GitHub still has -> box-bench at https://github.com/octo/bench"
	if got := b.diff(t); !strings.HasPrefix(got, want) || b.Online() != nil {
		t.Errorf("got %q, online: %v", got, b.Online())
	}
	b.gh.forgets = 4 // two looks, and one of each apply
	b.forgets = time.Minute
	b.apply(t)
	if asked := strings.Join(b.gh.calls, ";"); strings.Contains(asked, "delete") || b.gh.runners[0].ID != 102 {
		t.Errorf("asked %q, GitHub has %+v", asked, b.gh.runners)
	}
	// `.runner` stays, and GitHub has forgotten it.
	b.gh.runners, b.gh.calls = nil, nil
	if got := b.diff(t); got != "registration: used up by its one job (id 102) -> box-bench at https://github.com/octo/bench [re-register]" {
		t.Errorf("got %q", got)
	}
	b.apply(t)
	// It never forgets: then its entry is deleted.
	b.usedUp(t)
	b.gh.runners, b.forgets = []actions.Runner{{ID: 103, Name: "box-bench"}}, time.Millisecond
	b.apply(t)
	if asked := strings.Join(b.gh.calls, ";"); !strings.Contains(asked, "delete 103;jit") {
		t.Errorf("asked %q", asked)
	}
	// Another host's is not taken for it.
	b.usedUp(t)
	b.gh.runners = []actions.Runner{{ID: 9, Name: "box-bench", Status: "online"}}
	if err := b.Apply(t.Context(), b.Machine); err == nil || !strings.Contains(err.Error(), "which this host did not make") {
		t.Errorf("another host's: %v", err)
	}
}

// Tools are kept where the spec has a word about them, and what is root's is.
func TestWhatOutlivesAJob(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.usedUp(t)
	b.spec.Cleanup = &spec.Cleanup{KeepTools: true}
	b.WriteFile(configDir+"/_work/mirror/x", "root put it there")
	b.WriteFile("/etc/precious", "x")
	if err := os.Symlink("/etc", b.Path(configDir+"/_work/link")); err != nil {
		t.Fatal(err)
	}
	own(t, b.Machine, "_work/link", 0)
	b.apply(t)
	if left := there(t, b.Machine, "_work"); left != "_tool mirror" || b.Text("/etc/precious") != "x" {
		t.Errorf("left %q", left)
	}
	// A link in the place of the tools is none of them.
	b = newBench(t)
	b.usedUp(t)
	b.spec.Cleanup = &spec.Cleanup{KeepTools: true}
	os.RemoveAll(b.Path(configDir + "/_work/_tool"))
	if err := os.Symlink("/etc", b.Path(configDir+"/_work/_tool")); err != nil {
		t.Fatal(err)
	}
	own(t, b.Machine, "_work/_tool", 0)
	b.apply(t)
	if left := there(t, b.Machine, "_work"); left != "" {
		t.Errorf("left %q", left)
	}
}

// What GitHub gives for one job is written as the Listener would, for the
// runner's user alone, and is nowhere else.
func TestConfigJustInTime(t *testing.T) {
	t.Parallel()
	needRootForOwners(t)
	b := newBench(t)
	b.Ephemeral, b.WorkDir = true, "/srv/bench/work"
	var said []string
	ctx := reconcile.WithProgress(t.Context(), func(line string) { said = append(said, line) })
	if err := b.Apply(ctx, b.Machine); err != nil {
		t.Fatal(err)
	}
	if got := b.diff(t); got != "" {
		t.Errorf("it differs in %q", got)
	}
	for _, name := range []string{".runner", ".credentials", ".credentials_rsaparams"} {
		if info, err := b.Lstat(configDir + "/" + name); err != nil || info.Mode.Perm() != 0o600 || info.UID != 900 || info.GID != 900 {
			t.Errorf("%s: %+v, %v", name, info.Perm, err)
		}
	}
	if len(b.Ran) > 0 || strings.Contains(strings.Join(said, "\n"), "CANARY") {
		t.Errorf("ran %q, said %q", b.Ran, said)
	}
	blob := 0
	for _, text := range b.Tree() {
		blob += strings.Count(text, "CANARY")
	}
	if blob != 1 {
		t.Errorf("the key is in the tree %d times", blob)
	}
	rec := readRecord(b.Machine, b.URL, b.Name)
	if rec.ID != 101 || !rec.Ours || !rec.OneJob {
		t.Errorf("the record is %+v", rec)
	}
}

// GitHub may call the default labels custom ones: then they are kept.
func TestConfigJustInTimeLabels(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Ephemeral, b.gh.labelType = true, "custom"
	b.apply(t)
	b.Labels = append(b.Labels, "more")
	b.apply(t)
	if got, want := b.gh.calls[len(b.gh.calls)-2], "labels 101 X64,self-hosted,linux,x86_64,skainet,more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestConfigJustInTimeInAGroup(t *testing.T) {
	t.Parallel()
	for group, want := range map[string]string{"": "GroupID:1 ", "Bench": "GroupID:2 ", "none": ""} {
		b := newBench(t)
		b.organize()
		b.Ephemeral, b.Group, b.gh.page = true, group, b.URL.Text
		err := b.Apply(t.Context(), b.Machine)
		asked := strings.Join(b.gh.calls, "\n")
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "there is no runner group none") {
				t.Errorf("%q: %v", group, err)
			}
			continue
		}
		if err != nil || !strings.Contains(asked, want) {
			t.Errorf("%q: asked %q, %v", group, asked, err)
		}
	}
}

// Where there is no just-in-time registration, or none that is understood, a
// token has to do, and that is said.
func TestConfigWithoutJustInTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*fakeGitHub)
		says  string
	}{
		"forbidden":  {func(g *fakeGitHub) { g.jitErr = fmt.Errorf("cannot get it: %w", actions.ErrForbidden) }, "cannot get it: forbidden"},
		"an old one": {func(g *fakeGitHub) { g.jitErr = fmt.Errorf("cannot get it: %w", actions.ErrNotFound) }, "cannot get it: not found"},
		"another file": {func(g *fakeGitHub) {
			g.spoil = func(c map[string]string) { c["../../etc/cron.d/x"] = "root" }
		}, "a file ../../etc/cron.d/x, which is not known"},
		"no key":    {func(g *fakeGitHub) { g.spoil = func(c map[string]string) { delete(c, ".credentials_rsaparams") } }, "has no .credentials_rsaparams"},
		"no JSON":   {func(g *fakeGitHub) { g.spoil = func(c map[string]string) { c[".runner"] = "<html>" } }, ".runner is not JSON"},
		"another's": {func(g *fakeGitHub) { g.page = "https://github.com/octo/else" }, "not that of the registration"},
		"not for one job": {func(g *fakeGitHub) {
			g.spoil = func(c map[string]string) { c[".runner"] = strings.Replace(c[".runner"], "True", "False", 1) }
		}, "not that of the registration"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.Ephemeral = true
			c.spoil(b.gh)
			var said []string
			ctx := reconcile.WithProgress(t.Context(), func(line string) { said = append(said, line) })
			if err := b.Apply(ctx, b.Machine); err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(said, "\n"); !strings.Contains(all, c.says) || !strings.Contains(all, "; a registration token has to do") || strings.Contains(all, "CANARY") {
				t.Errorf("said %q", said)
			}
			if len(b.Ran) != 1 || !slices.Contains(b.Ran[0], "--ephemeral") || len(b.gh.runners) != 1 || b.gh.runners[0].ID != 77 {
				t.Errorf("ran %q, GitHub has %+v", b.Ran, b.gh.runners)
			}
			if got := b.diff(t); got != "" {
				t.Errorf("it differs in %q", got)
			}
		})
	}
}

// GitHub being in trouble is no reason to register in another way, and leaves
// everything for the next apply.
func TestConfigJustInTimeFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.usedUp(t)
	b.gh.jitErr = errors.New("cannot get a just-in-time registration: GitHub is in trouble (502)")
	if err := b.Apply(t.Context(), b.Machine); !errors.Is(err, b.gh.jitErr) || len(b.Ran) > 0 {
		t.Errorf("%v, ran %q", err, b.Ran)
	}
	changes, err := b.Diff(t.Context(), b.Machine)
	if err != nil || lines(changes) != "registration: absent -> box-bench at https://github.com/octo/bench [re-register]" || !changes[0].Asked {
		t.Errorf("it differs in %q (%+v), %v", lines(changes), changes, err)
	}
	b.gh.jitErr = nil
	b.apply(t)
}

// Where what the last job left cannot be removed, there is no next one.
func TestNoJobOnWhatAnotherLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.usedUp(t)
	stuck := stuckHost{b.Machine}
	err := b.Apply(t.Context(), stuck)
	if err == nil || !strings.Contains(err.Error(), "since what the one before left stays: something is mounted there") || len(b.gh.runners) > 0 {
		t.Errorf("%v; GitHub has %v", err, b.gh.runners)
	}
}

type stuckHost struct{ *hosttest.Machine }

func (stuckHost) RemoveBelow(context.Context, string, string) error {
	return errors.New("something is mounted there")
}

var _ host.Host = stuckHost{}
