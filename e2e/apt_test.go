//go:build e2e

package e2e

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// The kinds that apt serves, and the user whose settings PTS has.
const (
	aptOnly = "--only=user,packages,jdk,pts"
	jdkOnly = "--only=user,packages,jdk"
	ptsOnly = "--only=user,packages,pts"
)

// suites are the code names that the stand-in of Adoptium's repository has.
var suites = []string{"bookworm", "trixie", "jammy", "noble"}

// adoptium mounts a repository with Java 21 where Adoptium's lies.
func (w *world) adoptium() *standin.AptRepository {
	w.t.Helper()
	r, err := standin.Adoptium(runtime.GOARCH, suites, standin.DebTemurin("21", "21.0.8", runtime.GOARCH))
	if err != nil {
		w.t.Fatal(err)
	}
	w.hub.Mount(standin.HostAdoptium, r)
	return r
}

// pts publishes the suite and returns its digest.
func (w *world) pts(version string) string {
	w.t.Helper()
	asset, err := w.hub.PublishPTS(version)
	if err != nil {
		w.t.Fatal(err)
	}
	return asset.SHA256
}

// aptSpec is a spec with these lines for the JDK and PTS.
func aptSpec(lines ...string) string {
	return strings.Replace(plainSpec, "governor: performance\n", strings.Join(lines, "\n")+"\n", 1)
}

func temurin(fingerprint string) string {
	return fmt.Sprintf("jdk: {version: 21, vendor: temurin, repository: {fingerprint: %q}}", fingerprint)
}

func ptsLine(version, sha256 string) string {
	return fmt.Sprintf("pts: {version: %q, sha256: %q}", version, sha256)
}

// aptInStep wants nothing to differ in what apt serves.
func (w *world) aptInStep(only string) { w.t.Helper(); w.benchctl(0, "diff", only) }

// mends breaks the host with a line of shell, wants diff to name just these
// changes, and apply to mend them.
func (w *world) mends(line string, want ...string) {
	w.t.Helper()
	w.sh(line)
	if got := w.differs(w.t.Context()); !slices.Equal(aptLines(got), want) {
		w.t.Errorf("after %q diff finds %q, want %q", line, aptLines(got), want)
	}
	w.benchctl(0, "apply", aptOnly, "--yes")
	w.aptInStep(aptOnly)
}

// aptLines are the lines of diff about what apt serves.
func aptLines(all []string) (lines []string) {
	for _, line := range all {
		kind, _, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"packages", "jdk", "pts"}, kind) {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestPackagesTemurinAndPTS(t *testing.T) {
	for _, release := range lab.Releases() {
		t.Run(release.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, release)
			repository, digest := w.adoptium(), w.pts("10.8.6")
			w.spec(aptSpec(temurin(repository.Fingerprint), ptsLine("10.8.6", digest)))
			w.benchctl(2, "diff", aptOnly)
			w.benchctl(0, "apply", aptOnly, "--yes")
			w.aptInStep(aptOnly)
			if second := w.benchctl(0, "apply", aptOnly, "--yes"); strings.Contains(second.Stdout, "->") {
				t.Errorf("the second apply changed something:\n%s", second.Stdout)
			}
			home := "/usr/lib/jvm/temurin-21-jdk-" + runtime.GOARCH
			if said := w.sh(home + "/bin/java -version 2>&1"); !strings.Contains(said, `"21.0.8"`) {
				t.Errorf("java -version says %q", said)
			}

			// PTS itself lays its file out anew, and that is no drift.
			settings := "/var/lib/gha-runner/.phoronix-test-suite/user-config.xml"
			before := w.sh("cat " + settings)
			w.sh("runuser -u gha-runner -- env HOME=/var/lib/gha-runner phoronix-test-suite version")
			if w.sh("cat "+settings) == before {
				t.Error("the suite left its file alone, which proves nothing")
			}
			w.aptInStep(aptOnly)

			w.mends("sed -i 's,<UploadResults>FALSE,<UploadResults>TRUE,' "+settings, "pts BatchMode/UploadResults: TRUE -> FALSE")
			w.mends("rm "+home+"/bin/java", "jdk "+home+": no bin/java -> 21")
			w.mends("DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge phoronix-test-suite", "pts version: absent -> 10.8.6")
			w.put("/root/torn.deb", torn(t), 0o644)
			w.mends("dpkg --unpack /root/torn.deb", "packages torn: unpacked -> installed")
			w.mends("rm /etc/apt/keyrings/benchctl-jdk.gpg", "jdk key: absent -> "+repository.Fingerprint)
		})
	}
}

