package resources

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
)

// stanza is a package as dpkg writes it: what is wanted here is buried.
func stanza(name, status, arch, version string) string {
	return fmt.Sprintf(`Package: %s
Status: %s
Priority: optional
Section: libs
Installed-Size: 36
Maintainer: Somebody <somebody@example.org>
Architecture: %s
Multi-Arch: same
Version: %s
Depends: libc6 (>= 2.34)
Conffiles:
 /etc/%[1]s.conf 0123456789abcdef0123456789abcdef
Description: a package
 Status: not a field, but part of the description
 .
 Version: neither.

`, name, status, arch, version)
}

// dpkg is the status file of a host with these packages installed and dpkg.
func dpkg(packages ...string) string {
	text := stanza("dpkg", "install ok installed", "amd64", "1.22.21")
	for _, p := range packages {
		text += stanza(p, "install ok installed", "amd64", "1.0-1")
	}
	return text
}

func TestDpkgStatus(t *testing.T) {
	t.Parallel()
	d := parseDpkgStatus([]byte(dpkg() +
		stanza("libssl3", "install ok installed", "i386", "3.0-i386") +
		stanza("libssl3", "install ok half-configured", "amd64", "3.0.15-1") +
		stanza("hello", "deinstall ok config-files", "amd64", "2.10-3") +
		stanza("torn", "install reinstreq half-installed", "amd64", "0.1") +
		stanza("git-man", "install ok installed", "all", "1:2.39.5-0+deb12u2")))
	for name, want := range map[string]string{
		"libssl3":      "3.0.15-1 half-configured",
		"libssl3:i386": "3.0-i386 installed",
		"hello":        "2.10-3 absent",
		"torn":         "0.1 half-installed, to be reinstalled",
		"git-man":      "1:2.39.5-0+deb12u2 installed",
		"unheard-of":   " absent",
	} {
		p := d.Package(name)
		if got := p.Version + " " + p.condition(); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	var broken []string
	for _, p := range d.Broken {
		broken = append(broken, p.Name)
	}
	if !slices.Equal(broken, []string{"libssl3", "torn"}) {
		t.Errorf("broken: %v, want libssl3 and torn", broken)
	}
}

func TestDpkgStatusOfNonsense(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n\n\n", "Package", "Package: ", "Status: install ok", strings.Repeat("a\n", 1000), "\x00\xff"} {
		if d := parseDpkgStatus([]byte(text)); len(d.packages) != 0 || len(d.Broken) != 0 {
			t.Errorf("%q became packages: %v", text, d.packages)
		}
	}
}

func TestDpkgStatusFollowsTheFile(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	var c dpkgCache
	if _, err := c.read(m); err == nil || !strings.Contains(err.Error(), "no "+dpkgStatusFile) {
		t.Errorf("without a status file: %v", err)
	}
	m.WriteFile(dpkgStatusFile, dpkg())
	before, err := c.read(m)
	if err != nil || before.Package("git").installed() {
		t.Fatalf("git is %v, %v", before.Package("git"), err)
	}
	if err := m.Replace(dpkgStatusFile, []byte(dpkg("git")), host.Perm{Mode: 0o644, UID: os.Getuid(), GID: os.Getgid()}); err != nil {
		t.Fatal(err)
	}
	after, err := c.read(m)
	if err != nil || !after.Package("git").installed() || after.Interrupted {
		t.Errorf("after dpkg replaced the file, git is %v, interrupted %v, %v", after.Package("git"), after.Interrupted, err)
	}
	m.WriteFile(dpkgUpdates+"/tmp.i", "")
	if d, _ := c.read(m); d.Interrupted {
		t.Error("dpkg's scratch file was taken for its journal")
	}
	m.WriteFile(dpkgUpdates+"/0003", "Package: git\n")
	if d, _ := c.read(m); !d.Interrupted {
		t.Error("dpkg's journal was overlooked")
	}
}

func BenchmarkDpkgStatus(b *testing.B) {
	var text strings.Builder
	for i := range 2000 { // a server with a desktop on it
		text.WriteString(stanza(fmt.Sprintf("package-%d", i), "install ok installed", "amd64", "1.0-1"))
		text.WriteString(strings.Repeat(" filler of a long description\n", 20))
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		parseDpkgStatus([]byte(text.String()))
	}
}
