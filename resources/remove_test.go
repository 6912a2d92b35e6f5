package resources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A removeHost is a host with everything there is, in step, and what it was
// before.
type removeHost struct {
	*obeyHost
	spec   *spec.Spec
	before map[string]string
	needed []string // packages that something else needs by now
	dying  *killer
}

func newRemoveHost(t *testing.T) *removeHost {
	t.Helper()
	h := &removeHost{obeyHost: newObeyHost(t)}
	h.spec = h.obeyHost.spec(h.jdk(obeyJDKs["archive"]))
	h.WriteFile("/etc/systemd/system/", "")
	h.WriteFile("/usr/local/lib/", "")
	for _, dir := range []string{"/run", "/var/log", "/etc/apt/keyrings"} {
		h.WriteFile(dir+"/", "")
	}
	h.before = h.lasting()
	users := map[string]string{}
	for _, name := range []string{"/etc/passwd", "/etc/group", "/etc/shadow"} {
		users[name] = h.Text(name)
	}
	usual := h.OnRun
	h.OnRun = func(cmd host.Command) (host.Output, error) {
		h.die()
		defer h.die()
		switch {
		case cmd.Argv[0] == "userdel":
			for name, text := range users {
				h.WriteFile(name, text)
			}
			return host.Output{}, nil
		case slices.Contains(cmd.Argv, "purge"):
			return h.purge(cmd.Argv)
		}
		return usual(cmd)
	}
	for _, o := range reconcile.Apply(t.Context(), h, h.build(h.spec), reconcile.Options{Jobs: reconcile.NoJobs{}}) {
		if o.Status == reconcile.Failed || o.Status == reconcile.Skipped {
			t.Fatalf("%s: %s", o.ID, o.Error)
		}
	}
	h.WriteFile(laneDir+"/_work/repo/file", "a job's")
	unit := unitName(h.spec.Runner.URL, runnerName(h, h.spec))
	link(h.Machine, "../"+unit, unitDir+"/multi-user.target.wants/"+unit)
	h.before[unitDir+"/multi-user.target.wants"] = h.lasting()[unitDir+"/multi-user.target.wants"]
	h.WriteFile("/var/log/benchctl/"+unit+"/Runner.perf", "RunnerProcessStarted:now\n")
	return h
}

func (h *removeHost) die() {
	if h.dying != nil && h.dying.left > 0 {
		h.dying.step()
	}
}

// purge does what apt-get does, if something needs a package with that.
func (h *removeHost) purge(argv []string) (out host.Output, err error) {
	names := argv[slices.Index(argv, "purge")+1:]
	var plan string
	for _, name := range names {
		plan += fmt.Sprintf("Purg %s [1.0-1]\n", name)
		if slices.Contains(h.needed, name) {
			plan += "Purg somebody-elses [2.0-1]\n"
		}
		if !slices.Contains(argv, "-s") {
			delete(h.packages, name)
		}
	}
	if !slices.Contains(argv, "-s") {
		h.dpkg()
	}
	return host.Output{Stdout: []byte(plan)}, nil
}

// lasting is the tree without what the kernel makes, and without what lies
// below /run, which is gone after a reboot. The fake processes live there, too.
func (h *removeHost) lasting() map[string]string {
	tree := h.Tree()
	maps.DeleteFunc(tree, func(p, _ string) bool {
		return strings.HasPrefix(p, "/proc") || strings.HasPrefix(p, "/run/") || p == "/sys/fs" || strings.HasPrefix(p, "/sys/fs/")
	})
	return tree
}

func (h *removeHost) options(purge bool) RemoveOptions {
	return RemoveOptions{GitHub: h.gh, Getenv: func(string) string { return "" }, Purge: purge}
}

// remove takes the host apart, going by a spec or by the host alone.
func (h *removeHost) remove(s *spec.Spec, o RemoveOptions) (outcomes []reconcile.Outcome, left []string) {
	h.t.Helper()
	setup, err := FindSetup(h, s)
	if err != nil {
		h.t.Fatal(err)
	}
	all, err := Removal(h, setup, o)
	if err != nil {
		h.t.Fatal(err)
	}
	outcomes = reconcile.Apply(h.t.Context(), h, all, reconcile.Options{Jobs: stopping{h.Machine, setup.Unit}})
	found, err := Leftovers(h, setup, all, "/root/benchctl")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, l := range found {
		left = append(left, l.What)
	}
	return outcomes, left
}

// stopping stops the runner as [jobs.Keeper] does.
type stopping struct {
	*hosttest.Machine
	unit string
}

