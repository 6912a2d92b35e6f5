package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// trustFile records the digests that an operator accepted unseen with
// --trust-on-first-use, in sha256sum(1)'s format: the digest, two spaces, the
// source. From then on the source has to have that digest.
const trustFile = "/var/lib/benchctl/trusted"

// trustedDigest returns the digest once accepted for a source, or "".
func trustedDigest(r host.Reader, source string) string {
	text, _ := r.ReadFile(trustFile)
	for line := range bytes.Lines(text) {
		digest, name, ok := strings.Cut(strings.TrimRight(string(line), "\n"), "  ")
		if ok && name == host.Printable(source) {
			return digest
		}
	}
	return ""
}

// recordTrust adds a source's digest to the record.
func recordTrust(h host.Host, source, digest string) error {
	text, err := h.ReadFile(trustFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if trustedDigest(h, source) == digest {
		return nil
	}
	if err := h.Mkdir(path.Dir(trustFile), host.Perm{Mode: 0o700}); err != nil {
		return err
	}
	text = fmt.Appendf(text, "%s  %s\n", digest, host.Printable(source))
	return h.Replace(trustFile, text, host.Perm{Mode: 0o600})
}

// unpinned is the error about a file of which nobody said what it should be.
// It ends with the line to paste.
func unpinned(source, key, digest string) error {
	return fmt.Errorf("cannot use %s: nothing says which digest it should have; compare this one with its publisher's and put it under %s in the spec, or accept it with --trust-on-first-use:\n    sha256: %s",
		host.Printable(source), key, digest)
}

// misfit is the error about a file that is not the wanted one.
func misfit(source, have, want string) error {
	return fmt.Errorf("cannot use %s: it has sha256 %s and not %s; compare the spec's digest (or the one accepted earlier, in "+trustFile+") with its publisher's, and see whether the address still serves that version",
		host.Printable(source), have, want)
}

// unpackError says what an archive that was not unpacked is, and what to do.
// key is where the spec has its digest.
func unpackError(err error, key string) error {
	var wrong *host.DigestError
	switch {
	case !errors.As(err, &wrong):
		return err
	case wrong.Begins != "":
		return fmt.Errorf("cannot use %s: it is no archive but begins with %s; check the address, and what stands between here and there", wrong.Source, wrong.Begins)
	case wrong.Want == "":
		return unpinned(wrong.Source, key, wrong.Have)
	}
	return misfit(wrong.Source, wrong.Have, wrong.Want)
}
