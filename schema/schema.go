// Package schema holds runner.schema.json, which is the reference of
// runner.yaml: every key with its type, its description and, where it does not
// depend on another key, its default. Editors complete from it, `benchctl
// schema` prints it, and package spec validates with it.
package schema

import (
	_ "embed"
	"slices"
)

// URL is the schema's own identifier.
const URL = "https://raw.githubusercontent.com/SKaiNET-developers/benchctl/main/schema/runner.schema.json"

//go:embed runner.schema.json
var text []byte

// JSON returns the schema's text: JSON Schema draft-07, the draft that editors
// know best.
func JSON() []byte { return slices.Clone(text) }
