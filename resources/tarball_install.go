package resources

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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
	m, err := readManifest(h, t.Dir, false)
	if err != nil {
		return err
	}
	for _, path := range append(left, t.staleKept(h, m)...) {
		if path == t.staged.dir {
			continue
		}
		if err := h.RemoveAll(path); err != nil {
			return fmt.Errorf("cannot remove %s, which an earlier run left: %w", path, err)
		}
	}
	return nil
}

// A stagedTarball is a version unpacked beside what is there, whole and on the
// disk, its digest matched. It is not in place yet.
type stagedTarball struct {
	dir, version string
	unpacked     host.Unpacked
}

// Prepare unpacks the wanted version while the service is still up: what cannot
// be fetched, or is not what it should be, leaves it running.
func (t *Tarball) Prepare(ctx context.Context, h host.Host) error {
	l, err := t.look(ctx, h)
	if err != nil || len(l.tree) == 0 {
		return err
	}
	info, err := h.Lstat(t.Dir)
	there := err == nil && info.IsDir()
	if !there && !t.moves {
		return nil // nothing runs yet; Apply makes the directory first
	}
	account, err := accountOf(h, t.User, t.Existing)
	if err != nil {
		return nil // Apply says so
	}
	if !there {
		if err := t.makeDir(h, account); err != nil {
			return err
		}
	}
	if err := t.sweep(h); err != nil {
		return err
	}
	if m, err := t.kept(h, l); err != nil || m != nil {
		return err
	}
	return t.stage(ctx, h, l, account)
}

// stage unpacks the wanted version, unless that was done already.
func (t *Tarball) stage(ctx context.Context, h host.Host, l *tarballLook, account host.Account) error {
	if t.staged.dir != "" && t.staged.version == l.want {
		return nil
	}
	if err := roomFor(h, t.Dir); err != nil {
		return err
	}
	// A name that nobody can guess, so that nobody can be there before us.
	dir := t.Dir + "/" + stagingPrefix + strings.ToLower(rand.Text())
	unpacked, err := t.unpack(ctx, h, l, dir, t.owner(account))
	if err == nil {
		_, err = t.tops(l, unpacked.Files) // it is a runner, and no more
	}
	if err != nil {
		return errors.Join(err, h.RemoveAll(dir))
	}
	t.staged = stagedTarball{dir, l.want, unpacked}
	return nil
}

// owner is whose the program files are: root's, unless the runner replaces
// them itself.
func (t *Tarball) owner(account host.Account) host.Account {
	if t.AutoUpdate {
		return account
	}
	return host.Account{}
}

// install puts the wanted version in place, fetched or kept. Until the first
// file moves what was there is whole; from then on, until the manifest is
// written, the next apply begins anew.
func (t *Tarball) install(ctx context.Context, h host.Host, l *tarballLook, account host.Account) error {
	m, err := t.kept(h, l)
	if err != nil {
		return err
	}
	if m != nil {
		if err := t.try(h, l, m.archive); err != nil {
			return l.unbegun(err)
		}
		return t.comeBack(ctx, h, m)
	}
	if err := t.stage(ctx, h, l, account); err != nil {
		return err
	}
	staged := t.staged
	t.staged = stagedTarball{}
	if err = t.try(h, l, staged.unpacked.SHA256); err != nil {
		return l.unbegun(errors.Join(err, h.RemoveAll(staged.dir)))
	}
	err = t.place(h, l, staged, t.owner(account))
	return errors.Join(err, h.RemoveAll(staged.dir))
}

// unbegun is an installation that failed before its first file moved. If what is
// there is whole, the service may go on with that.
func (l *tarballLook) unbegun(err error) error {
	if l.manifest == nil {
		return err
	}
	return intact{err}
}

// unpack fetches the archive, with the best digest there is.
func (t *Tarball) unpack(ctx context.Context, h host.Host, l *tarballLook, staging string, owner host.Account) (host.Unpacked, error) {
	source := l.archive()
	if t.Releases == nil && l.source == "" {
		return host.Unpacked{}, fmt.Errorf("cannot fetch runner %s: --offline forbids talking to GitHub; run again without it, or name a copy of the package with runner.archive", l.want)
	}
	want, err := t.pin(ctx, h, l, source)
	if err != nil {
		return host.Unpacked{}, err
	}
	done, err := h.Unpack(ctx, host.Archive{
		Source: source, SHA256: want, Trust: t.Trust, Dir: staging, UID: owner.UID, GID: owner.GID,
		Progress: percent(ctx, "unpacking runner "+l.want),
	})
	switch {
	case err != nil:
		return done, unpackError(err, "runner")
	case want == "":
		return done, recordTrust(h, source, done.SHA256)
	}
	return done, nil
}

// pin returns the digest that the archive must have: the spec's, the one that
// this version had when it was installed or was accepted with, GitHub's. ""
// when nobody says.
func (t *Tarball) pin(ctx context.Context, r host.Reader, l *tarballLook, source string) (string, error) {
	if l.sha256 != "" {
		return l.sha256, nil
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
