package resources

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Bounds of what is fetched into memory, in bytes.
const (
	maxKey = 1 << 20  // a keyring is some kilobytes
	maxDeb = 64 << 20 // the Phoronix Test Suite is about one megabyte
)

// withoutQuery is a source as it may be printed.
func withoutQuery(source string) string { return host.Printable(source) }

// hexDigest is the SHA-256 of data in lower-case hex.
func hexDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
