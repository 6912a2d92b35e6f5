package resources

import (
	"context"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// kindOrder is law 4: what a job needs comes first, then the service, and what
// keeps it all so last.
var kindOrder = []string{"user", "packages", "jdk", "pts", "tarball", "config", "env", "cpufreq", "sysctl", "cleanup", "hooks", "service", "agent"}

// An obeyCase is something that happens to a resource in step, and the field
// in which it shows. Every resource has one.
type obeyCase struct {
	drift func(*obeyHost)
	field string
}

var obeyCases = map[string]obeyCase{
	"user":     {func(h *obeyHost) { h.replace("/etc/passwd", "/usr/sbin/nologin", "/bin/bash") }, "shell"},
	"packages": {func(h *obeyHost) { delete(h.packages, "git"); h.dpkg() }, "git"},
	"jdk": {func(h *obeyHost) {
		found, _ := h.Glob("/usr/lib/jvm/*/bin/java")
		os.Remove(h.Path(found[0]))
	}, "/usr/lib/jvm/"},
	"pts":                               {func(h *obeyHost) { h.packages[ptsPackage] = "10.8.5"; h.dpkg() }, "version"},
	"tarball":                           {func(h *obeyHost) { os.Chmod(h.Path(laneDir+"/run.sh"), 0o777) }, "run.sh"},
	"config":                            {func(h *obeyHost) { h.gh.runners[0].Labels = defaults() }, "labels"},
	"env":                               {func(h *obeyHost) { h.WriteFile(laneDir+"/.path", "/evil\n") }, ".path"},
	"cpufreq":                           {func(h *obeyHost) { h.WriteFile(policies+"policy1/scaling_governor", "schedutil\n") }, "policy1"},
	"sysctl/kernel.perf_event_paranoid": {func(h *obeyHost) { h.WriteFile("/proc/sys/kernel/perf_event_paranoid", "4\n") }, "value"},
	"cleanup/processes":                 {leavesProcess, "process 5000 (java)"},
	"cleanup":                           {leavesWork, "_work/stale"},
	"hooks/benchctl":                    {func(h *obeyHost) { h.WriteFile(installedBinary, "something else") }, installedBinary},
	"hooks":                             {func(h *obeyHost) { h.WriteFile(jobStarted.path(), "#!/bin/sh\n") }, jobStarted.path()},
	"service":                           {func(h *obeyHost) { h.Systemd().Disable(context.Background(), obeyUnit) }, "enabled"},
	"agent": {func(h *obeyHost) { h.replace(unitDir+"/"+agentUnit, "ProtectSystem=strict", "ProtectSystem=no") },
		agentUnit + " [Service] ProtectSystem"},
}

// leavesProcess and leavesWork are what a job leaves behind.
func leavesProcess(h *obeyHost) {
	h.PutProcess(host.Process{PID: 5000, PPID: 1, UID: 998, Name: "java", Start: 7}, "/system.slice/"+obeyUnit)
}

func leavesWork(h *obeyHost) { leave(h.t, h.Machine, "_work/stale", 15*day) }

const obeyUnit = "actions.runner.octo-bench.box-bench.service"

func (h *obeyHost) replace(path, old, new string) {
	h.WriteFile(path, strings.Replace(h.Text(path), old, new, 1))
}

// obeyJDKs are the three places that a JDK comes from.
var obeyJDKs = map[string]string{
	"distribution": `"21"`,
	"repository":   `{version: "21", vendor: temurin, repository: {url: "https://packages.example/deb", key: /srv/key.asc, fingerprint: ` + testKey + `}}`,
	"archive":      `{version: "21", archive: /srv/jdk.tar.gz, sha256: `,
}

// TestEveryResourceObeys holds every resource that there is to the contract of
// reconcile.Resource, from a bare host to one in step, and through a drift.
func TestEveryResourceObeys(t *testing.T) {
	t.Parallel()
	for name, jdk := range obeyJDKs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newObeyHost(t)
			all := h.build(h.spec(h.jdk(jdk)))
			obeysOrder(t, all)
			for _, res := range all {
				h.obeys(t, res)
			}
			for _, res := range all { // nothing that came later undid it
				if changes := h.diff(t, res); len(changes) > 0 {
					t.Errorf("at the end %s differs: %s", res.ID(), say(changes))
				}
			}
		})
	}
}

