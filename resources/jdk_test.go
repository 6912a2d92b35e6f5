package resources

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// putJava makes a directory a JDK of a version.
func putJava(m *hosttest.Machine, home, version string) {
	m.WriteFile(home+"/bin/java", "")
	m.WriteFile(home+"/release", "IMPLEMENTOR=\"Somebody\"\nJAVA_VERSION=\""+version+"\"\nJAVA_VERSION_DATE=\"2026-10-20\"\n")
}

var openjdk21 = []string{"openjdk-21-jdk-headless", "openjdk-21-jre-headless"}

func TestJDKOfTheDistribution(t *testing.T) {
	t.Parallel()
	home := "/usr/lib/jvm/java-21-openjdk-" + dpkgArch()
	for _, tt := range []struct {
		name      string
		installed []string
		java      string // version that lies there
		diff      string
	}{
		{"bare", nil, "", "openjdk-21-jdk-headless: absent -> installed; openjdk-21-jre-headless: absent -> installed"},
		{"runtime alone", openjdk21[1:], "21.0.5", "openjdk-21-jdk-headless: absent -> installed"},
		{"in step", openjdk21, "21.0.13", ""},
		{"another version there", openjdk21, "17.0.2", home + ": 17 -> 21"},
		{"files lost", openjdk21, "", home + ": no bin/java -> 21"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := debianHost(t, "debian", "13", tt.installed...)
			if tt.java != "" {
				putJava(m, home, tt.java)
			}
			changes, err := JDK{&spec.JDK{Version: "21", Vendor: "distribution"}, NewApt()}.Diff(t.Context(), m)
			if say(changes) != tt.diff || err != nil {
				t.Errorf("diff says %q, %v; want %q", say(changes), err, tt.diff)
			}
		})
	}
}

func TestJDKThatTheReleaseLacks(t *testing.T) {
	t.Parallel()
	j := JDK{&spec.JDK{Version: "21", Vendor: "distribution"}, NewApt()}
	m := debianHost(t, "debian", "12")
	changes, err := j.Diff(t.Context(), m)
	want := "cannot install Java 21 from Debian 12, which has 17; take Eclipse's build: jdk: {version: 21, vendor: temurin}"
	if len(changes) > 0 || err == nil || err.Error() != want {
		t.Errorf("diff says %q, %v", say(changes), err)
	}
	if err := j.Apply(t.Context(), m); err == nil || err.Error() != want || len(m.Ran) > 0 {
		t.Errorf("apply ran %q and says %v", m.Ran, err)
	}
	for _, version := range []string{"22.04", "24.04", "26.04"} { // apt knows better
		m := debianHost(t, "ubuntu", version)
		if changes, err := j.Diff(t.Context(), m); len(changes) != 2 || err != nil {
			t.Errorf("Ubuntu %s: %q, %v", version, say(changes), err)
		}
	}
}

func TestJavaHome(t *testing.T) {
	t.Parallel()
	arch := dpkgArch()
	m := hosttest.New(t, "")
	m.WriteFile(dpkgInfo+"/zulu21-jdk.list", "/.\n/usr/bin/javac\n/usr/lib/jvm/zulu21/bin/java\n/usr/lib/jvm/zulu21/bin/javac\n")
	m.WriteFile(dpkgInfo+"/openjdk-17-jdk-headless:"+arch+".list", "/.\n/opt/java17/bin/javac\n")
	repository := func(name string) *spec.AptRepository { return &spec.AptRepository{Package: name} }
	for _, tt := range []struct {
		jdk  spec.JDK
		want string
	}{
		{spec.JDK{Version: "21", Archive: "/srv/jdk.tar.gz"}, "/usr/lib/jvm/benchctl-21"},
		{spec.JDK{Version: "21", Vendor: "distribution"}, "/usr/lib/jvm/java-21-openjdk-" + arch},
		{spec.JDK{Version: "17", Vendor: "distribution"}, "/opt/java17"},
		{spec.JDK{Version: "21", Vendor: "temurin", Repository: repository("")}, "/usr/lib/jvm/temurin-21-jdk-" + arch},
		{spec.JDK{Version: "21", Repository: repository("zulu21-jdk")}, "/usr/lib/jvm/zulu21"},
		{spec.JDK{Version: "21", Repository: repository("corretto-jdk")}, ""},
	} {
		home, err := jdkHome(m, &tt.jdk)
		if home != tt.want || (err != nil) != (tt.want == "") || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: %q, %v; want %q", tt.jdk, home, err, tt.want)
		}
	}
	for version, major := range map[string]string{"21": "21", "21.0.5": "21", "1.8.0_432": "8", "25-ea": "25", "17.0.9+9": "17"} {
		if got := javaMajor(version); got != major {
			t.Errorf("%s is Java %s, want %s", version, got, major)
		}
	}
}

