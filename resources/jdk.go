package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A JDK is the Java that jobs find first on their PATH, from packages.
// [jdkArchive] is one from a tar.gz.
type JDK struct {
	jdk *spec.JDK
	apt *Apt
}

var (
	_ reconcile.Resource  = JDK{}
	_ reconcile.Dependent = JDK{}
)

// jdkID names the kind, wherever the JDK comes from.
var jdkID = reconcile.ID{Kind: "jdk"}

// jdkReleases are the major versions that a release's own archive has. Debian's
// list is closed; Ubuntu brings new ones to old releases, so that apt has the
// last word on what is not here.
var jdkReleases = map[string][]string{
	"debian 12": {"17"},
	"debian 13": {"21", "25"},
}

// jdkOf lowers the spec's JDK. Without one, what an earlier spec left of its
// repository goes; the packages stay.
func jdkOf(s *spec.Spec, apt *Apt) []reconcile.Resource {
	switch {
	case s.JDK == nil:
		return []reconcile.Resource{noJDK{}}
	case s.JDK.Archive != "":
		return []reconcile.Resource{jdkArchive{s.JDK, apt}}
	}
	return []reconcile.Resource{JDK{s.JDK, apt}}
}

// ID names the kind.
func (JDK) ID() reconcile.ID { return jdkID }

// Needs lists what has to be there first: packages mends a dpkg that stopped
// half-way, and brings the certificates that a repository on https takes.
func (JDK) Needs() []string { return []string{"packages"} }

// Diff compares the repository, the packages, and the Java that they left.
func (j JDK) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	d, err := j.apt.dpkg.read(r)
	if err != nil {
		return nil, err
	}
	changes, err := j.repository().diff(r)
	if err != nil {
		return nil, err
	}
	absent := false
	for _, name := range jdkPackages(j.jdk) {
		if p := d.Package(name); !p.installed() {
			changes = append(changes, packageChange(name, p.condition(), "installed"))
			absent = true
		}
	}
	if absent {
		if err := j.offered(r); err != nil {
			return nil, err
		}
		return changes, nil
	}
	home, err := jdkHome(r, j.jdk)
	if err != nil {
		return changes, err
	}
	if have := javaCondition(r, home); have != j.jdk.Version {
		changes = append(changes, packageChange(home, have, j.jdk.Version))
	}
	return changes, nil
}

// Apply brings in the repository, then the packages; those that are there and
// lost files are unpacked anew.
func (j JDK) Apply(ctx context.Context, h host.Host) error {
	if err := j.apt.settle(ctx, h); err != nil {
		return err
	}
	d, err := j.apt.dpkg.read(h)
	if err != nil {
		return err
	}
	if err := j.offered(h); err != nil {
		return err
	}
	moved, err := j.repository().diff(h)
	if err != nil {
		return err
	}
	if len(moved) > 0 {
		if err := j.moveTo(ctx, h); err != nil {
			return err
		}
	}
	return j.install(ctx, h, d)
}

func (j JDK) moveTo(ctx context.Context, h host.Host) error {
	if repository := j.repository(); repository != nil {
		return repository.add(ctx, h, j.apt)
	}
	return dropRepository(h)
}

// Prepare refuses an install that would change other packages. What a new
// repository has, only Apply learns.
func (j JDK) Prepare(ctx context.Context, h host.Host) error {
	if err := j.offered(h); err != nil {
		return err
	}
	if moved, err := j.repository().diff(h); err != nil || len(moved) > 0 {
		return err
	}
	names := jdkPackages(j.jdk)
	return j.elsewhere(j.apt.foresee(ctx, h, aptInstall{args: names, own: names}))
}

func (j JDK) install(ctx context.Context, h host.Host, d *dpkgState) error {
	names := jdkPackages(j.jdk)
	want := aptInstall{args: names, own: names}
	all := true
	for _, name := range names {
		all = all && d.Package(name).installed()
	}
	if all {
		home, err := jdkHome(h, j.jdk)
		if err == nil && javaCondition(h, home) == j.jdk.Version {
			return nil
		}
		want.reinstall = true
	}
	return j.elsewhere(j.apt.install(ctx, h, want))
}

