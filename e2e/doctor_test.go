//go:build e2e

package e2e

import (
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// What a doctor says of a bare host and of one in step: it changes neither, asks
// GitHub whose jobs come here, and connects to where the runner has to.
func TestDoctor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	repo := standin.Repo("SKaiNET-developers/SKaiNET")
	w.hub.WriteFile(repo, ".github/workflows/engine-benchmarks.yml",
		"on: {workflow_dispatch: {}}\njobs: {engine: {runs-on: [self-hosted, linux, x86_64, skainet-bench-linux-x86]}}\n")
	w.hub.WriteFile(repo, ".github/workflows/pr.yml", "on: pull_request\njobs: {\"te\\e[31mst\": {runs-on: self-hosted}}\n")
	w.spec(plainSpec)
	before := w.tree()
	bare := w.benchctl(2, "doctor")
	if changed := before.Changed(w.tree()); len(changed) > 0 {
		t.Errorf("the doctor changed %q", changed)
	}
	w.says(bare,
		"ok       processor: Linux x86_64", "ok       release: Debian GNU/Linux 13 (trixie)", "ok       systemd: version *",
		"warning  repository: it is public*",
		"ok       job: job engine of .github/workflows/engine-benchmarks.yml reaches this runner on workflow_dispatch*",
		"warning  job: job te*31mst of .github/workflows/pr.yml reaches this runner on pull_request*",
		"ok       control plane: github.com: direct*", "ok       control plane: api.github.com: direct*",
		"error    containers: ghcr.io: DNS: ghcr.io has no address*", "*apart from GitHub's", "*a router with NAT needs nothing configured")
	w.benchctl(0, "apply")
	w.says(w.benchctl(2, "doctor"), "ok       packages: as the spec wants it, seen as the service sees it")
	w.says(w.benchctlAs(2, nil, "doctor", "--offline", "-o", "json"), `"schema": "benchctl/doctor/v1"*`)
}