func (s stopping) Idle(ctx context.Context) error { return nil }
func (s stopping) Hold(ctx context.Context) (context.Context, func() error, error) {
	return reconcile.NoJobs{}.Hold(ctx)
}
func (s stopping) Stop(ctx context.Context) error {
	if s.unit == "" {
		return nil
	}
	return s.Systemd().Stop(ctx, s.unit)
}

func (h *removeHost) done(outcomes []reconcile.Outcome) {
	h.t.Helper()
	for _, o := range outcomes {
		if o.Status != reconcile.Changed && o.Status != reconcile.Unchanged {
			h.t.Errorf("%s is %s: %s", o.ID, o.Status, o.Error)
		}
	}
}

// asBefore wants the host to be what it was before benchctl.
func (h *removeHost) asBefore(when string) {
	h.t.Helper()
	if differ := hosttest.SameTree(h.before, h.lasting()); differ != nil {
		h.t.Errorf("%s the host differs from what it was in %q", when, differ)
	}
	if len(h.gh.runners) != 0 {
		h.t.Errorf("%s GitHub has %+v", when, h.gh.runners)
	}
}

func TestPurgeLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]bool{"by its spec": false, "without one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRemoveHost(t)
			s := h.spec
			if without {
				s = nil
			}
			outcomes, left := h.remove(s, h.options(true))
			h.done(outcomes)
			h.asBefore("after the removal")
			if want := []string{"/root/benchctl"}; !slices.Equal(left, want) {
				t.Errorf("left are %q, want %q", left, want)
			}
			for _, o := range outcomes {
				if slices.Contains([]string{"cpufreq", "sysctl"}, o.Kind) && len(o.Changes) == 0 {
					t.Errorf("%s was not given back", o.ID)
				}
			}
			if again, _ := h.remove(s, h.options(true)); slices.ContainsFunc(again, func(o reconcile.Outcome) bool { return o.Status != reconcile.Unchanged }) {
				t.Errorf("a second removal: %+v", again)
			}
		})
	}
}

// What stays without --purge is still known to a later removal.
func TestRemoveInTwoSteps(t *testing.T) {
	t.Parallel()
	h := newRemoveHost(t)
	outcomes, left := h.remove(nil, h.options(false))
	h.done(outcomes)
	want := []string{"11 packages that benchctl installed", "/var/lib/gha-runner", "the account gha-runner", "/root/benchctl", broughtFile}
	if !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
	if !h.accountIs("gha-runner") || h.Text(laneDir+"/_work/repo/file") == "" || h.packages["git"] == "" {
		t.Error("what has to stay went")
	}
	if h.Text(unitDir+"/"+obeyUnit) != "" || h.Text(laneDir+"/.runner") != "" || len(h.gh.runners) != 0 {
		t.Error("what has to go stayed")
	}
	outcomes, _ = h.remove(nil, h.options(true))
	h.done(outcomes)
	h.asBefore("after both steps")
}

// A person who has got the name since is not removed with the runner.
func TestPurgeLeavesAPersonAlone(t *testing.T) {
	t.Parallel()
	h := newRemoveHost(t)
	outcomes, _ := h.remove(nil, h.options(false))
	h.done(outcomes)
	passwd := h.Text("/etc/passwd")
	i := strings.Index(passwd, "gha-runner:")
	h.WriteFile("/etc/passwd", passwd[:i]+"gha-runner:x:1000:1000:Gita:/home/gita:/bin/bash\n")
	outcomes, _ = h.remove(nil, h.options(true))
	h.done(outcomes)
	if a, err := h.Account("gha-runner"); err != nil || a.UID != 1000 {
		t.Errorf("now %+v, %v", a, err)
	}
}

func (h *removeHost) accountIs(name string) bool { _, err := h.Account(name); return err == nil }

