//go:build e2e

// Package e2e runs benchctl as its users do, on throwaway hosts with a real
// systemd, against a stand-in for GitHub.
package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/deadline"
	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/openapi"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

const (
	repository = "SKaiNET-developers/SKaiNET"
	apiToken   = "canary-api-token-3f1c0d"
	runnerPin  = "2.336.0"
	runnerName = "bench7-bench"
	runnerUnit = "actions.runner.SKaiNET-developers-SKaiNET." + runnerName + ".service"
)

// plainSpec is the least that makes a runner with a governor.
const plainSpec = `version: 1
user: gha-runner
runner:
  url: https://github.com/` + repository + `
  version: "` + runnerPin + `"
  labels: [self-hosted, linux, x86_64, skainet-bench-linux-x86]
governor: performance
`

// scratch has what all tests share, until they are over: the benchctl under test,
// and in packages the runners that carry it.
var (
	scratch  = filepath.Join(os.TempDir(), fmt.Sprintf("benchctl-e2e-%d", os.Getpid()))
	packages = filepath.Join(scratch, "packages")
)

// binary builds benchctl once for all tests, with the hook that lets a test
// end it at any of its changes to the host.
var binary = sync.OnceValues(func() (string, error) {
	file := filepath.Join(scratch, "benchctl")
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-tags", "killpoints", "-o", file, "../cmd/benchctl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build benchctl: %w\n%s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}

var worlds atomic.Int32

// A world is a lab host and the GitHub that it sees. Its methods fail the test
// that it is [world.in].
type world struct {
	t       *testing.T
	hub     *standin.Server
	host    *lab.Machine
	address string
	live    io.Writer // if set, hears what benchctl says as it comes
}

// newWorld boots a host of a release with benchctl on it, and nothing else.
func newWorld(t *testing.T, release lab.Release, change ...func(*lab.Options)) *world {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t}
	w.hub, w.address = newHub(t)
	l := &lab.Lab{Log: t.Logf}
	root, err := l.Root(t.Context(), release)
	needRoot(t, release, err)
	o := lab.Options{
		Lower: []string{root}, Hostname: "bench7", Hosts: map[string]string{}, CA: w.hub.CA(),
		Cpufreq: &lab.Cpufreq{},
	}
	for _, name := range w.hub.Hosts() {
		o.Hosts[name] = w.address
	}
	for _, f := range change {
		f(&o)
	}
	if w.host, err = l.Boot(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.host.Close(); err != nil {
			t.Error(err)
		}
	})
	w.install(path)
	w.slow()
	return w
}

