//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A runner moves through every kind of place that it can belong to, each with
// another kind of credential. Every move is a registration of its own, and at
// its end the runner listens at the new place.
func TestEveryPlaceAndCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	app, _ := w.app()
	api := []string{"GITHUB_TOKEN=" + apiToken}
	file := "github: {tokenFile: /etc/benchctl/token}\n"
	for _, place := range []struct {
		url, more string
		env       []string
		scope     standin.Scope
	}{
		{"https://github.com/octo/bench", "", api, standin.Repo("octo/bench")},
		{"https://github.com/octo", app, nil, standin.Org("octo")},
		{"https://github.com/enterprises/octo-corp", file, nil, standin.Enterprise("octo-corp")},
		{"https://ghes.example/team/bench", "", api, standin.Repo("team/bench")},
		{"https://ghes.example/team", file, nil, standin.Org("team")},
	} {
		t.Log(place.url)
		w.spec("version: 1\nuser: gha-runner\nrunner:\n  url: " + place.url + "\n  version: \"" + runnerPin +
			"\"\n  labels: [self-hosted, Bench]\n" + place.more)
		w.benchctlAs(0, place.env, "apply", "--yes")
		w.benchctlAs(0, place.env, "diff")
		runner, ok := w.hub.Runner(place.scope, "bench7-bench")
		if !ok || !w.hub.Online(place.scope, "bench7-bench") {
			t.Fatalf("the runner is not online at %s", place.url)
		}
		w.hub.SetLabels(runner.ID, "other")
		if got := w.benchctlAs(2, place.env, "diff").Stdout; !strings.Contains(got, "labels") {
			t.Errorf("a changed label at %s is no difference:\n%s", place.url, got)
		}
		w.benchctlAs(0, place.env, "apply", "--yes")
		if again, _ := w.hub.Runner(place.scope, "bench7-bench"); again.ID != runner.ID {
			t.Errorf("a label was set by registering anew at %s", place.url)
		}
	}
	units := w.sh("ls /etc/systemd/system | grep -c actions.runner || true")
	if strings.TrimSpace(units) != "1" {
		t.Errorf("%s units are left after the moves", strings.TrimSpace(units))
	}
}
