//go:build e2e

package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

const (
	fleetRepo = standin.Scope("repos/octo/bench-hosts")
	baseFile  = "github.com/octo/bench-hosts/base.yaml@main"
	boxFile   = "github.com/octo/bench-hosts/hosts/bench7.yaml@main"
	thisFile  = "/etc/benchctl/this host.yaml"
)

// fleetFiles are what the host's spec is made of, the private repository's first.
var fleetFiles = []string{"-f", baseFile, "-f", boxFile, "-f", thisFile}

// newFleetWorld is a host whose spec is in a private repository, but for one
// file.
func newFleetWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, lab.Debian13, prepared(t), networked)
	w.hub.SetRepository(fleetRepo, standin.Repository{Private: true})
	w.hub.WriteFile(fleetRepo, "base.yaml", agentSpec("@every 2s"))
	w.box("governor: performance\n")
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	w.put(thisFile, "runner: {env: {RACK: '7'}}\n", 0o644)
	return w
}

// box pushes what the host's own file in the repository says.
func (w *world) box(text string) { w.hub.WriteFile(fleetRepo, "hosts/bench7.yaml", text) }

// TestFleet has the agent pull its spec from a repository.
func TestFleet(t *testing.T) {
	t.Parallel()
	w := newFleetWorld(t)
	for _, part := range []struct {
		name string
		test func(*world)
	}{
		{"without a token", (*world).fleetNeedsAToken},
		{"applied once", (*world).fleetBegins},
		{"a change", (*world).fleetFollows},
		{"nothing new", (*world).fleetAsksConditionally},
		{"an App in place of the token", (*world).fleetTakesAnApp},
		{"a change with problems", (*world).fleetKeepsTheLastGood},
		{"no copies", (*world).fleetLosesItsCopies},
		{"no server", (*world).fleetGoesOn},
		{"a new beginning without a server", (*world).fleetBeginsAnew},
		{"a file of its own again", (*world).fleetIsLeft},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(w.in(t)) }) {
			return
		}
	}
}

// fleetNeedsAToken for a private repository, and a first fetch has no copy to
// fall back on.
func (w *world) fleetNeedsAToken() {
	before := w.tree()
	w.benchctl(2, append([]string{"diff"}, fleetFiles...)...)
	r := w.benchctlAs(1, nil, append([]string{"apply"}, fleetFiles...)...)
	if want := "benchctl: cannot fetch the spec " + baseFile + ": the server answered 404 Not Found; see whether repository, path and ref are right; a private repository, or one asked often, needs GITHUB_TOKEN\n"; r.Stderr != want {
		w.t.Errorf("it said %q, want %q", r.Stderr, want)
	}
	if touched := before.Touched(w.tree()); touched != nil {
		w.t.Errorf("it touched %q", touched)
	}
}

// fleetBegins with one apply. Afterwards no verb has to be told where the spec is.
func (w *world) fleetBegins() {
	report := w.apply(0, fleetFiles...)
	if want := strings.Join([]string{baseFile, boxFile, thisFile}, ", "); report.Spec.File != want {
		w.t.Errorf("the report is about %s", report.Spec.File)
	}
	w.reaches(agentStatus, "in step; next pass")
	if again := w.apply(0); len(changed(again)) > 0 || again.Spec != report.Spec {
		w.t.Errorf("a second apply, of %s %s, changed %q", again.Spec.File, again.Spec.SHA256, changed(again))
	}
	w.benchctlAs(0, nil, "diff") // with the credentials that the last good spec names
	if w.look("[ -e /etc/benchctl/runner.yaml ] || echo none") != "none" {
		w.t.Error("there is a copy of the spec, too")
	}
	w.tellsNoToken()
}

// tellsNoToken looks for them where benchctl writes.
func (w *world) tellsNoToken() {
	w.t.Helper()
	w.put("/run/lab-secrets", strings.Join(append(w.hub.Secrets(), apiToken), "\n"), 0o600)
	found := w.look("grep -rlFf /run/lab-secrets /etc/systemd /etc/benchctl /var/lib/benchctl /run/benchctl || true")
	if found = strings.TrimPrefix(found, "/etc/benchctl/token"); found != "" {
		w.t.Errorf("a token is in %s", found)
	}
}

// fleetFollows what somebody pushes, and what somebody writes on the host.
func (w *world) fleetFollows() {
	w.box("governor: schedutil\n")
	w.reaches(governor1, "schedutil")
	w.reaches(agentStatus, "in step")
	if said := w.look("journalctl --sync; journalctl -o cat -u benchctl-apply"); !strings.Contains(said, "performance -> schedutil") {
		w.t.Errorf("the unit that applies said\n%s", said)
	}
	if of := w.look("sha256sum </var/lib/benchctl/last-good.yaml"); !strings.Contains(w.look("cat /var/lib/benchctl/last-run.json"), strings.Fields(of)[0]) {
		w.t.Errorf("the digest %s is not that of the last run", of)
	}
	w.put(thisFile, "runner: {env: {RACK: '8'}}\n", 0o644)
	w.reaches("grep RACK "+boxDir+"/.env", "RACK=8")
	w.reaches(agentStatus, "in step")
}

