package lab

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrNoMirror says that a distribution's archive could not be reached, so that
// a test that needs it did not run at all.
var ErrNoMirror = errors.New("the archive cannot be reached")

// reach asks for the head of a file of an archive.
func reach(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body, err := open(ctx, http.MethodHead, url)
	if err != nil {
		return err
	}
	return body.Close()
}

// open requests a file of an archive; every failure is ErrNoMirror.
func open(ctx context.Context, method, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoMirror, err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%w: GET %s: %s", ErrNoMirror, url, resp.Status)
	}
	return resp.Body, nil
}

func fetch(ctx context.Context, url string) ([]byte, error) {
	body, err := open(ctx, http.MethodGet, url)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("%w: GET %s: %w", ErrNoMirror, url, err)
	}
	return data, nil
}

// fetchKeyring writes to path the one key that may sign the release's archive.
// It is taken out of the archive's own keyring package; what makes it worth
// trusting is its fingerprint alone.
func fetchKeyring(ctx context.Context, r Release, path string) error {
	deb, err := fetchPackage(ctx, r, "ubuntu-keyring")
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "lab-keyring-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(tmp, "keyring.deb")
	if err := os.WriteFile(file, deb, 0o600); err != nil {
		return err
	}
	if _, err := output(ctx, "dpkg-deb", "--extract", file, tmp); err != nil {
		return err
	}
	gpg := exec.CommandContext(ctx, "gpg", "--homedir", tmp, "--batch", "--no-default-keyring",
		"--keyring", filepath.Join(tmp, "usr/share/keyrings/ubuntu-archive-keyring.gpg"), "--export", r.keyID)
	key, err := finish(gpg)
	if err != nil {
		return err
	}
	if len(key) == 0 {
		return fmt.Errorf("the keyring package of %s does not hold the key %s", r, r.keyID)
	}
	return os.WriteFile(path, key, 0o644)
}

// fetchPackage downloads a package of the release's main component, verified
// by the digest in the package index.
func fetchPackage(ctx context.Context, r Release, name string) ([]byte, error) {
	packed, err := fetch(ctx, r.mirror+"/dists/"+r.suite+"/main/binary-amd64/Packages.gz")
	if err != nil {
		return nil, err
	}
	unpacker, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	index, err := io.ReadAll(unpacker)
	if err != nil {
		return nil, err
	}
	fields := stanza(string(index), name)
	deb, err := fetch(ctx, r.mirror+"/"+fields["Filename"])
	if err != nil {
		return nil, err
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(deb)); got != fields["SHA256"] {
		return nil, fmt.Errorf("the package %s has the digest %s, its index says %s", name, got, fields["SHA256"])
	}
	return deb, nil
}

// stanza returns the fields of one package in a Packages file.
func stanza(index, name string) map[string]string {
	fields := map[string]string{}
	_, rest, _ := strings.Cut("\n"+index, "\nPackage: "+name+"\n")
	text, _, _ := strings.Cut(rest, "\n\n")
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			fields[key] = value
		}
	}
	return fields
}
