package resources

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

const (
	stagingPrefix = ".benchctl-staging-"
	// unpackRoom is a runner beside the one that is there.
	unpackRoom = 2 << 30
)

// sweep removes what an installation that was killed left behind.
func (t *Tarball) sweep(h host.Host) error {
	left, err := h.Glob(t.Dir + "/" + stagingPrefix + "*")
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := h.RemoveAll(path); err != nil {
			return fmt.Errorf("cannot remove %s, which an earlier run left: %w", path, err)
		}
	}
	return nil
}

// install unpacks the wanted version beside what is there, and only when all of
// it is on the disk and its digest matched puts it in place. Until then what
// was there is whole; from then on, until the manifest is written, the next
// apply begins anew.
func (t *Tarball) install(ctx context.Context, h host.Host, l *tarballLook, account host.Account) error {
	if disk, err := h.Disk(t.Dir); err == nil && disk.Free < unpackRoom {
		return fmt.Errorf("cannot unpack the runner: %.1f GiB are free on the file system of %s, and it takes %d; make room there, nothing was touched",
			float64(disk.Free)/(1<<30), t.Dir, unpackRoom>>30)
	}
	// A name that nobody can guess, so that nobody can be there before us.
	staging := t.Dir + "/" + stagingPrefix + strings.ToLower(rand.Text())
	owner := host.Account{}
	if t.AutoUpdate {
		owner = account
	}
	unpacked, err := t.unpack(ctx, h, l, staging, owner)
	if err == nil {
		err = t.place(h, staging, l.want, unpacked, owner)
	}
	return errors.Join(err, h.RemoveAll(staging))
}

// unpack fetches the archive, with the best digest there is.
func (t *Tarball) unpack(ctx context.Context, h host.Host, l *tarballLook, staging string, owner host.Account) (host.Unpacked, error) {
	source := t.source(l.want)
	want, err := t.pin(ctx, h, l, source)
	if err != nil {
		return host.Unpacked{}, err
	}
	done, err := h.Unpack(ctx, host.Archive{
		Source: source, SHA256: want, Trust: t.Trust, Dir: staging, UID: owner.UID, GID: owner.GID,
		Progress: percent(ctx, "unpacking runner "+l.want),
	})
	var wrong *host.DigestError
	switch {
	case errors.As(err, &wrong) && wrong.Begins != "":
		return done, fmt.Errorf("cannot use %s: it is no archive but begins with %s; check the address, and what stands between here and there", wrong.Source, wrong.Begins)
	case errors.As(err, &wrong) && wrong.Want == "":
		return done, unpinned(source, "runner", wrong.Have)
	case errors.As(err, &wrong):
		return done, misfit(source, wrong.Have, wrong.Want)
	case err != nil:
		return done, err
	case want == "":
		return done, recordTrust(h, source, done.SHA256)
	}
	return done, nil
}

// pin returns the digest that the archive must have: the spec's, the one that
// this version had when it was installed or was accepted with, GitHub's. ""
// when nobody says.
func (t *Tarball) pin(ctx context.Context, r host.Reader, l *tarballLook, source string) (string, error) {
	if t.SHA256 != "" {
		return t.SHA256, nil
	}
	if l.manifest != nil && l.manifest.version == l.want && l.manifest.archive != "" {
		return l.manifest.archive, nil
	}
	if sum := trustedDigest(r, source); sum != "" {
		return sum, nil
	}
	if t.Releases == nil {
		return "", nil
	}
	sum, _, err := t.Releases.Digest(ctx, l.want, platform())
	if err != nil {
		return "", fmt.Errorf("cannot learn which digest runner %s should have: %w", l.want, err)
	}
	return sum, nil
}

// place moves the unpacked tree to where it belongs.
func (t *Tarball) place(h host.Host, staging, version string, u host.Unpacked, owner host.Account) error {
	tops, err := t.tops(u.Files, version)
	if err != nil {
		return err
	}
	if err := h.Remove(t.Dir + "/" + manifestName); err != nil {
		return err
	}
	for _, top := range tops {
		if err := h.RemoveAll(t.Dir + "/" + top.to); err != nil {
			return err
		}
		if err := h.Rename(staging+"/"+top.from, t.Dir+"/"+top.to); err != nil {
			return fmt.Errorf("cannot put %s in place: %w", top.to, err)
		}
	}
	for _, top := range tops {
		if top.from != top.to {
			if err := t.flip(h, top.from, top.to); err != nil {
				return err
			}
		}
	}
	m := &manifest{version: version, archive: u.SHA256, files: moved(u.Files, version)}
	if err := t.serviceScript(h, m, owner); err != nil {
		return err
	}
	return t.writeManifest(h, m)
}