// torn is a package to be left half-way, slow one that holds dpkg's lock.
func torn(t *testing.T) string { return scripted(t, "torn", "true") }
func slow(t *testing.T) string { return scripted(t, "slow", "touch /run/slow; sleep 8") }

// scripted is a package that runs a line of shell when it is configured.
func scripted(t *testing.T, name, line string) string {
	t.Helper()
	data, err := standin.Deb{Name: name, Version: "1.0", Arch: "all", Description: "for a test",
		Scripts: map[string]string{"postinst": "#!/bin/sh\n" + line + "\n"}}.Build()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestJDKOfEachRelease(t *testing.T) {
	for _, release := range lab.Releases() {
		t.Run(release.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, release)
			w.spec(aptSpec("jdk: 21"))
			if release.Name == lab.Debian12.Name {
				r := w.benchctl(1, "diff", jdkOnly)
				if want := "cannot install Java 21 from Debian 12, which has 17; take Eclipse's build: jdk: {version: 21, vendor: temurin}"; !strings.Contains(r.Stdout+r.Stderr, want) {
					t.Errorf("diff says\n%s%s", r.Stdout, r.Stderr)
				}
				return
			}
			w.benchctl(0, "apply", jdkOnly, "--yes")
			w.aptInStep(jdkOnly)
			said := w.sh("/usr/lib/jvm/java-21-openjdk-" + runtime.GOARCH + "/bin/java -version 2>&1")
			if !strings.Contains(said, `openjdk version "21.`) {
				t.Errorf("java -version says %q", said)
			}
		})
	}
}

// A repository signed by another key is refused by apt itself: the key that is
// fetched has the fingerprint that the spec gives, and did not sign.
func TestAptRefusesAnotherKey(t *testing.T) {
	for _, release := range lab.Releases() {
		t.Run(release.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, release)
			w.adoptium()
			other, err := standin.Adoptium(runtime.GOARCH, suites)
			if err != nil {
				t.Fatal(err)
			}
			w.put("/root/other.asc", string(other.Key), 0o644)
			w.spec(aptSpec(fmt.Sprintf("jdk: {version: 21, vendor: temurin, repository: {key: /root/other.asc, fingerprint: %q}}", other.Fingerprint)))
			r := w.benchctl(1, "apply", jdkOnly, "--yes")
			if !strings.Contains(r.Stdout+r.Stderr, "a repository is not signed by the key that was pinned for it") {
				t.Errorf("apply says\n%s%s", r.Stdout, r.Stderr)
			}
			w.sh("! test -e /etc/apt/sources.list.d/benchctl-jdk.sources && ! test -e /usr/lib/jvm/temurin-21-jdk-" + runtime.GOARCH)
			w.sh("apt-get -qq update")
		})
	}
}

// Without a digest nothing is installed, and the line to paste is printed; the
// lock of another package manager is waited for.
func TestPTSDigestAndLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian12)
	digest := w.pts("10.8.6")
	w.spec(aptSpec(`pts: "10.8.6"`))
	r := w.benchctl(1, "apply", ptsOnly, "--yes")
	if !strings.Contains(r.Stdout+r.Stderr, "sha256: "+digest) {
		t.Errorf("apply says\n%s%s", r.Stdout, r.Stderr)
	}
	w.sh("! dpkg -s phoronix-test-suite")
	w.spec(aptSpec(ptsLine("10.8.6", strings.Repeat("1", 64))))
	r = w.benchctl(1, "apply", ptsOnly, "--yes")
	if !strings.Contains(r.Stdout+r.Stderr, digest+" and not 1111") {
		t.Errorf("apply says\n%s%s", r.Stdout, r.Stderr)
	}
	w.spec(aptSpec(`pts: "10.8.6"`))
	w.put("/root/slow.deb", slow(t), 0o644)
	w.sh("dpkg -r git; systemd-run -q --collect dpkg -i /root/slow.deb; for i in $(seq 100); do test -e /run/slow && exit; sleep 0.1; done; exit 1")
	r = w.benchctl(0, "apply", ptsOnly, "--yes", "--trust-on-first-use")
	if !strings.Contains(r.Stdout+r.Stderr, "waiting for dpkg (pid ") {
		t.Errorf("apply does not say for whom it waits\n%s%s", r.Stdout, r.Stderr)
	}
	w.aptInStep(ptsOnly)
	if got := w.sh("cat /var/lib/benchctl/trusted"); !strings.HasPrefix(got, digest+"  https://github.com/") {
		t.Errorf("recorded %q", got)
	}
}
