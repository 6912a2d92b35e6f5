package resources

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// laneHost is a host as kind tarball leaves it, with a runner that listens.
const laneHost = `A host of the lane with everything but what env, hooks and service write.
-- etc/passwd --
root:x:0:0:root:/root:/bin/bash
-- etc/group --
root:x:0:
-- proc/sys/kernel/hostname --
box.example
-- var/lib/gha-runner/actions-runner/bin.2.336.0/Runner.Listener --
-- usr/lib/jvm/java-21-openjdk-amd64/bin/java --
`

const (
	laneDir  = "/var/lib/gha-runner/actions-runner"
	laneUnit = "actions.runner.SKaiNET-developers-SKaiNET.box-bench.service"
	laneJava = "/usr/lib/jvm/java-21-openjdk-amd64"
)

func newLaneHost(t *testing.T) *hosttest.Machine {
	t.Helper()
	m := hosttest.New(t, laneHost)
	m.WriteFile(laneDir+"/.runner", "{}")
	if err := os.Symlink("bin.2.336.0", m.Path(laneDir+"/bin")); err != nil {
		t.Fatal(err)
	}
	return m
}

func laneSpec() *spec.Spec {
	return &spec.Spec{
		User:       spec.User{Name: "gha-runner", Home: "/var/lib/gha-runner", Shell: "/usr/sbin/nologin"},
		InstallDir: laneDir,
		Runner: spec.Runner{
			URL: spec.URL{
				Text: "https://github.com/SKaiNET-developers/SKaiNET", Scope: spec.Repository,
				Host: "github.com", Owner: "SKaiNET-developers", Repo: "SKaiNET",
			},
			Version: "2.336.0", Name: "{hostname}-bench", WorkDir: "_work",
		},
		Gate: spec.Gate{Policy: "warn", MaxLoad: 0.5},
		JDK:  &spec.JDK{Version: "21", Vendor: "distribution"},
	}
}

func newLaunch(s *spec.Spec) launch {
	return launch{spec: s, binary: "/usr/local/bin/benchctl"}
}

// diffOf is a resource's diff, which must not fail.
func diffOf(t *testing.T, m *hosttest.Machine, res reconcile.Resource) []reconcile.Change {
	t.Helper()
	before := m.Tree()
	changes, err := res.Diff(t.Context(), m)
	if err != nil {
		t.Fatalf("diff of %s: %v", res.ID(), err)
	}
	if differ := hosttest.SameTree(before, m.Tree()); differ != nil {
		t.Fatalf("diff of %s changed %v", res.ID(), differ)
	}
	return changes
}

// settle applies once and demands that nothing differs afterwards.
func settle(t *testing.T, m *hosttest.Machine, res reconcile.Resource) {
	t.Helper()
	if err := res.Apply(t.Context(), m); err != nil {
		t.Fatalf("apply of %s: %v", res.ID(), err)
	}
	if left := diffOf(t, m, res); left != nil {
		t.Fatalf("after apply %s still differs: %+v", res.ID(), left)
	}
}

// wantOnly demands that exactly one field differs.
func wantOnly(t *testing.T, got []reconcile.Change, field, have, want string) {
	t.Helper()
	if len(got) != 1 || got[0].Field != field || got[0].Have != have || got[0].Want != want {
		t.Errorf("changes %+v\nwant only %s: %s -> %s", got, field, have, want)
	}
}

// golden compares a text with a file of testdata; with UPDATE=1 it writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (UPDATE=1 go test writes it):\n%s", path, got)
	}
}
