package resources

import (
	"crypto/sha256"
	"encoding/hex"
)

// Bounds of what is fetched into memory, in bytes.
const (
	maxKey = 1 << 20  // a keyring is some kilobytes
	maxDeb = 64 << 20 // the Phoronix Test Suite is about one megabyte
)

// hexDigest is the SHA-256 of data in lower-case hex.
func hexDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
