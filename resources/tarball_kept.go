package resources

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// keptPrefix begins the name of the directory that keeps of a version
// what the next one replaces: its manifest, and its files at the top. bin.VERSION
// and externals.VERSION stay where they are.
const keptPrefix = ".benchctl-kept."

func (t *Tarball) keptDir(version string) string { return t.Dir + "/" + keptPrefix + version }

// keep puts aside what the next version is about to replace, unless it is not
// as it was unpacked: errAltered. The manifest is last: without it, the rest is
// worth nothing.
func (t *Tarball) keep(h host.Host, m *manifest) error {
	dir := t.keptDir(m.version)
	list, err := h.ReadFile(t.Dir + "/" + manifestName)
	if err == nil {
		err = h.RemoveAll(dir)
	}
	if err == nil {
		err = h.Mkdir(dir, host.Perm{Mode: 0o700})
	}
	for _, f := range m.files {
		if err == nil && atTop(f) {
			err = copyBelow(h, t.Dir, dir, f)
		}
	}
	if err != nil {
		return errors.Join(err, h.RemoveAll(dir))
	}
	return h.Replace(dir+"/"+manifestName, list, host.Perm{Mode: 0o600})
}

// atTop reports whether a file is one that every version has under this name.
func atTop(f host.UnpackedFile) bool { return f.IsRegular() && !strings.Contains(f.Path, "/") }

var errAltered = errors.New("it is not as it was unpacked")

// copyBelow copies a file of the runner's from one directory to another.
func copyBelow(h host.Host, from, to string, f host.UnpackedFile) error {
	data, err := h.ReadBelow(from, f.Path)
	switch sum := sha256.Sum256(data); {
	case errors.Is(err, host.ErrHostile) || errors.Is(err, fs.ErrNotExist) || err == nil && hex.EncodeToString(sum[:]) != f.SHA256:
		return fmt.Errorf("%s: %w", f.Path, errAltered)
	case err != nil:
		return err
	}
	return h.Replace(to+"/"+f.Path, data, host.Perm{Mode: f.Mode})
}

// kept returns the manifest of the wanted version if that was there before and
// still is, unaltered and with the digest that is asked for; nil when it has to
// be fetched.
func (t *Tarball) kept(r host.Reader, l *tarballLook) (*manifest, error) {
	dir := t.keptDir(l.want)
	// Anybody of the runner's group can make such a directory, but not give it
	// to root.
	info, err := r.Lstat(dir)
	if err != nil || !info.IsDir() || info.UID != 0 || t.AutoUpdate {
		return nil, nil
	}
	m, err := readManifest(r, dir, true)
	if err != nil || m == nil || m.version != l.want || l.sha256 != "" && m.archive != l.sha256 {
		return nil, err
	}
	found := &tarballLook{manifest: m}
	c := &comparison{l: found, t: t, r: r, distrust: map[string]bool{}}
	for _, f := range m.files {
		if atTop(f) {
			if sum, err := digestOf(r, dir+"/"+f.Path); err != nil || sum != f.SHA256 {
				return nil, nil
			}
			continue
		}
		if err := c.file(f); err != nil {
			return nil, err
		}
	}
	if err := c.listings(); err != nil || len(found.tree) > 0 || len(found.perms) > 0 {
		return nil, err
	}
	return m, nil
}

// comeBack puts a kept version in place, without fetching anything. From its
// first change on, until the manifest is written, the next apply begins anew.
func (t *Tarball) comeBack(ctx context.Context, h host.Host, m *manifest) error {
	reconcile.Progress(ctx)("putting runner " + m.version + " in place, which is still here")
	if err := h.Remove(t.Dir + "/" + manifestName); err != nil {
		return err
	}
	for _, f := range m.files {
		if !atTop(f) {
			continue
		}
		if err := makeWay(h, t.Dir+"/"+f.Path, false); err != nil {
			return err
		}
		if err := copyBelow(h, t.keptDir(m.version), t.Dir, f); err != nil {
			return fmt.Errorf("cannot put %s of runner %s in place: %w", f.Path, m.version, err)
		}
	}
	for _, name := range []string{"bin", "externals"} {
		if err := t.flip(h, name, name+"."+m.version); err != nil {
			return err
		}
	}
	if err := t.writeManifest(h, m); err != nil {
		return err
	}
	return h.RemoveAll(t.keptDir(m.version))
}

// staleKept lists what is kept of versions that are in place, or gone: nobody
// comes back to those. While no version is whole, all of it may be needed.
func (t *Tarball) staleKept(r host.Reader, m *manifest) []string {
	if m == nil {
		return nil
	}
	all, _ := r.Glob(t.Dir + "/" + keptPrefix + "*") // the pattern is well-formed
	return slices.DeleteFunc(all, func(path string) bool {
		version := strings.TrimPrefix(path, t.Dir+"/"+keptPrefix)
		there, _ := exists(r, t.Dir+"/bin."+version)
		return there && version != m.version
	})
}
