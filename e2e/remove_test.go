//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
)

// atHome is benchctl where an operator put it, so that the one in /usr/local/bin
// is a copy of benchctl's own making.
const atHome = "/root/benchctl"

// operated runs benchctl from the operator's place and wants an exit code.
func (w *world) operated(code int, env []string, args ...string) lab.Result {
	w.t.Helper()
	r, err := w.host.Do(w.t.Context(), lab.Command{Argv: append([]string{atHome}, args...), Env: env})
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Status != code {
		w.t.Fatalf("benchctl %q ended with %d, want %d\n%s%s", args, r.Status, code, r.Stdout, r.Stderr)
	}
	return r
}

var withToken = []string{"GITHUB_TOKEN=" + apiToken}

// A removed is what remove says in JSON.
type removed struct {
	reconcile.Report
	Left []resources.Leftover `json:"left"`
}

func (w *world) removed(r lab.Result) (all removed) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil {
		w.t.Fatalf("%v\n%s%s", err, r.Stdout, r.Stderr)
	}
	return all
}

// before is what a host has before the first apply, but for what apt and dpkg
// own and what the scripts of packages make: their notes and lists, the caches of
// the linker, of man pages and of icons, the certificates' links.
func (w *world) before() lab.Tree {
	w.t.Helper()
	tree := w.tree("/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log")
	maps.DeleteFunc(tree, func(path string, _ lab.Entry) bool {
		return strings.HasPrefix(path, "/etc/") && strings.HasSuffix(path, "-")
	})
	return tree
}

// noGhost wants GitHub to have no entry of the host.
func (w *world) noGhost() {
	w.t.Helper()
	if all := w.hub.Runners(standin.Repo(repository)); len(all) != 0 {
		w.t.Errorf("GitHub still has %+v", all)
	}
}

// TestPurge takes a host with everything there is, a job behind it, apart again:
// afterwards nobody can tell that benchctl was ever there.
func TestPurge(t *testing.T) {
	t.Parallel()
	w := newFullWorld(t, lab.Debian13)
	w.sh("mv /usr/local/bin/benchctl " + atHome)
	w.spec(w.fullSpec(lab.Debian13) + "schedule: \"*/30 * * * *\"\ncleanup: {work: 14d}\n")
	before := w.before()
	w.operated(0, withToken, "apply", "--yes")
	w.runJob("echo hello >file && java -version")

	all := w.removed(w.operated(0, withToken, "remove", "--purge", "--yes", "-o", "json"))
	t.Logf("%v", all.Summary)
	w.noGhost()
	if differ := before.Changed(w.before()); differ != nil {
		t.Errorf("the host is not what it was:\n%s", strings.Join(differ, "\n"))
	}
	for path, value := range map[string]string{
		"/proc/sys/kernel/perf_event_paranoid":                     paranoid,
		"/sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "powersave",
		"/sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "powersave",
	} {
		if got := strings.TrimSpace(w.run("cat", path)); got != value {
			t.Errorf("%s is %s, want %s", path, got, value)
		}
	}
	if got := w.sh("ls -d /run/benchctl /var/log/benchctl 2>/dev/null || true"); got != "" {
		t.Errorf("there is still %s", got)
	}
	w.leftover(all.Left, atHome, "/etc/benchctl/runner.yaml")
	if again := w.operated(0, withToken, "remove", "--purge"); strings.Contains(again.Stdout, "->") {
		t.Errorf("a second removal finds\n%s", again.Stdout)
	}
}

// leftover wants exactly these to be listed.
func (w *world) leftover(left []resources.Leftover, want ...string) {
	w.t.Helper()
	var have []string
	for _, l := range left {
		have = append(have, l.What)
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		w.t.Errorf("left are %q, want %q", have, want)
	}
}
