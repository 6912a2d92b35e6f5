package resources

import (
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// place moves the unpacked tree to where it belongs.
func (t *Tarball) place(h host.Host, l *tarballLook, staged stagedTarball, owner host.Account) error {
	version, u := l.want, staged.unpacked
	tops, err := t.tops(l, u.Files)
	if err != nil {
		return err
	}
	if err := h.Remove(t.Dir + "/" + manifestName); err != nil {
		return err
	}
	for _, top := range tops {
		if err := makeWay(h, t.Dir+"/"+top.to, top.dir); err != nil {
			return err
		}
		if err := h.Rename(staged.dir+"/"+top.from, t.Dir+"/"+top.to); err != nil {
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

// makeWay prepares for a rename: a file replaces a file without a moment in
// between, anything else has to go first.
func makeWay(h host.Host, at string, forDir bool) error {
	info, err := h.Lstat(at)
	if err == nil && (forDir || info.IsDir()) {
		return h.RemoveAll(at)
	}
	return nil
}

// A top is a file or directory at the archive's top, and the name it gets.
type top struct {
	from, to string
	dir      bool
}

// tops lists them, directories first: with the first of them in place the
// directory is a runner's, and says so if all else is cut off.

func (t *Tarball) tops(l *tarballLook, files []host.UnpackedFile) ([]top, error) {
	var tops []top
	listener := false
	for _, f := range files {
		listener = listener || f.Path == "bin/Runner.Listener"
		if strings.Contains(f.Path, "/") {
			continue
		}
		to := placed(f.Path, l.want)
		if to == f.Path && (f.IsDir() || !t.rootFile(f.Path)) {
			return nil, fmt.Errorf("cannot install %s: the archive has %q at its top, which is no part of a runner; check runner.archive", l.archive(), f.Path)
		}
		tops = append(tops, top{f.Path, to, f.IsDir()})
	}
	if !listener {
		return nil, fmt.Errorf("cannot install %s: it holds no bin/Runner.Listener and so is no runner for Linux; check runner.archive", l.archive())
	}
	slices.SortStableFunc(tops, func(a, b top) int {
		switch {
		case a.dir == b.dir:
			return 0
		case a.dir:
			return -1
		}
		return 1
	})
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
	if err := makeWay(h, at, false); err != nil {
		return err
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
