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
	for _, p := range slices.Concat(l.perms, l.settings) {
		all = append(all, p.Change)
	}
	return append(all, l.other...)
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
	l := &tarballLook{}
	account, err := r.Account(t.User)
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
	l.lookAtVersion(t, r, installed)
	l.lookAtPlaces(t, r, account)
	if left, _ := r.Glob(t.Dir + "/" + stagingPrefix + "*"); len(left) > 0 {
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

func (l *tarballLook) lookAtVersion(t *Tarball, r host.Reader, installed string) {
	if installed != l.want {
		have := installed
		if have == "" {
			have = "not installed"
			if byHand, _ := exists(r, t.Dir+"/bin"); byHand {
				have = "one that was not unpacked by benchctl"
			}
		}
		l.altered("version", have, l.want)
		return
	}
	if l.manifest == nil {
		l.altered("manifest", "absent", "a list of what was unpacked")
		return
	}
	if t.SHA256 != "" && !t.AutoUpdate && l.manifest.archive != t.SHA256 {
		l.altered("sha256", l.manifest.archive, t.SHA256)
	}
}

// lookAtPlaces compares the directories and the files that are not unpacked.
func (l *tarballLook) lookAtPlaces(t *Tarball, r host.Reader, account host.Account) {
	l.lookAtDir(r, "installDir", t.Dir, host.Perm{Mode: t.dirMode(), GID: account.GID}, true)
	for _, dir := range []string{t.Dir + "/_diag", t.WorkDir} {
		l.lookAtDir(r, below(t.Dir, dir), dir, host.Perm{Mode: 0o755, UID: account.UID, GID: account.GID}, false)
	}
	for _, name := range ownedByUser {
		at := t.Dir + "/" + name
		info, err := r.Lstat(at)
		if err == nil && info.IsRegular() && info.UID != account.UID {
			perm := host.Perm{Mode: info.Mode.Perm(), UID: account.UID, GID: account.GID}
			change := reconcile.Change{Field: name + " owner", Have: fmt.Sprint(info.UID), Want: fmt.Sprint(account.UID)}
			l.settings = append(l.settings, permFix{at, perm, change})
		}
	}
}

// ownedByUser are the files that config.sh writes as the runner's user. Nothing
// that root does is decided by them.
var ownedByUser = []string{
	".runner", ".runner_migrated", ".credentials", ".credentials_migrated", ".credentials_rsaparams", "svc.sh",
}

// lookAtDir compares a directory's owner, and its mode where that is ours to
// say: in its own directories a job may do as it likes.
func (l *tarballLook) lookAtDir(r host.Reader, field, at string, perm host.Perm, mode bool) {
	want := fmt.Sprintf("%d:%d", perm.UID, perm.GID)
	if mode {
		want += " " + octal(perm.Mode)
	}
	if perm.GID < 0 {
		want = "a directory"
	}
	info, err := r.Lstat(at)
	switch {
	case err != nil:
		l.differs(field, "absent", want)
		return
	case !info.IsDir():
		l.differs(field, typeWord(info.Type), "a directory")
		return
	}
	have := fmt.Sprintf("%d:%d", info.UID, info.GID)
	if mode {
		have += " " + octal(info.Mode)
	}
	if have != want {
		l.differs(field, have, want)
	}
}

// dirMode is sticky, unless the runner has to replace its own links.
func (t *Tarball) dirMode() fs.FileMode {
	if t.AutoUpdate {
		return homeMode &^ fs.ModeSticky
	}
	return homeMode
}

// below is a path as seen from dir, if it is there.
func below(dir, path string) string {
	if rel, ok := strings.CutPrefix(path, dir+"/"); ok {
		return rel
	}
	return path
}

func typeWord(kind fs.FileMode) string {
	switch kind {
	case 0:
		return "a plain file"
	case fs.ModeDir:
		return "a directory"
	case fs.ModeSymlink:
		return "a link"
	}
	return "neither file nor directory nor link"
}

// refuseOther keeps benchctl out of a directory that holds something else.
func (t *Tarball) refuseOther(r host.Reader, m *manifest) error {
	if m != nil {
		return nil
	}
	names, err := r.ReadDir(t.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look into %s: %w", t.Dir, err)
	}
	if slices.Contains(names, "bin") && slices.Contains(names, "config.sh") {
		return nil // a runner, unpacked by hand
	}
	others := slices.DeleteFunc(names, func(name string) bool { return t.ours(name) })
	if len(others) == 0 {
		return nil
	}
	shown := strings.Join(others[:min(3, len(others))], ", ")
	if more := len(others) - 3; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("cannot install the runner in %s: it holds something else (%s); choose another installDir, or move that away", t.Dir, plain(shown))
}

// ours reports whether a name may stand in a directory where an installation
// began and was cut off.
func (t *Tarball) ours(name string) bool {
	if strings.HasPrefix(name, ".") {
		for _, prefix := range []string{".runner", ".credentials", ".path", ".env", ".service", ".benchctl", ".bin.", ".externals.", ".runsvc.sh."} {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	}
	return name == "_diag" || name == below(t.Dir, t.WorkDir) || name == "bin" || name == "externals" || name == "lost+found" ||
		versionedDir.MatchString(name) || strings.HasSuffix(name, ".sh") || strings.HasSuffix(name, ".template")
}
