package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// mend gives files back their owner and mode, and takes note of the ctime that
// they have from it.
func (t *Tarball) mend(h host.Host, l *tarballLook) error {
	if len(l.perms) == 0 {
		return nil
	}
	if err := fix(h, l.perms); err != nil {
		return err
	}
	m, err := readManifest(h, t.Dir, true)
	if err != nil || m == nil {
		return err
	}
	for i, f := range m.files {
		mended := func(p permFix) bool { return p.path == t.Dir+"/"+f.Path }
		if !slices.ContainsFunc(l.perms, mended) {
			continue
		}
		if m.files[i].Info, err = h.Lstat(t.Dir + "/" + f.Path); err != nil {
			return err
		}
	}
	return t.writeManifest(h, m)
}

func fix(h host.Host, perms []permFix) error {
	for _, p := range perms {
		if err := h.SetPerm(p.path, p.perm); err != nil {
			return fmt.Errorf("cannot give %s its owner and mode: %w", p.path, err)
		}
	}
	return nil
}

// finish makes the user's directories, drops old versions, and gives the
// directory its final mode.
func (t *Tarball) finish(h host.Host, account host.Account) error {
	perm := host.Perm{Mode: 0o755, UID: account.UID, GID: account.GID}
	for _, dir := range []string{t.Dir + "/_diag", t.WorkDir} {
		if err := t.userDir(h, dir, perm); err != nil {
			return fmt.Errorf("cannot make %s: %w", dir, err)
		}
	}
	if err := t.dropOld(h); err != nil {
		return err
	}
	if t.AutoUpdate {
		return h.SetPerm(t.Dir, host.Perm{Mode: t.dirMode(), GID: account.GID})
	}
	return nil
}

func (t *Tarball) dropOld(h host.Host) error {
	for _, name := range t.tooOld(h, t.current(h)) {
		for _, dir := range []string{keptPrefix, "bin.", "externals."} {
			if err := h.RemoveAll(t.Dir + "/" + dir + name); err != nil {
				return fmt.Errorf("cannot remove the old runner %s: %w", name, err)
			}
		}
	}
	return nil
}

// userDir makes one of the user's directories. A job may have put anything in
// its place; its mode is the job's to choose.
func (t *Tarball) userDir(h host.Host, dir string, perm host.Perm) error {
	info, err := h.Lstat(dir)
	switch {
	case err == nil && info.IsDir() && info.UID == perm.UID && info.GID == perm.GID:
		return nil
	case err == nil && !info.IsDir():
		if err := h.Remove(dir); err != nil {
			return err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return h.Mkdir(dir, perm)
}

func (t *Tarball) current(r host.Reader) string {
	m, _ := readManifest(r, t.Dir, false)
	return t.installed(r, m)
}

// tooOld lists versions beyond the newest Keep, oldest last, and one that was
// given up. While a version is on trial nothing is too old.
func (t *Tarball) tooOld(r host.Reader, current string) []string {
	tr := readTrial(r)
	if tr.open(current) && !t.AutoUpdate {
		return nil
	}
	names, _ := r.ReadDir(t.Dir)
	var old []string
	for _, name := range names {
		part := versionedDir.FindStringSubmatch(name)
		if part != nil && part[2] != current && !slices.Contains(old, part[2]) {
			old = append(old, part[2])
		}
	}
	slices.SortFunc(old, func(a, b string) int {
		if newerVersion(a, b) {
			return -1
		}
		return 1
	})
	if i := slices.Index(old, tr.givenUp()); i >= 0 {
		old = append(slices.Delete(old, i, i+1), tr.To)
		return old[min(t.Keep, len(old)-1):]
	}
	return old[min(t.Keep, len(old)):]
}
