//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

const plainSpec = `version: 1
user: gha-runner
runner:
  url: https://github.com/` + repository + `
  version: "` + runnerPin + `"
  labels: [self-hosted, linux, x86_64, skainet-bench-linux-x86]
governor: performance
`

func TestPlainOnDebian13(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13)
	w.spec(plainSpec)
	t.Log(w.benchctl(2, "diff").Stdout)
	r := w.benchctl(0, "apply")
	t.Log(r.Stdout + r.Stderr)
	t.Log(w.benchctl(0, "diff", "-v").Stdout)
	if r := w.benchctl(0, "apply"); strings.Contains(r.Stdout, "->") {
		t.Errorf("the second apply changed something:\n%s", r.Stdout)
	}
	if !w.hub.Online(standin.Repo(repository), "bench7-bench") {
		t.Error("the runner is not online")
	}
}
