package status

import (
	"fmt"
	"strings"
	"unicode"
)

// The most that is kept of a text, in characters.
const (
	longName     = 120 // of what a job is called
	longSentence = 600
)

// tidy makes what others wrote fit for a terminal: on one line, without anything
// that could move a cursor or turn the direction of writing, and cut.
func tidy(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ") {
		if n++; n == most {
			b.WriteRune('…')
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
