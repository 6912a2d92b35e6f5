package host

import (
	"fmt"
	"net/url"
)

// An Archive is a tar.gz and where its contents are to lie.
type Archive struct {
	Source string // http or https URL, or an absolute path
	SHA256 string // what it must be, in lower-case hex; "" when nobody knows
	Trust  bool   // with SHA256 "": take what comes, and say what it was
	Dir    string // made here, never reused; its parent exists
	Strip  int    // leading path components to take off, as tar's --strip-components
	UID    int    // owner of everything; 0 is root
	GID    int
	// Progress, if set, is called now and then with the bytes that came and
	// those that will come; total is -1 when the source does not say.
	Progress func(done, total int64)
}

// Unpacked is what an archive became.
type Unpacked struct {
	SHA256 string // of the archive
	Size   int64  // of the archive, in bytes
	Files  []UnpackedFile
}

// An UnpackedFile is one file below Archive.Dir, as it lies there.
type UnpackedFile struct {
	Path string // relative, with slashes
	Info
	Target string // of a symbolic link
	SHA256 string // of a regular file, in lower-case hex
}

// A DigestError is an archive that is not what was wanted, or of which nobody
// said what it should be.
type DigestError struct {
	Source     string // without credentials or query
	Have, Want string // SHA-256 in lower-case hex; Want is "" when nobody said
	Begins     string // what it looks like instead, "" when it looks like an archive
}

// Error names both digests, so that either can be copied.
func (e *DigestError) Error() string {
	looks := ""
	if e.Begins != "" {
		looks = ", and begins with " + e.Begins
	}
	if e.Want == "" {
		return fmt.Sprintf("nothing says which digest %s should have; it has sha256 %s%s", e.Source, e.Have, looks)
	}
	return fmt.Sprintf("%s is not the wanted file: it has sha256 %s%s, wanted %s", e.Source, e.Have, looks, e.Want)
}

// Printable is a source without what could be a secret in it: user, password
// and query.
func Printable(source string) string {
	u, err := url.Parse(source)
	if err != nil || u.Host == "" {
		return source
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
