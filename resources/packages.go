package resources

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Packages are what the runner needs of the distribution: the libraries that
// its .NET loads, git for checkouts, and the certificates of the web.
type Packages struct{ apt *Apt }

var _ reconcile.Resource = Packages{}

// A requirement is something to be installed whose package has another name in
// each release. Any package that matches will do.
type requirement struct {
	name    string         // of the thing, for people
	pattern *regexp.Regexp // of the package's name
}

// runnerNeeds is what config.sh looks for before it starts (ICU, and what ldd
// says of the runtime, its OpenSSL shim and its zlib shim), Kerberos as the
// runner's own dependency script has it, and what workflows cannot do without.
// LTTng, which that script installs too, is left out: .NET runs without it, and
// its library would start threads of its own in every process of the runner.
var runnerNeeds = []requirement{
	{"libicu", regexp.MustCompile(`^libicu[0-9]+$`)},
	{"libssl", regexp.MustCompile(`^libssl[0-9.]+(t64)?$`)},
	exactly("libkrb5-3"),
	exactly("zlib1g"),
	exactly("libstdc++6"),
	exactly("ca-certificates"),
	exactly("git"),
}

// releasePackages are the names that differ from release to release. A release
// that is not here is asked, by pattern, when there is something to install.
var releasePackages = map[string]map[string]string{
	"debian 12":    {"libicu": "libicu72", "libssl": "libssl3"},
	"debian 13":    {"libicu": "libicu76", "libssl": "libssl3t64"},
	"ubuntu 22.04": {"libicu": "libicu70", "libssl": "libssl3"},
	"ubuntu 24.04": {"libicu": "libicu74", "libssl": "libssl3t64"},
}

func exactly(name string) requirement {
	return requirement{name, regexp.MustCompile("^" + regexp.QuoteMeta(name) + "$")}
}

// met reports whether a package that will do is installed.
func (q requirement) met(d *dpkgState) bool {
	if d.Package(q.name).installed() {
		return true
	}
	return len(d.Find(q.pattern.MatchString)) > 0
}

// ID names the kind.
func (Packages) ID() reconcile.ID { return reconcile.ID{Kind: "packages"} }

// Diff lists what is missing, and what dpkg left half done.
func (p Packages) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	d, err := p.apt.dpkg.read(r)
	if err != nil {
		return nil, err
	}
	changes, err := brokenChanges(r, d)
	for _, q := range missing(d) {
		name := releasePackages[readRelease(r).key()][q.name]
		if name == "" {
			name = q.name
		}
		changes = append(changes, packageChange(q.name, d.Package(name).condition(), name))
	}
	return changes, err
}

// Prepare refuses an install that would change other packages.
func (p Packages) Prepare(ctx context.Context, h host.Host) error {
	names, err := p.names(ctx, h)
	if err != nil {
		return nil // Apply fetches the lists, or says so
	}
	return p.apt.foresee(ctx, h, aptInstall{args: names})
}

// Apply installs what is missing.
func (p Packages) Apply(ctx context.Context, h host.Host) error {
	if err := p.apt.settle(ctx, h); err != nil {
		return err
	}
	names, err := p.names(ctx, h)
	if err != nil || len(names) == 0 {
		return err
	}
	return p.apt.install(ctx, h, aptInstall{args: names})
}

// names are the packages that this release has for what is missing.
func (p Packages) names(ctx context.Context, h host.Host) (names []string, err error) {
	d, err := p.apt.dpkg.read(h)
	if err != nil {
		return nil, err
	}
	for _, q := range missing(d) {
		name, err := p.name(ctx, h, q)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

func missing(d *dpkgState) (needs []requirement) {
	for _, q := range runnerNeeds {
		if !q.met(d) {
			needs = append(needs, q)
		}
	}
	return needs
}

// name is the package to install: from the table, else the one that apt knows
// with the highest number.
func (p Packages) name(ctx context.Context, h host.Host, q requirement) (string, error) {
	release := readRelease(h)
	if name := releasePackages[release.key()][q.name]; name != "" {
		return name, nil
	}
	if q.pattern.String() == exactly(q.name).pattern.String() {
		return q.name, nil
	}
	names, err := p.apt.known(ctx, h, q.pattern.String())
	if err == nil && len(names) == 0 {
		if _, err = p.apt.update(ctx, h); err == nil {
			names, err = p.apt.known(ctx, h, q.pattern.String())
		}
	}
	if err != nil {
		return "", err
	}
	if len(names) > 0 {
		return names[len(names)-1], nil
	}
	return "", fmt.Errorf("cannot install %s: %s has no package like %s; install the one that this release has by hand and apply again",
		q.name, release, q.pattern)
}

// A release is a version of a distribution, as os-release(5) names it.
type release struct{ ID, Version, Codename string }

// key is "debian 12".
func (r release) key() string { return r.ID + " " + r.Version }

// String is "Debian 12", as a person calls it.
func (r release) String() string {
	if r.ID == "" {
		return "this host"
	}
	return strings.TrimSpace(strings.ToUpper(r.ID[:1]) + r.ID[1:] + " " + r.Version)
}

// readRelease reads /etc/os-release; what it does not say is "".
func readRelease(r host.Reader) (rel release) {
	text, err := r.ReadFile("/etc/os-release")
	if err != nil {
		text, _ = r.ReadFile("/usr/lib/os-release")
	}
	for line := range bytes.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			rel.ID = value
		case "VERSION_ID":
			rel.Version = value
		case "VERSION_CODENAME":
			rel.Codename = value
		}
	}
	return rel
}
