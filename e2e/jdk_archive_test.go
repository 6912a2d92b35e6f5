//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A JDK from a checksummed tar.gz: refused with another digest, found first by
// jobs with the right one, mended when somebody alters it.
func TestJDKFromAnArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	archive, err := standin.JDKArchive("21.0.8")
	if err != nil {
		t.Fatal(err)
	}
	const at = "/srv/jdk-21.tar.gz"
	w.put(at, string(archive.Data), 0o644)
	spec := func(sha256 string) string {
		return strings.Replace(plainSpec, "governor:", fmt.Sprintf("jdk: {version: \"21\", archive: %s, sha256: %s}\ngovernor:", at, sha256), 1)
	}

	w.spec(spec(strings.Repeat("0", 64)))
	if r := w.benchctl(1, "apply"); !strings.Contains(r.Stdout, "cannot use "+at) || !strings.Contains(r.Stdout, archive.SHA256) {
		t.Errorf("a wrong digest is not said:\n%s", r.Stdout)
	}
	if got := w.sh("ls -A /usr/lib/jvm 2>/dev/null || true"); got != "" {
		t.Errorf("a refused archive left %s", got)
	}

	w.spec(spec(archive.SHA256))
	w.benchctl(0, "apply")
	w.benchctl(0, "diff")
	job := w.runJob("java -version")
	if job.Result != "Succeeded" || !strings.Contains(job.Log, `version "21.0.8"`) {
		t.Errorf("the job ended %s and saw:\n%s", job.Result, job.Log)
	}

	w.sh("rm /usr/lib/jvm/benchctl-21/bin/java")
	if got := w.differs(t.Context()); len(got) != 1 || got[0] != "jdk /usr/lib/jvm/benchctl-21: no bin/java -> 21" {
		t.Errorf("diff says %q", got)
	}
	w.benchctl(0, "apply")
	w.benchctl(0, "diff")
}
