package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// aptUnit is the transient unit in which packages are changed: it goes on when
// benchctl dies, since half a dpkg run is worse than a late one.
const aptUnit = "benchctl-apt.service"

// aptEnv is the whole environment of apt and dpkg: no questions, conffiles
// kept, no service restarted behind a job's back, messages that can be read.
var aptEnv = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root",
	"LC_ALL=C.UTF-8",
	"DEBIAN_FRONTEND=noninteractive",
	"APT_LISTCHANGES_FRONTEND=none",
	"NEEDRESTART_SUSPEND=1",
	"UCF_FORCE_CONFFOLD=1",
}

// aptOptions go with every call of apt-get. The lock's timeout covers the
// instant between our own look at it and apt's.
var aptOptions = []string{
	"-q", "-y", "--no-install-recommends",
	"-o", "Dpkg::Options::=--force-confold",
	"-o", "Dpkg::Options::=--force-confdef",
	"-o", "Dpkg::Use-Pty=0",
	"-o", "DPkg::Lock::Timeout=60",
	"-o", "Acquire::Retries=2",
	"-o", "Acquire::http::Timeout=30",
	"-o", "Acquire::https::Timeout=30",
}

// Apt is what the kinds that install packages share in a pass.
type Apt struct {
	// AllowUpgrades lets an install upgrade, downgrade or remove packages
	// that were not asked for.
	AllowUpgrades bool
	// Trust accepts a file whose digest nobody gave, and records the digest.
	Trust    bool
	lockWait time.Duration // how long another package manager may take
	dpkg     dpkgCache
}

// NewApt returns an Apt that waits up to ten minutes for another package
// manager: an unattended upgrade with a new kernel takes that long.
func NewApt() *Apt { return &Apt{lockWait: 10 * time.Minute} }

// packageChange is a field that differs and that only apt can mend: the
// runner's service is down meanwhile.
func packageChange(field, have, want string) reconcile.Change {
	return reconcile.Change{Field: field, Have: have, Want: want, Effects: []reconcile.Effect{reconcile.Restart}}
}

// An aptInstall is one thing asked of apt-get install.
type aptInstall struct {
	args []string // packages, or a path of a .deb
	// own are the packages that may change their version: what is asked for.
	own       []string
	reinstall bool
	// must, if set, is a step that the plan has to hold, by name and version.
	must *aptStep
}

// install makes sure of packages, and changes nothing else. What is broken is
// mended first; lists are fetched anew only where apt does not know a package
// or its mirror no longer has it.
func (a *Apt) install(ctx context.Context, h host.Host, want aptInstall) error {
	if err := a.settle(ctx, h); err != nil {
		return err
	}
	err := a.installOnce(ctx, h, want)
	if !staleLists(err) {
		return err
	}
	// A source that could not be fetched is only a warning of apt's, and the
	// likely reason when the package is unknown after that.
	warning, err := a.update(ctx, h)
	if err != nil {
		return err
	}
	err = a.installOnce(ctx, h, want)
	if staleLists(err) && warning != nil {
		return warning
	}
	return err
}

// foresee refuses what install would refuse, and leaves to install what only
// its other steps can settle: a dpkg to mend first, lists to fetch.
func (a *Apt) foresee(ctx context.Context, h host.Host, want aptInstall) error {
	d, err := a.dpkg.read(h)
	if err != nil || len(want.args) == 0 {
		return err
	}
	if broken, err := brokenChanges(h, d); err != nil || len(broken) > 0 {
		return nil
	}
	_, err = a.plan(ctx, h, want)
	if staleLists(err) {
		return nil
	}
	return err
}

func (a *Apt) installOnce(ctx context.Context, h host.Host, want aptInstall) error {
	plan, err := a.plan(ctx, h, want)
	if err != nil {
		return err
	}
	return a.run(ctx, h, plan, want.command())
}

// command is what is asked of apt-get.
func (want aptInstall) command() []string {
	args := []string{"install"}
	if want.reinstall {
		args = append(args, "--reinstall")
	}
	return append(args, want.args...)
}

// plan is what apt-get would do, if that may be.
func (a *Apt) plan(ctx context.Context, h host.Host, want aptInstall) (aptPlan, error) {
	plan, err := a.simulate(ctx, h, want.command())
	if err != nil {
		return plan, aptError(want.command(), err)
	}
	return plan, errors.Join(plan.holds(want.must), a.permit(plan, want.own))
}

// run lets apt-get do what was planned. What the plan does not hold apt itself
// refuses, should the lists have changed since.
func (a *Apt) run(ctx context.Context, h host.Host, plan aptPlan, args []string) error {
	argv := append([]string{"apt-get"}, aptOptions...)
	if !a.AllowUpgrades {
		argv = append(argv, "--no-remove")
	}
	if plan.downgrades {
		argv = append(argv, "--allow-downgrades")
	}
	if err := bring(h, func(b *brought) { b.Packages = with(b.Packages, plan.fresh()...) }); err != nil {
		return err
	}
	return a.unit(ctx, h, append(argv, args...))
}

// unit runs apt-get or dpkg outside benchctl's own life.
func (a *Apt) unit(ctx context.Context, h host.Host, argv []string) error {
	_, err := a.unitOutput(ctx, h, argv)
	return err
}

func (a *Apt) unitOutput(ctx context.Context, h host.Host, argv []string) (host.Output, error) {
	progress := newAptProgress(reconcile.Progress(ctx), reconcile.Pace(ctx))
	defer progress.close()
	cmd := host.Command{Argv: argv, Env: aptEnv, Dir: "/", Progress: progress.line}
	out, err := h.RunUnit(ctx, aptUnit, cmd)
	if err != nil {
		return out, aptError(argv, err)
	}
	return out, nil
}

// update fetches the lists of every source. One that cannot be had is no error,
// since it may be none of ours: the warning says why.
func (a *Apt) update(ctx context.Context, h host.Host) (warning, err error) {
	reconcile.Progress(ctx)("fetching the package lists")
	argv := append(append([]string{"apt-get"}, aptOptions...), "update")
	out, err := a.unitOutput(ctx, h, argv)
	if err != nil {
		return nil, err
	}
	if failure := understand(argv, out); failure != nil {
		return failure, nil
	}
	return nil, nil
}

// updateFrom fetches the lists of one source file alone, and is strict about it.
func (a *Apt) updateFrom(ctx context.Context, h host.Host, sources string) error {
	reconcile.Progress(ctx)("fetching the package lists of " + sources)
	argv := append([]string{"apt-get"}, aptOptions...)
	return a.unit(ctx, h, append(argv, "update",
		"-o", "APT::Update::Error-Mode=any",
		"-o", "Dir::Etc::sourcelist="+sources,
		"-o", "Dir::Etc::sourceparts=-",
		"-o", "APT::Get::List-Cleanup=false"))
}

// known returns the packages whose names match an extended regular expression
// and that apt could install.
func (a *Apt) known(ctx context.Context, h host.Host, pattern string) ([]string, error) {
	out, err := h.Run(ctx, host.Command{Argv: []string{"apt-cache", "search", "--names-only", pattern}, Env: aptEnv, Dir: "/"})
	if err != nil {
		return nil, fmt.Errorf("cannot ask apt for packages like %s: %w", pattern, err)
	}
	var names []string
	for line := range strings.Lines(string(out.Stdout)) {
		name, _, _ := strings.Cut(line, " - ")
		names = append(names, strings.TrimSpace(name))
	}
	slices.SortFunc(names, byNumber)
	return names, nil
}

// byNumber sorts libicu9 before libicu72: shorter names first.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
