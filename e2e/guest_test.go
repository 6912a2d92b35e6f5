//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A guest is a virtual machine with a kernel and a cpufreq driver of its own,
// and the GitHub that it sees.
type guest struct {
	*lab.VM
	t   *testing.T
	hub *standin.Server
}

func newGuest(t *testing.T) *guest {
	t.Helper()
	g := &guest{t: t}
	var address string
	g.hub, address = newHub(t)
	o := lab.QEMUOptions{Hosts: map[string]string{}, CA: g.hub.CA(), Forward: []string{address + ":443"}}
	for _, name := range g.hub.Hosts() {
		o.Hosts[name] = address
	}
	l := &lab.Lab{Log: t.Logf}
	var err error
	g.VM, err = l.BootQEMU(t.Context(), o)
	if errors.Is(err, lab.ErrNoMirror) {
		t.Fatalf("the virtual machine was NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g.put("/usr/local/bin/benchctl", string(program), 0o755)
	return g
}

func (g *guest) put(path, text string, mode os.FileMode) {
	g.t.Helper()
	if err := g.Put(path, []byte(text), mode); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) spec(text string) { g.put("/etc/benchctl/runner.yaml", text, 0o644) }

func (g *guest) sh(line string) string {
	g.t.Helper()
	r, err := g.Run(g.t.Context(), "sh", "-c", line)
	if err = errors.Join(err, r.Err()); err != nil {
		g.t.Fatalf("%s: %v", line, err)
	}
	return strings.TrimSpace(r.Stdout)
}

// benchctl wants an exit code and returns the report and what stderr was told.
func (g *guest) benchctl(code int, env []string, args ...string) (*reconcile.Report, string) {
	g.t.Helper()
	r, err := g.Do(g.t.Context(), lab.Command{
		Argv: append([]string{"/usr/local/bin/benchctl", "-o", "json"}, args...),
		Env:  append([]string{"GITHUB_TOKEN=" + apiToken, "BENCHCTL_KILL_AT=0"}, env...),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	if r.Status != code {
		g.t.Fatalf("benchctl %v ended with %d, want %d\n%s%s", args, r.Status, code, r.Stdout, r.Stderr)
	}
	report := &reconcile.Report{}
	if code != killed {
		if err := json.Unmarshal([]byte(r.Stdout), report); err != nil {
			g.t.Fatalf("benchctl %v: %v\n%s%s", args, err, r.Stdout, r.Stderr)
		}
	}
	return report, r.Stderr
}

// killed is the status of what SIGKILL ended.
const killed = 255

// found are the differences of a report, one "id field: have -> want" each.
func found(report *reconcile.Report) (lines []string) {
	for _, o := range report.Results {
		for _, c := range o.Changes {
			lines = append(lines, fmt.Sprintf("%s %s: %s -> %s", o.ID, c.Field, c.Have, c.Want))
		}
	}
	return lines
}

// governors are those of both policies; that of a CPU which is off is "off".
func (g *guest) governors() string {
	g.t.Helper()
	return g.sh("for p in 0 1; do cat " + governors + "policy$p/scaling_governor 2>/dev/null || echo off; done | xargs")
}

func (g *guest) setGovernors(each ...string) {
	g.t.Helper()
	for i, name := range each {
		g.sh(fmt.Sprintf("echo %s >%spolicy%d/scaling_governor", name, governors, i))
	}
}

func (g *guest) book() originals.Book {
	g.t.Helper()
	b := originals.Book{}
	if err := json.Unmarshal([]byte(g.sh("cat "+originals.File)), &b); err != nil {
		g.t.Fatal(err)
	}
	return b
}

func (g *guest) want(what, got, want string) {
	g.t.Helper()
	if got != want {
		g.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// on is the same guest for a part of the test.
func (g *guest) on(t *testing.T) *guest { return &guest{VM: g.VM, t: t, hub: g.hub} }

func (g *guest) inStep() {
	g.t.Helper()
	report, _ := g.benchctl(0, nil, "diff")
	if left := found(report); left != nil {
		g.t.Errorf("diff says %q", left)
	}
}

// job has a script run and returns how that ended.
func (g *guest) job(script string) standin.JobState {
	g.t.Helper()
	return g.ended(g.hub.Enqueue(standin.Job{Script: script}))
}

func (g *guest) ended(id string) standin.JobState {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 2*time.Minute)
	defer cancel()
	j, err := g.hub.WaitJob(ctx, id, over)
	if err != nil {
		g.t.Fatal(err)
	}
	return j
}