// fleetAsksConditionally, once for each pass.
func (w *world) fleetAsksConditionally() {
	w.hub.ForgetRequests()
	for range 3 { // the first may have fetched before
		w.asked()
	}
	asked := 0
	for _, r := range w.hub.Requests() {
		if !strings.Contains(r.Path, "/contents/") {
			continue
		}
		asked++
		if r.Status != http.StatusNotModified || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			w.t.Errorf("%v was answered %d; its Authorization is %q", r, r.Status, r.Header.Get("Authorization"))
		}
	}
	if asked < 4 {
		w.t.Errorf("%d requests for two files in two passes", asked)
	}
}

// fleetTakesAnApp that somebody pushes, and gets its spec with that from then on.
func (w *world) fleetTakesAnApp() {
	app, _ := w.app()
	w.hub.WriteFile(fleetRepo, "base.yaml", plainSpec+app+"schedule: {cron: '@every 2s', splay: 0s}\n")
	w.reaches("systemctl cat benchctl", "LoadCredential=github-app-key:")
	w.reaches("ls /run/credentials/benchctl.service || true", "github-app-key")
	w.look("rm /etc/benchctl/token")
	w.box("governor: performance\n")
	w.reaches(governor1, "performance")
	w.reaches(agentStatus, "in step")
	if r := w.benchctlAs(0, nil, "diff"); !strings.Contains(r.Stderr, "note: GitHub was asked for an installation token of App 7, to fetch the spec with\n") {
		w.t.Errorf("diff said %q", r.Stderr)
	}
	w.tellsNoToken()
	w.box("governor: schedutil\n")
	w.reaches(governor1, "schedutil")
}

// fleetKeepsTheLastGood spec while the one in the repository has problems, and
// corrects by it.
func (w *world) fleetKeepsTheLastGood() {
	w.box("governor: perfromance\n")
	w.reaches(agentStatus, "the spec has problems")
	w.reaches("journalctl -o cat -u benchctl", boxFile+`:1:11: governor: "perfromance" is not a governor`)
	w.flip()
	w.reaches(governor1, "schedutil")
	w.box("governor: performance\n")
	w.reaches(governor1, "performance")
	w.reaches("systemctl show -P StatusText benchctl | grep -c problems || true", "0")
}

// fleetGoesOn while nobody answers for the repository.
func (w *world) fleetGoesOn() {
	w.hub.Fail(standin.Fault{Path: "/repos/octo/bench-hosts/contents/*", Mode: standin.Unavailable})
	w.hub.Fail(standin.Fault{Path: "/repos/octo/bench-hosts/contents/hosts/*", Mode: standin.CutOff})
	w.flip()
	w.reaches(governor1, "performance")
	w.reaches("journalctl -o cat -u benchctl", "cannot fetch the spec "+baseFile+": the server answered 503 Service Unavailable; open it in a browser to see what it says; the copy of 2")
	if r := w.benchctl(0, "diff"); !strings.Contains(r.Stderr, "note: cannot fetch the spec "+baseFile) {
		w.t.Errorf("diff said %q", r.Stderr)
	}
}

// fleetBeginsAnew from the copies, as after a boot without a network.
func (w *world) fleetBeginsAnew() {
	w.look("systemctl restart benchctl")
	w.flip()
	w.reaches(governor1, "performance")
	w.reaches(agentStatus, "in step")
}

// fleetLosesItsCopies, and has others fetched; the agent itself stays small.
func (w *world) fleetLosesItsCopies() {
	w.look("rm -r /var/lib/benchctl/sources && systemctl restart benchctl")
	w.reaches(agentStatus, "in step; next pass")
	if n := w.look("ls /var/lib/benchctl/sources | wc -l"); n != "2" {
		w.t.Errorf("%s copies", n)
	}
	w.asked()
	size := w.look("awk '/^VmRSS/ {print $2}' /proc/" + w.agentPID() + "/status")
	w.t.Logf("an agent without copies to begin with has %s KiB", size)
	if kib, err := strconv.Atoi(size); err != nil || kib > 20<<10 {
		w.t.Errorf("it has %s KiB, more than 20 MiB", size)
	}
}

// fleetIsLeft by an apply of a file on the host; without a schedule, no copy is
// left either.
func (w *world) fleetIsLeft() {
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	w.put("/root/mine.yaml", agentSpec("@every 24h"), 0o644)
	w.apply(0, "-f", "/root/mine.yaml")
	if is := w.look("cat /etc/benchctl/runner.yaml"); is != strings.TrimSpace(agentSpec("@every 24h")) {
		w.t.Errorf("the agent reads\n%s", is)
	}
	w.put("/root/mine.yaml", plainSpec, 0o644)
	w.apply(0, "-f", "/root/mine.yaml")
	if left := w.look("ls /var/lib/benchctl/sources /etc/systemd/system/benchctl* 2>/dev/null || true"); left != "" {
		w.t.Errorf("left behind: %q", left)
	}
}
