//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

// On a terminal, what stops the service is shown and asked for once; a "no"
// changes nothing. Without a terminal nothing is ever asked.
func TestAskOnATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.benchctl(0, "apply")
	w.sh("echo /usr/bin >/var/lib/gha-runner/actions-runner/.path")
	// script(1) gives its command a terminal.
	ask := func(answer string) string {
		return w.sh("echo " + answer + " | GITHUB_TOKEN=" + apiToken + " script -qec '/usr/local/bin/benchctl apply --no-color' /dev/null || true")
	}
	if said := ask("n"); !strings.Contains(said, "Go on? [y/N]") || !strings.Contains(said, "nothing was changed") {
		t.Errorf("the question, or the answer to a no, is missing:\n%s", said)
	}
	w.benchctl(2, "diff")
	if said := ask("y"); !strings.Contains(said, "stops the runner's service for a while") {
		t.Errorf("the reason is missing:\n%s", said)
	} else if n := strings.Count(said, "  .path  "); n != 1 {
		t.Errorf("what was agreed to is shown %d times:\n%s", n, said)
	} else {
		t.Logf("%s", said)
	}
	w.benchctl(0, "diff")
}
