//go:build e2e && bench

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// benchPin is the version of a runner's package of the real one's size.
const benchPin = "2.337.0"

// TestBars measures what the design sets bars for, and writes the tables to the
// file that BENCHCTL_TABLES names. No time fails it.
func TestBars(t *testing.T) {
	b := &bench{dir: diskDir(t)}
	b.product = b.build(t, "../cmd/benchctl")
	b.stopwatch = b.build(t, "./stopwatch")
	var tables bytes.Buffer
	fmt.Fprintf(&tables, "Measured on %s, with %s.\n", machine(t), load(t))
	b.world = b.host(t)
	for _, part := range []struct {
		name    string
		measure func(*testing.T) string
	}{{"no-op", b.noop}, {"agent", b.agent}, {"install", b.install}, {"exposure", exposures}} {
		t.Run(part.name, func(t *testing.T) { tables.WriteString(part.measure(t)) })
	}
	fmt.Fprintf(&tables, "\nAfterwards: %s.\n", load(t))
	if err := os.WriteFile(os.Getenv("BENCHCTL_TABLES"), tables.Bytes(), 0o644); err != nil {
		t.Error(err)
	}
}

// A bench is what all measurements share.
type bench struct {
	dir       string // on a disk
	product   string // benchctl, as it is released
	stopwatch string
	world     *world // a host in step with a full spec
}

// build makes a static program in the way that releases are made.
func (b *bench) build(t *testing.T, pkg string) string {
	t.Helper()
	out := filepath.Join(b.dir, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return out
}

// archive is a runner's package with the real one's shape.
func (b *bench) archive(t *testing.T) standin.Asset {
	t.Helper()
	asset, err := standin.RunnerArchive(standin.ArchiveOptions{Version: benchPin, Binary: b.product, Dir: b.dir, Shape: standin.Real})
	if err != nil {
		t.Fatal(err)
	}
	return asset
}

// What others need, and what apply would download, so that it is there each time.
var benchPackages = []string{"ansible-core", "python3-apt", "git", "puppet-agent", "libicu76", "libkrb5-3",
	"openjdk-21-jdk-headless", "php-cli", "php-xml", "php-gd", "php-zip", "php-bz2"}

// host is a Debian 13 in step with everything that a spec can ask for.
func (b *bench) host(t *testing.T) *world {
	t.Helper()
	l := &lab.Lab{Log: t.Logf}
	root, err := l.Root(t.Context(), lab.Debian13, benchPackages...)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, lab.Debian13, func(o *lab.Options) { o.Lower, o.Disk = []string{root}, b.dir })
	w.install(b.product)
	if err := w.hub.PublishRunner(benchPin, b.archive(t)); err != nil {
		t.Fatal(err)
	}
	w.knob("/proc/sys/kernel/perf_event_paranoid", paranoid)
	w.spec(strings.Replace(w.fullSpec(lab.Debian13), runnerPin, benchPin, 1))
	w.benchctl(0, "apply", "--yes")
	w.benchctl(0, "diff")
	w.putPlaybook()
	w.program(b.stopwatch)
	return w
}

// A sample is what one way of doing something took, each time.
type sample []struct {
	Wall, CPU time.Duration
	RSS       int64
}

// noop measures a look at a host in step, and an Ansible playbook on it, in turns.
func (b *bench) noop(t *testing.T) string {
	w := b.world.in(t)
	var diff, apply, ansible sample
	for range 10 {
		diff = append(diff, w.measure(6, "/usr/local/bin/benchctl", "diff", "--offline")...)
		apply = append(apply, w.measure(6, "/usr/local/bin/benchctl", "apply", "--offline")...)
		ansible = append(ansible, w.measure(1, playbook...)...)
	}
	return table([][]string{
		{"Nothing to do on a Debian 13 in step", "wall time", "CPU time", "most memory", "CPU against Ansible"},
		{"`benchctl diff --offline`", diff.wall().ms(), diff.cpu().ms(), diff.rss().mib(), less(ansible, diff)},
		{"`benchctl apply --offline`", apply.wall().ms(), apply.cpu().ms(), apply.rss().mib(), less(ansible, apply)},
		{"`ansible-playbook`, 8 tasks, no facts", ansible.wall().seconds(), ansible.cpu().seconds(), ansible.rss().mib(), ""},
	})
}

// program puts one of ours on the host.
func (w *world) program(path string) {
	w.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("/usr/local/bin/"+filepath.Base(path), string(text), 0o755)
}

func less(than, s sample) string {
	return fmt.Sprintf("%.0f times less", than.cpu().median()/s.cpu().median())
}

// measure runs a program on the host.
func (w *world) measure(n int, argv ...string) (s sample) {
	w.t.Helper()
	r, err := w.host.Do(w.t.Context(), lab.Command{
		Argv: append([]string{"/usr/local/bin/stopwatch", fmt.Sprint(n)}, argv...),
		Env:  []string{"HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "ANSIBLE_PIPELINING=1"},
	})
	if err != nil || r.Err() != nil {
		w.t.Fatal(err, r.Err())
	}
	if err := json.Unmarshal([]byte(r.Stdout), &s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

var playbook = []string{"/usr/bin/ansible-playbook", "-i", "localhost,", "-e", "@/opt/bench/vars.json", "/opt/bench/playbook.yml"}

// putPlaybook gives the host a playbook for the state that it is in.
func (w *world) putPlaybook() {
	w.t.Helper()
	text, err := os.ReadFile("testdata/bench/playbook.yml")
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("/opt/bench/playbook.yml", string(text), 0o644)
	files := []string{"/etc/systemd/system/" + runnerUnit, boxDir + "/.path", boxDir + "/.env", boxDir + "/.service",
		"/usr/local/lib/benchctl/job-started.sh", "/usr/local/lib/benchctl/job-completed.sh",
		boxHome + "/.phoronix-test-suite/user-config.xml"}
	vars, err := json.Marshal(map[string]any{"files": files, "unit": runnerUnit})
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("/opt/bench/vars.json", string(vars), 0o644)
	w.sh("cp -p --parents " + strings.Join(files, " ") + " /opt/bench")
	if said := w.sh("HOME=/root LANG=C.UTF-8 " + strings.Join(playbook, " ")); !strings.Contains(said, "changed=0") {
		w.t.Errorf("the playbook is not for this state:\n%s", said)
	}
}

// exposures is what systemd-analyze thinks of the unit, with each of the needs.
func exposures(t *testing.T) string {
	box := bareBox(t, lab.Debian13)
	one := []string{"perf", "ptrace", "setarch", "realtime", "containers"}
	sets := [][]string{{}}
	for _, need := range one {
		sets = append(sets, []string{need})
	}
	rows := [][]string{{"`service.needs`"}, {"exposure"}}
	for _, needs := range append(sets, one) {
		name := strings.Join(needs, ", ")
		if len(needs) == len(one) {
			name = "all"
		}
		rows[0] = append(rows[0], "["+name+"]")
		rows[1] = append(rows[1], fmt.Sprintf("%.1f", box.exposure(t, box.install(t, slices.Clone(needs)))))
	}
	return table(rows)
}