// temurin is a JDK from a repository whose key lies in a file.
func temurin(t *testing.T, m *hosttest.Machine) JDK {
	t.Helper()
	m.WriteFile("/etc/apt/sources.list.d/", "")
	m.WriteFile("/srv/key.asc", string(armouredKey(t)))
	return JDK{&spec.JDK{Version: "21", Vendor: "temurin", Repository: &spec.AptRepository{
		URL: "https://packages.example/deb", Key: "/srv/key.asc", Fingerprint: testKey,
	}}, NewApt()}
}

func TestRepositoryIsWrittenWithItsKeyPinned(t *testing.T) {
	t.Parallel()
	m := debianHost(t, "ubuntu", "24.04")
	j := temurin(t, m)
	home := "/usr/lib/jvm/temurin-21-jdk-" + dpkgArch()
	m.OnRun = func(cmd host.Command) (host.Output, error) {
		if slices.Contains(cmd.Argv, "--no-remove") && slices.Contains(cmd.Argv, "temurin-21-jdk") {
			m.WriteFile(dpkgStatusFile, dpkg("temurin-21-jdk"))
			putJava(m, home, "21.0.5")
		}
		return host.Output{}, nil
	}
	changes, err := j.Diff(t.Context(), m)
	want := "repository: absent -> https://packages.example/deb; key: absent -> " + testKey + "; temurin-21-jdk: absent -> installed"
	if say(changes) != want || err != nil {
		t.Fatalf("diff says %q, %v", say(changes), err)
	}
	if err := j.Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(verbs(m), " "); got != "update simulate install" {
		t.Errorf("apt was asked to %q", got)
	}
	text := m.Text(jdkSources)
	for _, line := range []string{"URIs: https://packages.example/deb\n", "Suites: codename\n", "Components: main\n", "Signed-By: " + jdkKeyring + " " + testKey + "\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("no line %q in:\n%s", line, text)
		}
	}
	if changes, err := j.Diff(t.Context(), m); len(changes) > 0 || err != nil {
		t.Errorf("after apply: %q, %v", say(changes), err)
	}
	m.WriteFile(jdkSources, strings.Replace(text, testKey, "", 1))
	if changes, _ := j.Diff(t.Context(), m); !strings.Contains(say(changes), "altered in "+jdkSources) {
		t.Errorf("a pin taken away: %q", say(changes))
	}

	plain := JDK{&spec.JDK{Version: "21", Vendor: "distribution"}, j.apt}
	changes, err = plain.Diff(t.Context(), m)
	if !strings.HasPrefix(say(changes), "repository: https://packages.example/deb -> none") || err != nil {
		t.Errorf("without the repository: %q, %v", say(changes), err)
	}
	if err := dropRepository(m); err != nil || m.Text(jdkSources) != "" || m.Text(jdkKeyring) != "" {
		t.Errorf("the repository is still there (%v)", err)
	}
}

func TestKeyWithAnotherFingerprintIsNotWritten(t *testing.T) {
	t.Parallel()
	m := debianHost(t, "debian", "12")
	j := temurin(t, m)
	j.jdk.Repository.Fingerprint = strings.Repeat("A", 40)
	err := j.Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "its fingerprint is "+testKey+" and not AAAA") {
		t.Errorf("error %v", err)
	}
	if m.Text(jdkSources)+m.Text(jdkKeyring) != "" || len(m.Ran) > 0 {
		t.Errorf("something was written or run: %v", m.Writes)
	}
}