// needRoot ends a test without its release's root. Ubuntu's archive is not
// promised to be reachable from everywhere, Debian's is.
func needRoot(t *testing.T, release lab.Release, err error) {
	t.Helper()
	if errors.Is(err, lab.ErrNoMirror) && strings.HasPrefix(release.Name, "ubuntu") {
		t.Skipf("NOT RUN on %s: %v", release, err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// newHub starts a GitHub on a loopback address of its own that serves the
// pinned runner, and holds every exchange to GitHub's description.
func newHub(t *testing.T) (hub *standin.Server, address string) {
	t.Helper()
	n := worlds.Add(1)
	address = fmt.Sprintf("127.%d.%d.%d", 10+os.Getpid()%200, n/250, 1+n%250)
	hub, err := standin.Start(standin.Options{
		Address: address, Seed: uint64(n), Names: []string{"ghes.example"}, Check: openapi.GitHub(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hub.Close()
		for _, v := range hub.Violations() {
			t.Errorf("GitHub's description does not know this: %s", v)
		}
	})
	hub.AcceptToken(apiToken)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := standin.RunnerArchive(standin.ArchiveOptions{Version: runnerPin, Binary: path, Dir: packages})
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.PublishRunner(runnerPin, archive); err != nil {
		t.Fatal(err)
	}
	return hub, address
}

// in is the same world for a subtest.
func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.t = t
	return &sub
}

func (w *world) install(path string) {
	w.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("/usr/local/bin/benchctl", string(data), 0o755)
}

func (w *world) put(path, text string, mode os.FileMode) {
	w.t.Helper()
	if err := w.host.Put(path, []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
}

// spec writes the host's runner.yaml.
func (w *world) spec(text string) { w.put("/etc/benchctl/runner.yaml", text, 0o644) }

// run runs a program as root on the host and wants it to succeed.
func (w *world) run(argv ...string) string {
	w.t.Helper()
	r, err := w.host.Run(w.t.Context(), argv...)
	if err != nil || r.Status != 0 {
		w.t.Fatalf("%q: %v, status %d\n%s%s", argv, err, r.Status, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// sh is run for a line of shell.
func (w *world) sh(line string) string { w.t.Helper(); return w.run("sh", "-c", line) }

// benchctl runs benchctl with API credentials and wants an exit code.
func (w *world) benchctl(code int, args ...string) lab.Result {
	w.t.Helper()
	return w.benchctlAs(code, []string{"GITHUB_TOKEN=" + apiToken}, args...)
}

// benchctlAs is benchctl with an environment.
func (w *world) benchctlAs(code int, env []string, args ...string) lab.Result {
	w.t.Helper()
	r, err := w.host.Do(w.t.Context(), lab.Command{Argv: append([]string{"/usr/local/bin/benchctl"}, args...), Env: env, Live: w.live})
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Status != code {
		w.t.Fatalf("benchctl %s ended with %d, want %d\n%s%s", strings.Join(args, " "), r.Status, code, r.Stdout, r.Stderr)
	}
	for _, out := range []string{r.Stdout, r.Stderr} {
		if strings.Contains(out, apiToken) {
			w.t.Errorf("benchctl %v printed the token", args)
		}
	}
	return r
}

// knob puts a plain file with a value in the place of a kernel file below
// /proc/sys, which a container may not change; it lasts until a reboot.
func (w *world) knob(path, value string) {
	w.t.Helper()
	const script = `mkdir -p /run/lab-knobs && f=/run/lab-knobs/${0##*/} && echo "$1" >$f && mount --bind $f "$0"`
	r, err := w.host.Look(w.t.Context(), "sh", "-c", script, path, value)
	if err = errors.Join(err, r.Err()); err != nil {
		w.t.Fatal(err)
	}
}

// tree is all that the host keeps, but for what the runner itself writes while
// it is up, and what a test leaves out.
func (w *world) tree(except ...string) lab.Tree {
	w.t.Helper()
	tree, err := w.host.HashTree(w.t.Context(), append(except, boxDir+"/_diag", "/var/log/benchctl")...)
	if err != nil {
		w.t.Fatal(err)
	}
	return tree
}

// notes are what benchctl writes down of each run, which is no change of the
// host: the state directory is for that.
var notes = []string{history.LastRun, history.Lines, history.Marks, history.Settled, github.MemoryFile, deadline.File}

// unnoted leaves what benchctl noted out of what a run touched.
func unnoted(touched []string) []string {
	return slices.DeleteFunc(touched, func(line string) bool {
		path, what, _ := strings.Cut(line, ": ")
		return slices.Contains(notes, path) || path == history.Dir && strings.HasPrefix(what, "added")
	})
}

// differs is what `benchctl diff` finds, one "id field: have -> want" a line.
// Its exit code must say the same.
func (w *world) differs(ctx context.Context) []string {
	w.t.Helper()
	r, err := w.host.Do(ctx, lab.Command{Argv: []string{"/usr/local/bin/benchctl", "diff", "-o", "json"}, Env: []string{"GITHUB_TOKEN=" + apiToken}})
	if err != nil {
		w.t.Fatal(err)
	}
	report := w.parse(r)
	if r.Status != report.ExitCode() && r.Status != reconcile.ExitError {
		w.t.Errorf("diff ended with %d\n%s", r.Status, r.Stdout)
	}
	return linesOf(report)
}

// apply is `benchctl apply`, without a question, in a report.
func (w *world) apply(code int, args ...string) *reconcile.Report {
	w.t.Helper()
	return w.parse(w.benchctl(code, append([]string{"apply", "--yes", "-o", "json"}, args...)...))
}

func (w *world) parse(r lab.Result) *reconcile.Report {
	w.t.Helper()
	var report reconcile.Report
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		w.t.Fatalf("%v\n%s%s", err, r.Stdout, r.Stderr)
	}
	return &report
}

// linesOf is a report with one "id field: have -> want" a line.
func linesOf(report *reconcile.Report) (lines []string) {
	for _, o := range report.Results {
		for _, c := range o.Changes {
			lines = append(lines, fmt.Sprintf("%s %s: %s -> %s", o.ID, c.Field, c.Have, c.Want))
		}
		if o.Error != "" {
			lines = append(lines, fmt.Sprintf("%s error: %s", o.ID, o.Error))
		}
	}
	return lines
}

// changed lists the resources that an apply changed.
func changed(report *reconcile.Report) (ids []string) {
	for _, o := range report.Results {
		if o.Status == reconcile.Changed {
			ids = append(ids, o.ID.String())
		}
	}
	return ids
}
