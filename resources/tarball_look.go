package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A tarballLook is what a look at the runner's directory found.
type tarballLook struct {
	manifest *manifest
	want     string             // version
	source   string             // of its archive; "" is GitHub's release asset
	sha256   string             // of its archive, where the spec gives one
	trial    *trial             // nil when there is none
	withheld error              // why want is not what the spec asks for
	tree     []reconcile.Change // what only unpacking anew mends
	perms    []permFix          // what a chown or a chmod of the runner's files mends
	settings []permFix          // the same of the user's
	other    []reconcile.Change
	blind    error // what could not be seen
}

// A permFix is a file of which only the owner or the mode differs.
type permFix struct {
	path string // absolute
	perm host.Perm
	reconcile.Change
}

func (l *tarballLook) changes() []reconcile.Change {
	all := slices.Clone(l.tree)
	named := l.perms[:min(longestList, len(l.perms))]
	for _, p := range slices.Concat(named, l.settings) {
		all = append(all, p.Change)
	}
	if more := len(l.perms) - len(named); more > 0 {
		all = append(all, reconcile.Change{Field: "more files, owner and mode", Have: fmt.Sprintf("%d altered", more), Want: "as unpacked"})
	}
	return append(all, l.other...)
}

// archive is where the wanted version comes from.
func (l *tarballLook) archive() string {
	if l.source != "" {
		return l.source
	}
	return releaseAsset(l.want)
}

// altered notes what needs the tree unpacked anew, with the service stopped:
// the runner reads its files at any time, and holds them open.
func (l *tarballLook) altered(field, have, want string) {
	l.tree = append(l.tree, reconcile.Change{Field: field, Have: have, Want: want, Effects: restarts})
}

func (l *tarballLook) differs(field, have, want string) {
	l.other = append(l.other, reconcile.Change{Field: field, Have: have, Want: want})
}

func (t *Tarball) look(ctx context.Context, r host.Reader) (*tarballLook, error) {
	l := &tarballLook{source: t.Source, sha256: t.SHA256}
	account, err := accountOf(r, t.User, t.Existing)
	if errors.Is(err, fs.ErrNotExist) {
		account.UID, account.GID = -1, -1 // before the first apply
	} else if err != nil {
		return nil, fmt.Errorf("cannot look up the account %s: %w", t.User, err)
	}
	if l.manifest, err = readManifest(r, t.Dir, t.Verify); err != nil {
		return nil, fmt.Errorf("cannot read what was unpacked in %s: %w", t.Dir, err)
	}
	if err := t.refuseOther(r, l.manifest); err != nil {
		return nil, err
	}
	installed := t.installed(r, l.manifest)
	if l.want, err = t.wanted(ctx, installed); err != nil {
		if installed == "" {
			return nil, err
		}
		l.want, l.blind = installed, fmt.Errorf("%w: %w", reconcile.ErrUnknown, err)
	}
	l.trial = readTrial(r)
	if l.withheld = t.withheld(l.trial, l.want); l.withheld != nil {
		l.want, l.blind = l.trial.From, l.withheld
		l.source, l.sha256 = "", "" // the spec's are another version's
	}
	l.lookAtVersion(t, r, installed, account)
	l.lookAtPlaces(t, r, account)
	left, _ := r.Glob(t.Dir + "/" + stagingPrefix + "*") // the pattern is well-formed
	if left = append(left, t.staleKept(r, l.manifest)...); len(left) > 0 {
		l.differs("staging", "left by an apply that was cut off", "absent")
	}
	if old := t.tooOld(r, installed); len(old) > 0 {
		l.differs("old versions", strings.Join(old, ", ")+" too many", fmt.Sprintf("at most %d", t.Keep))
	}
	if len(l.tree) == 0 && !t.AutoUpdate {
		if err := l.lookAtFiles(t, r); err != nil {
			return nil, err
		}
	}
	return l, nil
}

var versionedDir = regexp.MustCompile(`^(bin|externals)\.([0-9]+(?:\.[0-9]+){2,3})$`)

// installed is the version that is there, or "". A runner that updates itself
// says so by its link alone.
func (t *Tarball) installed(r host.Reader, m *manifest) string {
	if m != nil && !t.AutoUpdate {
		return m.version
	}
	target, _ := r.Readlink(t.Dir + "/bin")
	if part := versionedDir.FindStringSubmatch(target); part != nil && part[1] == "bin" {
		return part[2]
	}
	return ""
}

func (l *tarballLook) lookAtVersion(t *Tarball, r host.Reader, installed string, account host.Account) {
	if installed != l.want {
		have := installed
		if have == "" {
			have = "not installed"
			if byHand, _ := exists(r, t.Dir+"/bin"); byHand {
				have = "one that was not unpacked by benchctl"
			}
		}
		l.altered("version", have, l.want)
		l.tree[0].Asked = t.Version == latestVersion && t.latest != ""
		return
	}
	if l.manifest == nil {
		l.altered("manifest", "absent", "a list of what was unpacked")
		return
	}
	if t.AutoUpdate {
		l.lookAtOwner(t, r, account)
		return
	}
	if l.sha256 != "" && l.manifest.archive != l.sha256 {
		l.altered("sha256", l.manifest.archive, l.sha256)
	}
}

// lookAtOwner sees that a runner that updates itself can.
func (l *tarballLook) lookAtOwner(t *Tarball, r host.Reader, account host.Account) {
	name := "bin." + l.want
	info, err := r.Lstat(t.Dir + "/" + name)
	switch {
	case err != nil || !info.IsDir():
		l.altered(name, "no directory", "as unpacked")
	case info.UID != account.UID:
		l.altered(name+" owner", fmt.Sprint(info.UID), fmt.Sprint(account.UID))
	}
}
