package spec

import "strings"

// Vendors of a JDK that need no further words.
const (
	Distribution = "distribution"
	Temurin      = "temurin"
)

// Adoptium's apt repository and the fingerprint of the key that signs it,
// "Adoptium GPG Key (DEB/RPM Signing Key)".
// https://adoptium.net/installation/linux
const (
	temurinURL         = "https://packages.adoptium.net/artifactory/deb"
	temurinKey         = "https://packages.adoptium.net/artifactory/api/gpg/key/public"
	temurinFingerprint = "3B04D753C9050D9A5D343F39843C48A565F8F04B"
)

func majorVersion(s string) bool { return word(s, "123456789", digits, 2) }

func (l *loader) jdk(f *field) *JDK {
	if !f.has() {
		return nil
	}
	repository, archive, digest := f.get("repository"), f.get("archive"), f.get("sha256")
	j := &JDK{
		Version: l.jdkVersion(f.get("version")),
		Vendor:  f.get("vendor").text(),
		Archive: l.download(archive),
		SHA256:  l.sha256(digest),
	}
	l.jdkOrigin(f, j)
	if j.Vendor == "" && !repository.has() && !archive.has() {
		j.Vendor = Distribution
	}
	if repository.has() || j.Vendor == Temurin {
		j.Repository = l.repository(repository, j.Vendor == Temurin)
	}
	switch {
	case archive.has():
		l.undigested(digest, "the archive")
	case digest.has():
		l.fault(digest, "remove it, or add archive", "sha256 is the digest of an archive, and there is none: apt checks packages by their signatures")
	}
	return j
}

// jdkOrigin checks that the JDK comes from one place.
func (l *loader) jdkOrigin(f *field, j *JDK) {
	repository, archive, vendor := f.get("repository"), f.get("archive"), f.get("vendor")
	switch {
	case repository.has() && archive.has():
		l.fault(archive, "keep one of the two", "the JDK comes from repository or from archive, not from both")
	case archive.has() && j.Vendor != "":
		l.fault(vendor, "remove vendor, or archive", "the JDK comes from archive, so vendor has no meaning")
	case repository.has() && j.Vendor == Distribution:
		l.fault(vendor, "remove vendor, or repository", "the JDK comes from repository, so it is not the distribution's")
	}
}

func (l *loader) jdkVersion(f *field) string {
	v := f.text()
	major, rest, cut := strings.Cut(v, ".")
	if major == "1" {
		major, _, _ = strings.Cut(rest, ".")
	}
	switch {
	case !f.has() || majorVersion(v):
	case cut && majorVersion(major):
		l.fault(f, "write "+major, "%s says more than the major version, which is all that can be chosen", quote(v))
	default:
		l.fault(f, "write a major version such as 21", "%s is not a major version of Java", quote(v))
	}
	return v
}

// repository reads a signed apt repository. Temurin's fills what is not said,
// so that a mirror needs one key.
func (l *loader) repository(f *field, temurin bool) *AptRepository {
	r := &AptRepository{
		Suite:       f.get("suite").text(),
		Key:         l.download(f.get("key")),
		Fingerprint: l.fingerprint(f.get("fingerprint")),
		Package:     f.get("package").text(),
	}
	if f.get("url").has() && l.web(f.get("url")) != nil {
		r.URL = strings.TrimRight(f.get("url").text(), "/")
	}
	for key, value := range map[string]struct {
		at       *string
		fallback string
	}{"url": {&r.URL, temurinURL}, "key": {&r.Key, temurinKey}, "fingerprint": {&r.Fingerprint, temurinFingerprint}} {
		switch {
		case f.get(key).node != nil:
		case temurin:
			*value.at = value.fallback
		default:
			l.fault(f.get(key), "add "+key+": "+example(f.get(key))+" (this one is Temurin's)", "is missing")
		}
	}
	return r
}

// fingerprint returns 40 upper-case hex digits.
func (l *loader) fingerprint(f *field) string {
	print := strings.TrimPrefix(strings.ToUpper(strings.Join(strings.Fields(f.text()), "")), "0X")
	switch {
	case !f.has() || len(print) == 40 && only(print, "0123456789ABCDEF"):
		return print
	case len(print) == 8 || len(print) == 16:
		l.fault(f, "take all 40 digits from `gpg --show-keys --with-fingerprint`", "%s is a key ID, which can be forged", quote(f.text()))
	default:
		l.fault(f, "take all 40 digits from `gpg --show-keys --with-fingerprint`", "%s is not a fingerprint: 40 hex digits, this has %d characters", quote(f.text()), len(print))
	}
	return ""
}