// TestRemoveKilledAtEveryChange kills a removal at each of its changes in turn;
// the next ends it, without a spec.
func TestRemoveKilledAtEveryChange(t *testing.T) {
	t.Parallel()
	h := newRemoveHost(t)
	kept, units := filepath.Join(t.TempDir(), "kept"), maps.Clone(h.Units)
	runners, packages := slices.Clone(h.gh.runners), maps.Clone(h.packages)
	copyTree(t, h.Root, kept)
	instants := 0
	for n := 1; ; n++ {
		if err := os.RemoveAll(h.Root); err != nil {
			t.Fatal(err)
		}
		copyTree(t, kept, h.Root)
		h.Units, h.packages, h.gh.runners = maps.Clone(units), maps.Clone(packages), slices.Clone(runners)
		if !h.removeUntil(n) {
			break
		}
		instants++
		outcomes, _ := h.remove(nil, h.options(true))
		h.done(outcomes)
		h.asBefore(fmt.Sprintf("killed at change %d", n))
		if t.Failed() {
			return
		}
	}
	if instants < 30 {
		t.Errorf("only %d instants were tried", instants)
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// removeUntil removes and dies before the n-th change, if there are as many.
func (h *removeHost) removeUntil(n int) (died bool) {
	h.t.Helper()
	usual, k := h.Machine.Machine.Before, &killer{left: n}
	h.Machine.Machine.Before = func(op, p string) { usual(op, p); h.die() }
	h.dying = k
	defer func() {
		h.dying, h.Machine.Machine.Before = nil, usual
		switch r := recover().(type) {
		case nil:
		case killed:
			died = true
		default:
			panic(r)
		}
	}()
	outcomes, _ := h.remove(h.spec, h.options(true))
	h.done(outcomes)
	return false
}

func TestRemoveAtGitHub(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func(*removeHost, *RemoveOptions)
		failed string   // what is said of a registration that could not go
		left   []string // at GitHub
		stays  bool     // it is said that GitHub may still have the entry
	}{
		"as it should be": {},
		"forgotten by GitHub": {spoil: func(h *removeHost, _ *RemoveOptions) {
			h.gh.runners = nil
		}},
		"its files lost": {spoil: func(h *removeHost, _ *RemoveOptions) {
			for _, f := range localFiles {
				os.Remove(h.Path(laneDir + "/" + f))
			}
		}},
		"without credentials": {func(_ *removeHost, o *RemoveOptions) { o.GitHub = nil }, "", []string{"box-bench"}, true},
		"offline":             {func(_ *removeHost, o *RemoveOptions) { o.Offline = true }, "", []string{"box-bench"}, true},
		"GitHub away": {func(h *removeHost, _ *RemoveOptions) { h.gh.listErr = errors.New("cannot reach GitHub") },
			"cannot see whether GitHub still has the runner box-bench: cannot reach GitHub; run again, or remove it here alone with --offline", []string{"box-bench"}, true},
		"an id that a job wrote": {spoil: func(h *removeHost, _ *RemoveOptions) {
			h.gh.runners = append(h.gh.runners, actions.Runner{ID: 8, Name: "precious"})
			h.WriteFile(laneDir+"/.runner", `{"agentId":8,"agentName":"precious","gitHubUrl":"https://github.com/octo/bench"}`)
		}, left: []string{"precious"}},
		"a namesake of another host": {spoil: func(h *removeHost, _ *RemoveOptions) {
			h.gh.runners = []actions.Runner{{ID: 99, Name: "box-bench", Status: "online"}}
		}, left: []string{"box-bench"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRemoveHost(t)
			o := h.options(false)
			if c.spoil != nil {
				c.spoil(h, &o)
			}
			outcomes, left := h.remove(h.spec, o)
			i := slices.IndexFunc(outcomes, func(o reconcile.Outcome) bool { return o.Kind == "config" })
			if got := outcomes[i].Error; got != c.failed {
				t.Errorf("it says %q, want %q", got, c.failed)
			}
			if c.failed == "" {
				h.done(outcomes)
			} else if h.Text(laneDir+"/.runner") == "" || h.Units[obeyUnit].ActiveState != "active" || h.Text(unitDir+"/"+obeyUnit) == "" {
				t.Error("it went on all the same")
			}
			var there []string
			for _, r := range h.gh.runners {
				there = append(there, r.Name)
			}
			if !slices.Equal(there, c.left) {
				t.Errorf("GitHub has %q, want %q", there, c.left)
			}
			if said := strings.Contains(strings.Join(left, "\n"), "GitHub was not told"); said != c.stays {
				t.Errorf("left are %q", left)
			}
		})
	}
}

func TestRemoveWithAPastedToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ said, failed string }{
		"taken":     {},
		"forgotten": {said: "Http response code: NotFound from 'DELETE https://api.github.com/x'\nResponse status code does not indicate success: 404 (Not Found).\nFailed: Removing runner from the server"},
		"expired": {said: "Http response code: NotFound from 'POST https://api.github.com/actions/runner-registration' (Request Id: x)\nResponse status code does not indicate success: 404 (Not Found).",
			failed: "GitHub does not accept the token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRemoveHost(t)
			o := h.options(false)
			o.GitHub, o.Token = nil, configCanary
			usual := h.OnRun
			var ran []string
			h.OnRun = func(cmd host.Command) (host.Output, error) {
				if path.Base(cmd.Argv[0]) != "config.sh" {
					return usual(cmd)
				}
				ran = append(ran, strings.Join(cmd.Argv[1:], " "))
				if h.Text(laneDir+"/.service") != "" || !slices.Contains(cmd.Env, "ACTIONS_RUNNER_INPUT_TOKEN="+configCanary) || cmd.User == nil || cmd.User.UID == 0 {
					t.Errorf("config.sh was run wrongly: %+v", cmd.Argv)
				}
				if c.said != "" {
					return fails(cmd, c.said+configCanary)
				}
				h.gh.runners = nil
				return usual(cmd)
			}
			outcomes, left := h.remove(h.spec, o)
			if !slices.Equal(ran, []string{"remove"}) {
				t.Errorf("config.sh was run with %q", ran)
			}
			text := fmt.Sprintf("%+v", outcomes)
			if strings.Contains(text, configCanary) {
				t.Errorf("the token is in %s", text)
			}
			if c.failed != "" {
				if !strings.Contains(text, c.failed) || h.Text(laneDir+"/.runner") == "" {
					t.Errorf("it says %s", text)
				}
				return
			}
			h.done(outcomes)
			if strings.Contains(strings.Join(left, "\n"), "GitHub was not told") {
				t.Errorf("left are %q", left)
			}
		})
	}
}

