//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A version that cannot be had leaves the runner up, and one that can be had
// takes its place.
func TestANewVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.benchctl(0, "apply")
	invocation := w.unitState("InvocationID")

	const next = "2.337.0"
	w.publish("2.335.0")
	newer := strings.Replace(plainSpec, runnerPin, next, 1)
	for _, bad := range []struct{ what, spec string }{
		{"a version that there is not", newer},
		{"a wrong digest", strings.Replace(plainSpec, "version: \""+runnerPin, "sha256: "+strings.Repeat("0", 64)+"\n  version: \"2.335.0", 1)},
		{"a Java that there is not", strings.Replace(plainSpec, "governor:", "jdk: 99\ngovernor:", 1)},
	} {
		w.spec(bad.spec)
		w.benchctl(1, "apply", "--yes")
		if got := w.unitState("InvocationID"); got != invocation || w.unitState("ActiveState") != "active" {
			t.Errorf("%s stopped the service", bad.what)
		}
	}
	w.publish(next)
	w.spec(newer)
	w.benchctl(0, "apply", "--yes")
	w.benchctl(0, "diff")
	if got := strings.TrimSpace(w.sh("readlink /var/lib/gha-runner/actions-runner/bin")); got != "bin."+next {
		t.Errorf("bin leads to %s", got)
	}
	if !w.hub.Online(standin.Repo(repository), "bench7-bench") {
		t.Error("the new version is not online")
	}
	// The hooks are not the runner's to lose, and know the new revision.
	w.wantJob(w.job(""), "Succeeded", []string{"  in step      service    revision *"}, nil)
}

// publish makes a version of the runner and puts it on GitHub.
func (w *world) publish(version string) {
	w.t.Helper()
	path, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	archive, err := standin.RunnerArchive(standin.ArchiveOptions{Version: version, Binary: path, Dir: filepath.Join(os.TempDir(), "benchctl-e2e-packages")})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.hub.PublishRunner(version, archive); err != nil {
		w.t.Fatal(err)
	}
}
