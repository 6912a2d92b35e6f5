//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

const debFile = "/root/benchctl.deb"

// TestPackage takes a host from our Debian package and a runner.yaml to a runner
// that listens, without a verb, and back.
func TestPackage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t), networked)
	w.look("rm /usr/local/bin/benchctl")
	w.put(debFile, buildPackage(t), 0o644)
	w.sh("dpkg -i " + debFile)
	w.wantLines([][2]string{
		{"systemctl is-enabled benchctl benchctl-apply || true", "disabled\nstatic"},
		{"systemctl is-active benchctl || true", "inactive"},
		{"systemd-analyze verify benchctl.service benchctl-apply.service benchctl-relay.socket 2>&1 | grep benchctl || true", ""},
		{"zcat /usr/share/man/man1/benchctl-apply.1.gz | grep -c '^.SH SYNOPSIS'", "1"},
		{"grep -l benchctl /usr/share/bash-completion/completions/benchctl", "/usr/share/bash-completion/completions/benchctl"},
		{"benchctl validate -f /usr/share/doc/benchctl/examples/minimal.yaml >/dev/null && echo valid", "valid"},
	})
	w.packagedAgentBegins()
	w.packageIsUpgraded()
	w.packageGoes()
}

// buildPackage is what one command makes of the source.
func buildPackage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("../scripts/deb", dir).CombinedOutput(); err != nil {
		t.Fatalf("scripts/deb: %v\n%s", err, out)
	}
	found, err := filepath.Glob(dir + "/benchctl_*_amd64.deb")
	if err != nil || len(found) != 1 {
		t.Fatal(err, found)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantLines holds lines of shell to what they print.
func (w *world) wantLines(lines [][2]string) {
	w.t.Helper()
	for _, is := range lines {
		if got := w.look(is[0]); got != is[1] {
			w.t.Errorf("%s: %q, want %q", is[0], got, is[1])
		}
	}
}

// packagedAgentBegins with a spec that somebody put there, and sets the host up.
func (w *world) packagedAgentBegins() {
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	w.put("/etc/benchctl/runner.yaml", agentSpec("@every 24h"), 0o644)
	w.look("systemctl enable --now benchctl")
	if err := w.hub.WaitOnline(w.t.Context(), standin.Repo(repository), runnerName); err != nil {
		w.t.Fatal(err)
	}
	w.reaches("systemctl show -P FragmentPath benchctl", "/etc/systemd/system/benchctl.service")
	w.reaches(agentStatus, "in step; next pass")
	w.wantLines([][2]string{
		{"benchctl diff >/dev/null && echo in step", "in step"},
		{"systemctl is-enabled benchctl", "enabled"},
		{"sed -n 's/^ExecStart=//p' /etc/systemd/system/benchctl.service", "/usr/bin/benchctl agent -f /etc/benchctl/runner.yaml"},
		{"ls /usr/local/bin", ""},
	})
}

// packageIsUpgraded, upon which the agent gives way and the runner goes on.
func (w *world) packageIsUpgraded() {
	runner, agent := w.look("systemctl show -P InvocationID "+runnerUnit), w.agentPID()
	w.sh("dpkg -i " + debFile)
	w.another(agent)
	w.reaches(agentStatus, "in step; next pass")
	if now := w.look("systemctl show -P InvocationID " + runnerUnit); now != runner {
		w.t.Error("the runner was restarted")
	}
}

// packageGoes when nothing needs it any more.
func (w *world) packageGoes() {
	r, err := w.host.Look(w.t.Context(), "dpkg", "-r", "benchctl")
	if err != nil || r.Status == 0 || !strings.Contains(r.Stderr, "run `benchctl remove` first") {
		w.t.Errorf("with a runner on the host: %v, %+v", err, r)
	}
	w.sh("benchctl remove --purge --yes")
	w.wantLines([][2]string{
		{"dpkg -V benchctl", ""},
		{"systemctl is-enabled benchctl || true", "disabled"},
		{"systemctl is-active benchctl benchctl-relay.socket || true", "inactive\ninactive"},
	})
	w.sh("dpkg -P benchctl")
	w.wantLines([][2]string{
		{"systemctl show -P LoadState benchctl", "not-found"},
		{"find / -xdev -path /proc -prune -o -name '*benchctl*' -print | grep -v -e ^/root -e ^/run -e ^/tmp -e lab.crt$", "/etc/benchctl"}, // the operator's token

	})
}