func TestRepositoryThatAptRefusesIsTakenBack(t *testing.T) {
	t.Parallel()
	m := debianHost(t, "debian", "12")
	j := temurin(t, m)
	m.OnRun = script{" update": {"E: The repository 'https://packages.example/deb bookworm InRelease' is not signed."}}.run
	err := j.Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "is not signed") || m.Text(jdkSources) != "" {
		t.Errorf("error %v, sources %q", err, m.Text(jdkSources))
	}
}

// jdkTar is a tar.gz as vendors make them, of a Java version.
func jdkTar(t *testing.T, version string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range map[string]string{"jdk-x/bin/java": "#!/bin/sh\n", "jdk-x/release": "JAVA_VERSION=\"" + version + "\"\n"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestJDKFromAnArchive(t *testing.T) {
	t.Parallel()
	needRootForOwners(t)
	m := hosttest.New(t, "")
	first, second := jdkTar(t, "21.0.5"), jdkTar(t, "21.0.6")
	m.WriteFile("/srv/jdk.tar.gz", first)
	j := jdkArchive{&spec.JDK{Version: "21", Archive: "/srv/jdk.tar.gz"}, NewApt()}

	err := j.Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "\n    sha256: "+hexDigest([]byte(first))) {
		t.Errorf("an archive that nobody vouches for: %v", err)
	}
	j.jdk.SHA256 = hexDigest([]byte(second))
	if err := j.Apply(t.Context(), m); err == nil || !strings.Contains(err.Error(), hexDigest([]byte(first))) {
		t.Errorf("another archive: %v", err)
	}
	if names, _ := m.ReadDir("/usr/lib/jvm"); len(names) > 0 {
		t.Errorf("refused archives left %q", names)
	}

	j.jdk.SHA256 = hexDigest([]byte(first))
	settle := func() {
		t.Helper()
		if err := j.Apply(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if changes, err := j.Diff(t.Context(), m); len(changes) > 0 || err != nil {
			t.Errorf("after apply: %q, %v", say(changes), err)
		}
		if names, _ := m.ReadDir("/usr/lib/jvm"); strings.Join(names, " ") != "benchctl-21" {
			t.Errorf("/usr/lib/jvm has %q", names)
		}
	}
	settle()
	m.WriteFile("/srv/jdk.tar.gz", second)
	j.jdk.SHA256 = hexDigest([]byte(second))
	if changes, _ := j.Diff(t.Context(), m); !strings.HasPrefix(say(changes), "sha256: "+hexDigest([]byte(first))) {
		t.Errorf("another archive wanted: %q", say(changes))
	}
	settle()
	if err := os.Remove(m.Path("/usr/lib/jvm/benchctl-21/bin/java")); err != nil {
		t.Fatal(err)
	}
	if changes, _ := j.Diff(t.Context(), m); say(changes) != "/usr/lib/jvm/benchctl-21: no bin/java -> 21" {
		t.Errorf("files lost: %q", say(changes))
	}
	settle()

	j.jdk.Version = "17"
	if err := j.Apply(t.Context(), m); err == nil || !strings.Contains(err.Error(), "holds Java 21; check jdk.archive and jdk.version") {
		t.Errorf("an archive of another version: %v", err)
	}
}

func TestDigestAcceptedOnceIsHeldTo(t *testing.T) {
	t.Parallel()
	needRootForOwners(t)
	m := hosttest.New(t, "")
	first := jdkTar(t, "21.0.5")
	m.WriteFile("/srv/jdk.tar.gz", first)
	apt := NewApt()
	apt.Trust = true
	j := jdkArchive{&spec.JDK{Version: "21", Archive: "/srv/jdk.tar.gz"}, apt}
	if err := j.Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if want := hexDigest([]byte(first)) + "  /srv/jdk.tar.gz\n"; m.Text(trustFile) != want {
		t.Errorf("recorded %q, want %q", m.Text(trustFile), want)
	}
	m.WriteFile("/srv/jdk.tar.gz", jdkTar(t, "21.0.6"))
	if err := j.Apply(t.Context(), m); err == nil || !strings.Contains(err.Error(), "and not "+hexDigest([]byte(first))) {
		t.Errorf("another file at the same place: %v", err)
	}
}

// needRootForOwners skips a test whose files have to become root's.
func needRootForOwners(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can give files to root")
	}
}
