//go:build e2e

package lab_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

// A machine over "/" is a copy of this host: it sees its files, and nothing
// that it writes comes out.
func TestCopyOfThisHost(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("original"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := &lab.Lab{Log: t.Logf}
	m, err := l.New(t.Context(), lab.Options{Lower: []string{"/"}, Hostname: "copy", PrivateNetwork: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	data, err := m.Read(filepath.Join(dir, "file"))
	if err != nil || string(data) != "original" {
		t.Fatalf("the copy has %q, %v", data, err)
	}
	if err := m.Put(filepath.Join(dir, "file"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "file")); string(data) != "original" {
		t.Errorf("writing to the copy changed the host's file to %q", data)
	}
}

// Inside a lab host, a second one can run: what a rehearsal there does.
func TestMachineInAMachine(t *testing.T) {
	t.Parallel()
	l := &lab.Lab{Log: t.Logf}
	m, err := l.Boot(t.Context(), lab.Options{Lower: []string{root(t, l, lab.Debian12, "systemd-container")}, Hostname: "outer"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Put("/usr/local/bin/lab.test", self, 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := m.Do(t.Context(), lab.Command{
		Argv: []string{"/usr/local/bin/lab.test", "-test.v", "-test.run=^TestInnerMachine$"},
		Env:  []string{"LAB_TEST_INNER=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
	})
	if err = errors.Join(err, r.Err()); err != nil {
		t.Fatalf("the inner machine: %v\n%s%s", err, r.Stdout, r.Stderr)
	}
	if !strings.Contains(r.Stdout, "inner was up") {
		t.Errorf("the inner machine did not run: %s", r.Stdout)
	}
}

func TestInnerMachine(t *testing.T) {
	if os.Getenv("LAB_TEST_INNER") == "" {
		t.Skip("runs only inside the machine of TestMachineInAMachine")
	}
	// A file system of its own, which the layer over / does not show.
	if out, err := exec.Command("mount", "-t", "tmpfs", "none", "/srv").CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	if err := os.WriteFile("/srv/file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	l := &lab.Lab{Log: t.Logf}
	m, err := l.Boot(t.Context(), lab.Options{Lower: []string{"/"}, Mounts: []string{"/srv"}, Hostname: "inner", PrivateNetwork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := must(t, m, "hostname; mkdir /only-inside /srv/only-inside; test -e /srv/file"); got != "inner" {
		t.Errorf("the inner machine is called %q", got)
	}
	for _, path := range []string{"/only-inside", "/srv/only-inside"} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("what the inner machine wrote to %s came out", path)
		}
	}
	t.Log("inner was up")
}