// A top is a file or directory at the archive's top, and the name it gets.
type top struct{ from, to string }

func (t *Tarball) tops(files []host.UnpackedFile, version string) ([]top, error) {
	var tops []top
	listener := false
	for _, f := range files {
		listener = listener || f.Path == "bin/Runner.Listener"
		if strings.Contains(f.Path, "/") {
			continue
		}
		to := placed(f.Path, version)
		if to == f.Path && (f.IsDir() || !t.rootFile(f.Path)) {
			return nil, fmt.Errorf("cannot install %s: the archive has %q at its top, which is no part of a runner; check runner.archive", t.source(version), f.Path)
		}
		tops = append(tops, top{f.Path, to})
	}
	if !listener {
		return nil, fmt.Errorf("cannot install %s: it holds no bin/Runner.Listener and so is no runner for Linux; check runner.archive", t.source(version))
	}
	return tops, nil
}

// rootFile reports whether an archive may bring a file of that name: not one
// that config.sh, env or service write.
func (t *Tarball) rootFile(name string) bool {
	return !strings.HasPrefix(name, ".") && !slices.Contains(ownedByUser, name) && name != "_diag" && name != below(t.Dir, t.WorkDir)
}

// placed gives bin and externals their version.
func placed(path, version string) string {
	name, rest, below := strings.Cut(path, "/")
	if name != "bin" && name != "externals" {
		return path
	}
	if !below {
		return name + "." + version
	}
	return name + "." + version + "/" + rest
}

func moved(files []host.UnpackedFile, version string) []host.UnpackedFile {
	files = slices.Clone(files)
	for i := range files {
		files[i].Path = placed(files[i].Path, version)
	}
	return files
}

// flip makes bin and externals lead to this version. A directory in the way is
// what a runner unpacked by hand has.
func (t *Tarball) flip(h host.Host, name, target string) error {
	at := t.Dir + "/" + name
	info, err := h.Lstat(at)
	if err == nil && !info.IsLink() {
		if err := h.RemoveAll(at); err != nil {
			return err
		}
	}
	if err := h.Symlink(target, at); err != nil {
		return fmt.Errorf("cannot make %s lead to %s: %w", at, target, err)
	}
	return nil
}

// serviceScript copies runsvc.sh, which the service runs, from the installed
// version, as svc.sh and the runner's updater do.
func (t *Tarball) serviceScript(h host.Host, m *manifest, owner host.Account) error {
	const name = "runsvc.sh"
	i := slices.IndexFunc(m.files, func(f host.UnpackedFile) bool { return f.Path == placed("bin/"+name, m.version) })
	if i < 0 {
		return nil
	}
	text, err := h.ReadBelow(t.Dir, m.files[i].Path) // the user's, with AutoUpdate
	if err != nil {
		return err
	}
	at := t.Dir + "/" + name
	if info, err := h.Lstat(at); err == nil && info.IsDir() {
		if err := h.RemoveAll(at); err != nil {
			return err
		}
	}
	if err := h.Replace(at, text, host.Perm{Mode: 0o755, UID: owner.UID, GID: owner.GID}); err != nil {
		return err
	}
	m.files = slices.DeleteFunc(m.files, func(f host.UnpackedFile) bool { return f.Path == name })
	m.files = append(m.files, host.UnpackedFile{Path: name, SHA256: m.files[i].SHA256})
	return nil
}

// writeManifest ends an installation. Being moved changed the ctime of what
// lies at the top, so that is looked at once more.
func (t *Tarball) writeManifest(h host.Host, m *manifest) error {
	for i, f := range m.files {
		if strings.Contains(f.Path, "/") {
			continue
		}
		info, err := h.Lstat(t.Dir + "/" + f.Path)
		if err != nil {
			return err
		}
		m.files[i].Info = info
	}
	return h.Replace(t.Dir+"/"+manifestName, m.text(), host.Perm{Mode: 0o644})
}

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
	for _, name := range t.tooOld(h, t.current(h)) {
		for _, dir := range []string{"bin.", "externals."} {
			if err := h.RemoveAll(t.Dir + "/" + dir + name); err != nil {
				return fmt.Errorf("cannot remove the old runner %s: %w", name, err)
			}
		}
	}
	if t.AutoUpdate {
		return h.SetPerm(t.Dir, host.Perm{Mode: t.dirMode(), GID: account.GID})
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

// tooOld lists versions beyond the newest Keep, oldest last.
func (t *Tarball) tooOld(r host.Reader, current string) []string {
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
	return old[min(t.Keep, len(old)):]
}