// elsewhere adds where else that Java is to be had, when apt does not know it.
func (j JDK) elsewhere(err error) error {
	if staleLists(err) && j.jdk.Repository == nil {
		return fmt.Errorf("%w; or take Java %s from Eclipse: jdk: {version: %s, vendor: temurin}", err, j.jdk.Version, j.jdk.Version)
	}
	return err
}

func (j JDK) repository() *aptRepository {
	if j.jdk.Repository == nil {
		return nil
	}
	return &aptRepository{*j.jdk.Repository}
}

// offered says so when the release's own archive is known to lack the version.
func (j JDK) offered(r host.Reader) error {
	release := readRelease(r)
	has, known := jdkReleases[release.key()]
	if !known || j.jdk.Repository != nil {
		return nil
	}
	for _, version := range has {
		if version == j.jdk.Version {
			return nil
		}
	}
	return fmt.Errorf("cannot install Java %s from %s, which has %s; take Eclipse's build: jdk: {version: %s, vendor: temurin}",
		j.jdk.Version, release, strings.Join(has, " and "), j.jdk.Version)
}

// jdkPackages are the packages of a JDK: the compiler and, where that is a
// package of its own, the runtime.
func jdkPackages(j *spec.JDK) []string {
	switch {
	case j.Repository != nil && j.Repository.Package != "":
		return []string{j.Repository.Package}
	case j.Vendor == "temurin":
		return []string{"temurin-" + j.Version + "-jdk"}
	}
	return []string{"openjdk-" + j.Version + "-jdk-headless", "openjdk-" + j.Version + "-jre-headless"}
}

// jdkHome is the JAVA_HOME of the spec's JDK: the directory whose bin/javac the
// package brought, or will bring where the package's name says as much. The
// error wraps fs.ErrNotExist when only installing it will tell.
func jdkHome(r host.Reader, j *spec.JDK) (string, error) {
	if j.Archive != "" {
		return jdkArchiveDir(j), nil
	}
	name := jdkPackages(j)[0]
	if home := homeFromPackage(r, name); home != "" {
		return home, nil
	}
	arch := dpkgArch()
	switch {
	case strings.HasPrefix(name, "openjdk-"):
		return "/usr/lib/jvm/java-" + j.Version + "-openjdk-" + arch, nil
	case strings.HasPrefix(name, "temurin-"):
		return "/usr/lib/jvm/" + name + "-" + arch, nil
	}
	return "", fmt.Errorf("cannot tell where %s puts Java before it is installed: %w", name, fs.ErrNotExist)
}

// homeFromPackage looks for bin/javac in the list of a package's files.
func homeFromPackage(r host.Reader, name string) string {
	for _, list := range []string{name + ".list", name + ":" + dpkgArch() + ".list"} {
		text, err := r.ReadFile(dpkgInfo + "/" + list)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if home, ok := strings.CutSuffix(strings.TrimSpace(line), "/bin/javac"); ok && home != "/usr" {
				return home
			}
		}
	}
	return ""
}

// dpkgArch is this machine's architecture in Debian's words, which are Go's for
// those that the runner is made for.
func dpkgArch() string { return runtime.GOARCH }

// javaCondition is the major version of the Java in a directory, as its release
// file says, or what is wrong with it.
func javaCondition(r host.Reader, home string) string {
	if _, err := r.Lstat(home + "/bin/java"); err != nil {
		return "no bin/java"
	}
	text, err := r.ReadFile(home + "/release")
	if errors.Is(err, fs.ErrNotExist) {
		return "no release file"
	}
	for line := range strings.Lines(string(text)) {
		if version, ok := strings.CutPrefix(line, "JAVA_VERSION="); ok {
			return javaMajor(strings.Trim(strings.TrimSpace(version), `"`))
		}
	}
	return "a release file without JAVA_VERSION"
}

// javaMajor takes 21 out of 21.0.5 and 8 out of 1.8.0_432.
func javaMajor(version string) string {
	version = strings.TrimPrefix(version, "1.")
	if end := strings.IndexAny(version, "._+-"); end >= 0 {
		version = version[:end]
	}
	return version
}
