//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

// An apply of some kinds alone leaves a running service running, as it should
// then be, and one that is down, down.
func TestOnlySomeKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian12)
	const unit = "actions.runner.SKaiNET-developers-SKaiNET.bench7-bench.service"
	with := func(value string) string {
		return strings.Replace(plainSpec, "  version:", "  env: {MARK: "+value+"}\n  version:", 1)
	}
	w.spec(with("one"))
	w.benchctl(0, "apply")

	w.spec(with("two"))
	said := w.benchctl(0, "apply", "--only", "env").Stdout
	if !strings.Contains(said, "MARK  one -> two") || !strings.Contains(said, "service") {
		t.Errorf("it said %q", said)
	}
	w.benchctl(0, "diff", "--only", "env,service")

	w.run("systemctl", "stop", unit)
	w.spec(with("three"))
	w.benchctl(0, "apply", "--only", "env")
	if state := strings.TrimSpace(w.run("systemctl", "show", "-P", "ActiveState", unit)); state != "inactive" {
		t.Errorf("the service is %s", state)
	}
	w.benchctl(0, "apply")

	// What no selection allows: a second runner, whose pass would know nothing
	// of the jobs of the first.
	w.put("/root/two.yaml", strings.NewReplacer("gha-runner", "gha-two", "  version:", "  name: two\n  version:").Replace(plainSpec), 0o644)
	for _, verb := range []string{"diff", "apply"} {
		if r := w.benchctl(1, verb, "-f", "/root/two.yaml"); !strings.Contains(r.Stderr, "benchctl looks after another one on this host") {
			t.Errorf("%s said %q", verb, r.Stderr)
		}
	}
	w.benchctl(0, "diff")

	// Giving knobs back takes no credentials, so none that are missing are in
	// the way.
	w.spec(plainSpec + "github: {tokenFile: /etc/benchctl/none}\n")
	if r := w.benchctlAs(1, nil, "diff"); !strings.Contains(r.Stderr, "/etc/benchctl/none") {
		t.Errorf("diff said %q", r.Stderr)
	}
	if r := w.benchctlAs(0, nil, "revert"); !strings.Contains(r.Stdout, "performance -> powersave") {
		t.Errorf("revert said %q", r.Stdout)
	}
}
