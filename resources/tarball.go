package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"runtime"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A Tarball is the runner itself: the pinned version of GitHub's package,
// unpacked and unaltered, in the layout that the runner's own updater leaves:
//
//	INSTALLDIR/bin -> bin.2.336.0
//	INSTALLDIR/externals -> externals.2.336.0
//	INSTALLDIR/config.sh, run.sh, ... and runsvc.sh, a copy of bin's
//
// All of it is root's. INSTALLDIR is root's too, and its sticky bit lets the
// runner's user make files there but neither rename nor replace what is
// root's; so what a job can do ends at its own files. With AutoUpdate the
// program belongs to the user, because the runner replaces itself, and all that
// can be said of it then is its version.
type Tarball struct {
	User       string // the account that the runner runs as
	Existing   bool   // it is used as it is, whatever its group
	Dir        string // installDir
	WorkDir    string // absolute
	Version    string // or "latest"
	Source     string // URL or absolute path; "" is GitHub's release asset
	SHA256     string // "" when the spec gives none
	AutoUpdate bool
	Keep       int // old versions

	Releases Releases // nil: GitHub is not to be asked
	Spec     string   // SHA-256 of the spec
	Attended bool     // "latest" is looked up, not what is installed
	// Unattended: a version that did not listen is left alone for a while.
	Unattended bool
	Trust      bool // --trust-on-first-use
	Verify     bool // look at every file, and read it

	// moves: a runner is at work elsewhere that is to be in Dir. What can fail is
	// tried before that one is stopped, in a directory that is made for it.
	moves bool

	latest  string        // once looked up
	staged  stagedTarball // between Prepare and Apply
	gaveUp  bool          // a version did not listen in this very run
	verdict error         // see Verdict
}

// Releases knows the runner's releases. platform is like linux-x64.
type Releases interface {
	LatestVersion(ctx context.Context, platform string) (string, error)
	// Digest returns a package's SHA-256 in hex, and who vouches for it; ""
	// when nobody does.
	Digest(ctx context.Context, version, platform string) (sum, source string, err error)
}

var (
	_ reconcile.Resource  = (*Tarball)(nil)
	_ reconcile.Dependent = (*Tarball)(nil)
	_ reconcile.Preparer  = (*Tarball)(nil)

	_ reconcile.Provisional = (*Tarball)(nil)
)

const latestVersion = "latest"

// tarballOf lowers the spec's runner.
func tarballOf(s *spec.Spec, o Options) *Tarball {
	t := &Tarball{
		User: s.User.Name, Existing: s.User.Existing, Dir: s.InstallDir, WorkDir: s.WorkDir(),
		Version: s.Runner.Version, Source: s.Runner.Archive, SHA256: s.Runner.SHA256,
		AutoUpdate: s.Runner.AutoUpdate, Keep: s.Runner.Keep,
		Spec: s.SHA256, Attended: o.Attended, Unattended: o.Unattended, Trust: o.Trust, Verify: o.Verify,
	}
	if !o.Offline {
		t.Releases = o.Releases
	}
	if o.Host != nil {
		t.moves = FormerOf(o.Host, s) != nil
	}
	return t
}

// ID is tarball.
func (*Tarball) ID() reconcile.ID { return reconcile.ID{Kind: "tarball"} }

// Needs lists the kinds that the runner's files build on: whose they are, and
// the certificates to fetch them with.
func (*Tarball) Needs() []string { return []string{"user", "packages"} }

// Diff says which version is there, and names what is not as it was unpacked.
func (t *Tarball) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	l, err := t.look(ctx, r)
	if err != nil {
		return nil, err
	}
	return l.changes(), l.blind
}

// Apply installs the version where the one that is there will not do, and
// otherwise mends owners and modes.
func (t *Tarball) Apply(ctx context.Context, h host.Host) error {
	l, err := t.look(ctx, h)
	if err != nil {
		return err
	}
	account, err := accountOf(h, t.User, t.Existing)
	if err != nil {
		return fmt.Errorf("cannot look up the account %s: %w", t.User, err)
	}
	if err := t.makeDir(h, account); err != nil {
		return err
	}
	if err := t.sweep(h); err != nil {
		return err
	}
	if len(l.tree) > 0 {
		err = t.install(ctx, h, l, account)
	} else {
		err = t.mend(h, l)
	}
	if err != nil {
		return err
	}
	if err := fix(h, l.settings); err != nil {
		return err
	}
	return t.finish(h, account)
}

// makeDir makes the runner's directory. It is sticky while root works there, even
// if it is the user's to change afterwards.
func (t *Tarball) makeDir(h host.Host, account host.Account) error {
	for _, dir := range []string{t.Dir, t.WorkDir} {
		if err := bringTree(h, dir); err != nil {
			return err
		}
	}
	if err := h.Mkdir(t.Dir, host.Perm{Mode: homeMode, GID: account.GID}); err != nil {
		return fmt.Errorf("cannot make %s: %w", t.Dir, err)
	}
	return nil
}

// platform is how GitHub names this machine's kind in its assets.
func platform() string {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return runtime.GOOS + "-" + arch
}

// releaseAsset is where GitHub has a version.
func releaseAsset(version string) string {
	return fmt.Sprintf("https://github.com/actions/runner/releases/download/v%s/actions-runner-%s-%s.tar.gz", version, platform(), version)
}

var versionShape = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9}){2,3}$`)

// wanted is the version to have, given the one that is installed, or "". What
// "latest" means is remembered by installing it: an unattended pass keeps it.
func (t *Tarball) wanted(ctx context.Context, installed string) (string, error) {
	if t.Version != latestVersion {
		return t.minimum(t.Version, installed), nil
	}
	if t.latest != "" {
		return t.minimum(t.latest, installed), nil
	}
	if installed != "" && (!t.Attended || t.Releases == nil) {
		return installed, nil
	}
	if t.Releases == nil {
		return "", errors.New("cannot tell which runner version is the latest without asking GitHub; run without --offline, or give runner.version a number")
	}
	version, err := t.Releases.LatestVersion(ctx, platform())
	if err != nil {
		return "", err
	}
	if !versionShape.MatchString(version) {
		return "", fmt.Errorf("cannot use %q as the runner's version: that is none; give runner.version a number", version)
	}
	t.latest = version
	return t.minimum(version, installed), nil
}

// minimum lets a runner that updates itself be newer than the spec says.
func (t *Tarball) minimum(version, installed string) string {
	if t.AutoUpdate && installed != "" && newerVersion(installed, version) {
		return installed
	}
	return version
}

// newerVersion compares dotted numbers.
func newerVersion(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, y := strings.TrimLeft(as[i], "0"), strings.TrimLeft(bs[i], "0")
		if x != y {
			return len(x) > len(y) || len(x) == len(y) && x > y
		}
	}
	return len(as) > len(bs)
}

// exists reports whether something is there, whatever it is.
func exists(r host.Reader, path string) (bool, error) {
	_, err := r.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