// TestAnEphemeralRunnerObeys holds the same of a runner that is good for one job,
// before that and after.
func TestAnEphemeralRunnerObeys(t *testing.T) {
	t.Parallel()
	h := newObeyHost(t)
	s := h.spec(h.jdk(obeyJDKs["distribution"]))
	s.Runner.Ephemeral, h.gh.page = true, s.Runner.URL.Text
	all := h.build(s)
	kinds := map[string]reconcile.Resource{}
	for _, res := range all {
		h.obeys(t, res)
		kinds[res.ID().String()] = res
	}
	h.oneJob()
	for kind, want := range map[string]string{
		"config":  "registration: used up by its one job (id 101) -> box-bench at https://github.com/octo/bench; work directory: bench -> empty",
		"service": "state: waiting for its next registration -> listening",
	} {
		changes := h.diff(t, kinds[kind])
		if say(changes) != want || slices.ContainsFunc(changes, func(c reconcile.Change) bool { return !c.Asked }) {
			t.Errorf("%s after its one job: %q, %+v", kind, say(changes), changes)
		}
	}
	h.ignoresNoInterrupt(t, kinds["config"])
	h.converges(t, kinds["config"])
	h.converges(t, kinds["service"])
	if left := there(t, h.Machine, "_work"); left != "_tool" || h.gh.made != 2 {
		t.Errorf("left %q, registered %d times", left, h.gh.made)
	}
}

// oneJob is a job, and the end of the Listener that had it.
func (h *obeyHost) oneJob() {
	leave(h.t, h.Machine, "_work/bench", 0)
	leave(h.t, h.Machine, "_work/_tool", 0)
	h.gh.runners = nil
	for _, name := range localFiles {
		os.Remove(h.Path(laneDir + "/" + name))
	}
	if err := h.Systemd().Stop(context.Background(), obeyUnit); err != nil {
		h.t.Fatal(err)
	}
}

// jdk completes the JDK's part of a spec.
func (h *obeyHost) jdk(text string) string {
	if strings.HasSuffix(text, "sha256: ") {
		text += hexDigest([]byte(h.Text("/srv/jdk.tar.gz"))) + "}"
	}
	return text
}

// obeysOrder checks who is there: each once, of a kind that law 4 knows, with a
// case here, in order, and in need of nothing that comes later.
func obeysOrder(t *testing.T, all []reconcile.Resource) {
	t.Helper()
	var ids, kinds []string
	for _, res := range all {
		id := res.ID()
		if slices.Contains(ids, id.String()) {
			t.Errorf("%s is there twice", id)
		}
		if _, ok := obeyCases[id.String()]; !ok {
			t.Errorf("%s has no case in this test", id)
		}
		if d, ok := res.(reconcile.Dependent); ok {
			for _, need := range d.Needs() {
				if !slices.Contains(kinds, need) {
					t.Errorf("%s needs %s, which does not come before it", id, need)
				}
			}
		}
		ids, kinds = append(ids, id.String()), append(kinds, id.Kind)
	}
	if len(ids) != len(obeyCases) {
		t.Errorf("Build made %q; the cases are %q", ids, slices.Sorted(maps.Keys(obeyCases)))
	}
	if got := slices.Compact(kinds); !slices.Equal(got, kindOrder) {
		t.Errorf("the order is %q, want %q", got, kindOrder)
	}
}

// obeys takes one resource from as it is into step, breaks it and mends it.
func (h *obeyHost) obeys(t *testing.T, res reconcile.Resource) {
	t.Helper()
	c := obeyCases[res.ID().String()]
	if res.ID().Kind == "cleanup" { // no job has left anything yet
		c.drift(h)
	}
	if len(h.diff(t, res)) == 0 {
		t.Errorf("%s finds nothing to do on a bare host", res.ID())
	}
	h.ignoresNoInterrupt(t, res)
	h.converges(t, res)
	if c.drift == nil {
		return
	}
	c.drift(h)
	changes := h.diff(t, res)
	if len(changes) != 1 || !strings.HasPrefix(changes[0].Field, c.field) {
		t.Errorf("%s after a drift: %q, want %s alone", res.ID(), say(changes), c.field)
	}
	h.converges(t, res)
}

