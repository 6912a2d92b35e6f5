//go:build e2e

package e2e

import (
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

// rehearsed runs a rehearsal as an operator does: on a host that systemd has
// booted, in step, with its runner listening. The host notices nothing.
func (g *guest) rehearsed() {
	unit := g.sh("basename /etc/systemd/system/actions.runner.*.service")
	state := "systemctl show -p InvocationID -p ActiveState " + unit + "; cat " + governors + "policy*/scaling_governor; mount | wc -l; ls -R /tmp | wc -l"
	state += "; ls -d /run/benchctl* /var/tmp/benchctl* || true"
	before := g.sh(state)
	r, err := g.Do(g.t.Context(), lab.Command{Argv: []string{"/usr/local/bin/benchctl", "rehearse"}})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, said := range []string{"COPIED: the frequency policies", "acpi-cpufreq", "Everything went as it should.", "this machine is as it was"} {
		if !strings.Contains(r.Stdout, said) {
			g.t.Errorf("the rehearsal does not say %q", said)
		}
	}
	if r.Status != 0 || g.t.Failed() {
		g.t.Fatalf("the rehearsal ended with %d\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
	if after := g.sh(state); after != before {
		g.t.Errorf("the host noticed:\n%s\nbefore:\n%s", after, before)
	}
}
