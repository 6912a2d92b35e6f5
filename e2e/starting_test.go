//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A runner that has still to reach GitHub is waited for, not held on its way there
// and then started anew because it does not listen.
func TestApplyBesideAStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.benchctl(0, "apply")
	for _, args := range [][]string{nil, {"--wait"}} {
		slow := w.hub.Fail(standin.Fault{Path: "/_services/session", Mode: standin.Slow, Delay: 5 * time.Second})
		w.look("systemctl restart " + runnerUnit)
		life := w.look("systemctl show -P InvocationID " + runnerUnit)
		if r := w.apply(0, args...); len(changed(r)) > 0 {
			t.Errorf("apply %q changed %q", args, linesOf(r))
		}
		if now := w.look("systemctl show -P InvocationID " + runnerUnit); now != life {
			t.Errorf("apply %q started the runner anew", args)
		}
		slow.Remove()
	}
}
