// Package examples holds the spec that somebody without the source begins with.
package examples

import (
	"bytes"
	_ "embed"
)

//go:embed minimal.yaml
var minimal []byte

// Minimal is minimal.yaml without its first line, which tells an editor where in
// the source the schema is.
func Minimal() []byte {
	_, text, _ := bytes.Cut(minimal, []byte("\n#\n"))
	return text
}
