package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a [Problem] keeps the file from being used.
type Severity string

// The two severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// A Problem is one thing wrong in a runner.yaml, where it is and what to do.
type Problem struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`           // from 1
	Col      int      `json:"col"`            // from 1, in characters
	Path     string   `json:"path,omitempty"` // runner.labels[2]; "" is the file as a whole
	Severity Severity `json:"severity"`
	Msg      string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`    // the next step
	Excerpt  string   `json:"excerpt,omitempty"` // the line, secrets masked, cut when long

	nth   int // of the files
	caret int // characters of Excerpt before the caret
}

// String is the problem as a person reads it: place and message, the line, and
// a caret with the next step.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Col)
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	fmt.Fprintf(&b, "%s\n%5d | %s\n      | %s^", p.Msg, p.Line, p.Excerpt, blank(p.Excerpt, p.caret))
	if p.Hint != "" {
		b.WriteString(" " + p.Hint)
	}
	return b.String()
}

// Problems is everything wrong in a file, sorted by place. It is the error
// that [Load] returns.
type Problems []Problem

// Error is all of them, one after another.
func (ps Problems) Error() string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.String()
	}
	return strings.Join(texts, "\n")
}

// of returns those of one severity.
func (ps Problems) of(s Severity) Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Severity != s })
}

func (ps Problems) sort() {
	slices.SortFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.nth, b.nth), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col),
			strings.Compare(a.Path, b.Path), strings.Compare(a.Msg, b.Msg))
	})
}