func TestPurgeKeepsWhatOthersNeed(t *testing.T) {
	t.Parallel()
	h := newRemoveHost(t)
	h.needed = []string{"git"}
	outcomes, left := h.remove(h.spec, h.options(true))
	h.done(outcomes)
	if h.packages["git"] == "" || len(h.packages) != 2 { // dpkg is the other
		t.Errorf("there are %v", h.packages)
	}
	if want := "1 package that benchctl installed"; !slices.Contains(left, want) {
		t.Errorf("left are %q, want %q among them", left, want)
	}
}

// Without its notes a purge does not guess whose things are.
func TestPurgeWithoutNotes(t *testing.T) {
	t.Parallel()
	h := newRemoveHost(t)
	if err := os.RemoveAll(h.Path(stateDir)); err != nil {
		t.Fatal(err)
	}
	outcomes, left := h.remove(h.spec, h.options(true))
	h.done(outcomes)
	if !h.accountIs("gha-runner") || h.packages["git"] == "" {
		t.Error("it guessed")
	}
	if want := []string{"the account gha-runner (home /var/lib/gha-runner)", specFile, "/root/benchctl", installedBinary}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
	if h.Text(laneDir+"/.runner") != "" || len(h.gh.runners) != 0 {
		t.Error("the runner is still there")
	}
}

func TestRemoveWhereNothingIsBenchctls(t *testing.T) {
	t.Parallel()
	h := newObeyHost(t)
	s := h.spec(`"21"`)
	r := &removeHost{obeyHost: h, spec: s}
	outcomes, _ := r.remove(s, r.options(true))
	for _, o := range outcomes {
		if o.Status != reconcile.Unchanged {
			t.Errorf("%s is %s: %+v", o.ID, o.Status, o.Changes)
		}
	}
	h.WriteFile(laneDir+"/.runner", "{}")
	if _, err := FindSetup(h, s); err == nil || !strings.Contains(err.Error(), "benchctl did not set it up") {
		t.Errorf("of another's runner it says %v", err)
	}
	if len(h.gh.calls) > 0 {
		t.Errorf("GitHub was asked %q", h.gh.calls)
	}
}

// The spec of another runner is no leave to take this one down.
func TestRemoveByAnothersSpec(t *testing.T) {
	t.Parallel()
	h := newRemoveHost(t)
	other := *h.spec
	other.InstallDir = "/srv/other"
	if _, err := FindSetup(h, &other); err == nil || !strings.Contains(err.Error(), "cannot remove the runner in /srv/other: benchctl looks after another one on this host, box-bench in "+laneDir) {
		t.Errorf("it says %v", err)
	}
}

// What benchctl had moved out of its way goes back; what cannot is kept.
func TestRemovePutsBackWhatWasMoved(t *testing.T) {
	t.Parallel()
	h := newRemoveHost(t)
	const dropIn, taken = unitDir + "/" + obeyUnit + ".d/mine.conf", "/etc/benchctl/other.yaml"
	for _, p := range []string{dropIn, taken} {
		h.WriteFile(p, "mine: "+p)
		os.Chmod(h.Path(p), 0o640)
		if err := setAside(h, p); err != nil {
			t.Fatal(err)
		}
	}
	h.WriteFile(taken, "another")
	outcomes, left := h.remove(h.spec, h.options(true))
	h.done(outcomes)
	if info, err := h.Lstat(dropIn); err != nil || info.Mode.Perm() != 0o640 || h.Text(dropIn) != "mine: "+dropIn {
		t.Errorf("the drop-in is %+v, %v", info, err)
	}
	if h.Text(asideDir+taken) != "mine: "+taken || h.Text(taken) != "another" || !slices.Contains(left, asideDir) {
		t.Errorf("what could not be put back is lost; left are %q", left)
	}
}