// converges applies: once closes the gap, twice changes nothing more.
func (h *obeyHost) converges(t *testing.T, res reconcile.Resource) {
	t.Helper()
	if err := res.Apply(t.Context(), h); err != nil {
		t.Fatalf("apply of %s: %v", res.ID(), err)
	}
	if left := h.diff(t, res); len(left) > 0 {
		t.Fatalf("after its apply %s still differs: %s", res.ID(), say(left))
	}
	before := h.Tree()
	if err := res.Apply(t.Context(), h); err != nil {
		t.Errorf("second apply of %s: %v", res.ID(), err)
	}
	if differ := hosttest.SameTree(before, h.Tree()); differ != nil {
		t.Errorf("the second apply of %s changed %q", res.ID(), differ)
	}
	h.leavesNothingHalfDone(t, res)
}

// diff looks twice: it changes nothing, says the same both times, and says it
// in words fit for a report.
func (h *obeyHost) diff(t *testing.T, res reconcile.Resource) []reconcile.Change {
	t.Helper()
	before, writes := h.Tree(), len(h.Writes)
	changes, err := res.Diff(t.Context(), h)
	if err != nil {
		t.Fatalf("diff of %s: %v", res.ID(), err)
	}
	again, err := res.Diff(t.Context(), h)
	if err != nil || !reflect.DeepEqual(changes, again) {
		t.Errorf("diff of %s says %q and then %q (%v)", res.ID(), say(changes), say(again), err)
	}
	if differ := hosttest.SameTree(before, h.Tree()); differ != nil || len(h.Writes) != writes {
		t.Errorf("diff of %s changed %q and did %q", res.ID(), differ, h.Writes[writes:])
	}
	for _, c := range changes {
		if c.Field == "" || c.Have == c.Want {
			t.Errorf("%s says nothing with %+v", res.ID(), c)
		}
	}
	if strings.Contains(say(changes), obeyCanary) {
		t.Errorf("%s tells a secret: %s", res.ID(), say(changes))
	}
	return changes
}

// ignoresNoInterrupt applies with a context that ends at the first change, at
// the second, and so on until one apply gets through. Whatever it was cut off
// at says so, and the next goes on from there.
func (h *obeyHost) ignoresNoInterrupt(t *testing.T, res reconcile.Resource) {
	t.Helper()
	const most = 100
	for n := range most {
		o, at := h.applyUntil(t, n, res)
		h.leavesNothingHalfDone(t, res)
		switch {
		case o.Status == reconcile.Changed || o.Status == reconcile.Unchanged:
			return
		case o.Status != reconcile.Failed || !errors.Is(o.Err, context.Canceled):
			t.Fatalf("%s interrupted at change %d (%s) is %s: %v", res.ID(), n, at, o.Status, o.Err)
		case n == 0 && at != "":
			t.Errorf("%s did %q although nobody wanted it any more", res.ID(), at)
		}
	}
	t.Errorf("%s does not get through in %d changes", res.ID(), most)
}

// applyUntil has the engine apply with a context that ends at the n-th change;
// with 0 it has ended before. at is the last change that was made.
func (h *obeyHost) applyUntil(t *testing.T, n int, res reconcile.Resource) (o reconcile.Outcome, at string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done, before, run := 0, h.Before, h.OnRun
	defer func() { h.Before, h.OnRun = before, run }()
	change := func(what string) {
		at = what
		if done++; done == n {
			cancel()
		}
	}
	h.Before = func(op, path string) { before(op, path); change(op + " " + path) }
	h.OnRun = func(cmd host.Command) (host.Output, error) { change(cmd.Argv[0]); return run(cmd) }
	if n == 0 {
		cancel()
	}
	return reconcile.Apply(ctx, h, []reconcile.Resource{res}, reconcile.Options{Jobs: reconcile.NoJobs{}})[0], at
}

// leavesNothingHalfDone looks for what an apply puts beside a file or directory
// before it gets its name.
func (h *obeyHost) leavesNothingHalfDone(t *testing.T, res reconcile.Resource) {
	t.Helper()
	for path := range h.Tree() {
		if strings.Contains(path, "benchctl-new") || strings.Contains(path, "benchctl-old") || strings.Contains(path, stagingPrefix) || path == ptsStaged {
			t.Errorf("%s left %s behind", res.ID(), path)
		}
	}
}
