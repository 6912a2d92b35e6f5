package resources

import (
	"context"
	"fmt"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// PTS is the Phoronix Test Suite, from its maker's .deb since no distribution
// has it, set up to run in batches for the runner's user.
type PTS struct {
	pts  *spec.PTS
	user string
	apt  *Apt
}

var (
	_ reconcile.Resource  = PTS{}
	_ reconcile.Dependent = PTS{}
)

// ptsPackage is the name that the .deb has.
const ptsPackage = "phoronix-test-suite"

// ptsExtras are PHP's modules that the .deb does not ask for and that PTS uses:
// graphs, archives of tests.
var ptsExtras = []string{"php-gd", "php-zip", "php-bz2"}

// ptsStaged is where the .deb lies while apt installs it; only root gets there.
const ptsStaged = "/var/lib/benchctl/" + ptsPackage + ".deb"

// ptsOf lowers the spec's Phoronix Test Suite; there is none without one.
func ptsOf(s *spec.Spec, apt *Apt) []reconcile.Resource {
	if s.PTS == nil {
		return nil
	}
	return []reconcile.Resource{PTS{s.PTS, s.User.Name, apt}}
}

// ID names the kind.
func (PTS) ID() reconcile.ID { return reconcile.ID{Kind: "pts"} }

// Needs lists what has to be there first: the user whose settings it keeps.
func (PTS) Needs() []string { return []string{"user", "packages"} }

// Diff compares the installed version and the user's settings.
func (p PTS) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	d, err := p.apt.dpkg.read(r)
	if err != nil {
		return nil, err
	}
	var changes []reconcile.Change
	if have := d.Package(ptsPackage); !p.isWanted(have) {
		changes = append(changes, packageChange("version", ptsVersion(have), p.pts.Version))
	}
	for _, name := range p.absentExtras(d) {
		changes = append(changes, packageChange(name, d.Package(name).condition(), "installed"))
	}
	settings, err := p.diffSettings(r)
	return append(changes, settings...), err
}

// Apply installs the .deb when its version is not there, and writes the settings.
// Those alone wait for nobody: the runner is held meanwhile, not stopped.
func (p PTS) Apply(ctx context.Context, h host.Host) error {
	d, err := p.apt.dpkg.read(h)
	if err != nil {
		return err
	}
	if !p.isWanted(d.Package(ptsPackage)) || len(p.absentExtras(d)) > 0 {
		if err := p.install(ctx, h); err != nil {
			return err
		}
	}
	return p.applySettings(ctx, h)
}

func (p PTS) install(ctx context.Context, h host.Host) error {
	if err := p.apt.settle(ctx, h); err != nil {
		return err
	}
	want, err := p.wanted(ctx, h)
	if err != nil || len(want.args) == 0 {
		return err
	}
	defer unstage(h, want)
	return p.apt.install(ctx, h, want)
}

// Prepare fetches the .deb, and refuses one that is not what it should be or
// would change other packages.
func (p PTS) Prepare(ctx context.Context, h host.Host) error {
	want, err := p.wanted(ctx, h)
	if err != nil {
		return err
	}
	defer unstage(h, want)
	return p.apt.foresee(ctx, h, want)
}

// unstage removes the .deb that wanted staged.
func unstage(h host.Host, want aptInstall) {
	if want.must != nil {
		h.Remove(ptsStaged)
	}
}

// wanted is what apt is to install. The .deb is staged if it is part of that.
func (p PTS) wanted(ctx context.Context, h host.Host) (aptInstall, error) {
	d, err := p.apt.dpkg.read(h)
	if err != nil {
		return aptInstall{}, err
	}
	want := aptInstall{args: p.absentExtras(d)}
	if p.isWanted(d.Package(ptsPackage)) {
		return want, nil
	}
	if err := p.stage(ctx, h); err != nil {
		return aptInstall{}, err
	}
	want.args = append([]string{ptsStaged}, want.args...)
	want.own = []string{ptsPackage}
	want.must = &aptStep{Name: ptsPackage, Want: p.pts.Version}
	return want, nil
}

// isWanted compares versions without Debian's revision: 10.8.6-1 is 10.8.6.
func (p PTS) isWanted(have dpkgPackage) bool {
	return have.installed() && upstream(have.Version) == p.pts.Version
}

func ptsVersion(have dpkgPackage) string {
	if have.installed() {
		return have.Version
	}
	return have.condition()
}

func upstream(version string) string {
	if end := strings.LastIndexByte(version, '-'); end >= 0 {
		return version[:end]
	}
	return version
}

func (p PTS) absentExtras(d *dpkgState) []string {
	var absent []string
	for _, name := range ptsExtras {
		if !d.Package(name).installed() {
			absent = append(absent, name)
		}
	}
	return absent
}

// stage fetches the .deb, and keeps it only when its digest is the wanted one.
func (p PTS) stage(ctx context.Context, h host.Host) error {
	source, want := p.pts.Archive, p.pts.SHA256
	if want == "" {
		want = trustedDigest(h, source)
	}
	reconcile.Progress(ctx)("fetching " + host.Printable(source))
	deb, err := h.Fetch(ctx, source, maxDeb, want != "")
	if err != nil {
		return err
	}
	have := hexDigest(deb)
	switch {
	case want != "" && have != want:
		return misfit(source, have, want)
	case !strings.HasPrefix(string(deb[:min(8, len(deb))]), "!<arch>\n"):
		return fmt.Errorf("cannot use %s: it is no Debian package; check pts.archive", host.Printable(source))
	case want == "" && !p.apt.Trust:
		return unpinned(source, "pts", have)
	case want == "":
		if err := recordTrust(h, source, have); err != nil {
			return err
		}
	}
	if err := h.Mkdir("/var/lib/benchctl", host.Perm{Mode: 0o700}); err != nil {
		return err
	}
	return h.Replace(ptsStaged, deb, host.Perm{Mode: 0o600})
}
