package resources

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// Where the JDK's repository is written. /etc/apt/keyrings is for keys that the
// host's administration brings (sources.list(5)).
const (
	jdkSources = "/etc/apt/sources.list.d/benchctl-jdk.sources"
	jdkKeyring = "/etc/apt/keyrings/benchctl-jdk.gpg"
)

// An aptRepository is a signed repository as two files: the source in deb822
// form and the key that it names.
type aptRepository struct {
	spec.AptRepository
}

// text is the source file. "Signed-By: KEYRING FINGERPRINT" makes apt accept
// only signatures of that key, or of its subkeys, out of that keyring: seen
// with apt 2.6 (gpgv) and 3.0 (sqv), which refuse another key in the same
// keyring and a keyring without the key.
func (p aptRepository) text(r host.Reader) string {
	suite, components := p.Suite, "Components: main\n"
	if suite == "" {
		suite = readRelease(r).Codename
	}
	if strings.HasSuffix(suite, "/") { // a flat repository has none
		components = ""
	}
	return fmt.Sprintf("# Written by benchctl from runner.yaml (jdk); changes here are undone.\n"+
		"Types: deb\nURIs: %s\nSuites: %s\n%sArchitectures: %s\nSigned-By: %s %s\n",
		p.URL, suite, components, dpkgArch(), jdkKeyring, p.Fingerprint)
}

// diff compares both files. p is nil where no repository is wanted: one that an
// earlier spec asked for has to go.
func (p *aptRepository) diff(r host.Reader) ([]reconcile.Change, error) {
	have, err := r.ReadFile(jdkSources)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("cannot read %s: %w", jdkSources, err)
	case p == nil && err != nil:
		return nil, nil
	case p == nil:
		return []reconcile.Change{packageChange("repository", host.Printable(uriOf(have)), "none")}, nil
	}
	var changes []reconcile.Change
	if want := p.text(r); string(have) != want {
		changes = append(changes, packageChange("repository", p.describe(have), host.Printable(p.URL)))
	}
	if key := keyCondition(r, p.Fingerprint); key != p.Fingerprint {
		changes = append(changes, packageChange("key", key, p.Fingerprint))
	}
	return changes, nil
}

// describe says what a source file has that is not the wanted one.
func (p *aptRepository) describe(have []byte) string {
	uri := host.Printable(uriOf(have))
	if uri == host.Printable(p.URL) {
		return uri + ", altered in " + jdkSources
	}
	return uri
}

func uriOf(sources []byte) string {
	for line := range bytes.Lines(sources) {
		if uri, ok := strings.CutPrefix(string(line), "URIs: "); ok {
			return strings.TrimSpace(uri)
		}
	}
	return "absent"
}

// keyCondition is the wanted fingerprint when the keyring holds it, else what
// there is instead.
func keyCondition(r host.Reader, want string) string {
	data, err := r.ReadFile(jdkKeyring)
	if err != nil {
		return "absent"
	}
	found, err := fingerprints(data)
	switch {
	case err != nil:
		return "unreadable"
	case slices.Contains(found, want):
		return want
	}
	return found[0]
}

// add writes the key and the source and fetches the repository's lists. When
// apt refuses them, the source is as it was before: a broken one would stand in
// the way of every apt-get update.
func (p *aptRepository) add(ctx context.Context, h host.Host, a *Apt) error {
	if err := p.addKey(ctx, h); err != nil {
		return err
	}
	before, err := h.ReadFile(jdkSources)
	had := err == nil
	readable := host.Perm{Mode: 0o644} // apt reads both files as the user _apt
	if err := h.Replace(jdkSources, []byte(p.text(h)), readable); err != nil {
		return err
	}
	if err := a.updateFrom(ctx, h, jdkSources); err != nil {
		undo := h.Remove(jdkSources)
		if had {
			undo = h.Replace(jdkSources, before, readable)
		}
		return errors.Join(err, undo)
	}
	return nil
}

// addKey fetches the key anew, since its expiry may have been moved. One that
// is there already will do when that fails.
func (p *aptRepository) addKey(ctx context.Context, h host.Host) error {
	key, err := p.fetchKey(ctx, h)
	if err != nil {
		if keyCondition(h, p.Fingerprint) == p.Fingerprint {
			return nil
		}
		return err
	}
	if have, err := h.ReadFile(jdkKeyring); err == nil && bytes.Equal(have, key) {
		return nil
	}
	if err := bringParents(h, "/etc/apt/keyrings"); err != nil {
		return err
	}
	if err := h.Mkdir("/etc/apt/keyrings", host.Perm{Mode: 0o755}); err != nil {
		return err
	}
	return h.Replace(jdkKeyring, key, host.Perm{Mode: 0o644})
}

func (p *aptRepository) fetchKey(ctx context.Context, h host.Host) ([]byte, error) {
	data, err := h.Fetch(ctx, p.Key, maxKey, false)
	if err != nil {
		return nil, err
	}
	key, err := dearmour(data)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s as a key: %w; check jdk.repository.key", host.Printable(p.Key), err)
	}
	found, err := fingerprints(key)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s as a key: %w; check jdk.repository.key", host.Printable(p.Key), err)
	}
	if !slices.Contains(found, p.Fingerprint) {
		return nil, fmt.Errorf("cannot trust the key at %s: its fingerprint is %s and not %s; compare with what the vendor publishes",
			host.Printable(p.Key), found[0], p.Fingerprint)
	}
	return key, nil
}

// dropRepository removes what add wrote.
func dropRepository(h host.Host) error {
	return errors.Join(h.Remove(jdkSources), h.Remove(jdkKeyring))
}
