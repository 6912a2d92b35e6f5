package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// lookAtPlaces compares the directories and the files that are not unpacked.
func (l *tarballLook) lookAtPlaces(t *Tarball, r host.Reader, account host.Account) {
	l.lookAtDir(t, r, "installDir", t.Dir, host.Perm{Mode: t.dirMode(), GID: account.GID}, true)
	for _, dir := range []string{t.Dir + "/_diag", t.WorkDir} {
		l.lookAtDir(t, r, below(t.Dir, dir), dir, host.Perm{Mode: 0o755, UID: account.UID, GID: account.GID}, false)
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
func (l *tarballLook) lookAtDir(t *Tarball, r host.Reader, field, at string, perm host.Perm, mode bool) {
	words := func(p host.Perm) string {
		if mode {
			return t.ownership(r, p) + " " + octal(p.Mode)
		}
		return t.ownership(r, p)
	}
	info, err := r.Lstat(at)
	switch {
	case err != nil:
		l.differs(field, "absent", words(perm))
	case !info.IsDir():
		l.differs(field, typeWord(info.Type), "a directory")
	case info.UID != perm.UID || info.GID != perm.GID || mode && info.Mode != perm.Mode:
		l.differs(field, words(info.Perm), words(perm))
	}
}

// ownership names an owner and a group. Before the first apply the account has
// no ids yet, only its name.
func (t *Tarball) ownership(r host.Reader, p host.Perm) string {
	if p.GID >= 0 {
		return ownership(r, p.UID, p.GID)
	}
	owner := t.User
	if p.UID >= 0 {
		owner = userName(r, p.UID)
	}
	return owner + ":" + t.User
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
	if listener, _ := exists(r, t.Dir+"/bin/Runner.Listener"); listener || slices.ContainsFunc(names, versionedDir.MatchString) {
		return nil // a runner, unpacked by hand or not to its end
	}
	others := slices.DeleteFunc(names, func(name string) bool { return t.ours(r, name) })
	if len(others) == 0 {
		return nil
	}
	shown := strings.Join(others[:min(3, len(others))], ", ")
	if more := len(others) - 3; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("cannot install the runner in %s: it holds something else (%s); choose another installDir, or move that away", t.Dir, plain(shown))
}

// ours reports whether a name may stand in a directory in which no runner is
// yet.
func (t *Tarball) ours(r host.Reader, name string) bool {
	if name == "bin" || name == "externals" {
		info, err := r.Lstat(t.Dir + "/" + name)
		return err == nil && info.IsLink()
	}
	for _, prefix := range []string{".runner", ".credentials", ".path", ".env", ".service", ".benchctl", ".bin.", ".externals.", ".runsvc.sh."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "_diag" || name == below(t.Dir, t.WorkDir) || name == "lost+found"
}
