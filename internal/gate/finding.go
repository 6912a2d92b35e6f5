package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Verdict is what a check came to.
type Verdict string

// The verdicts. The policy decides on what differs and on what is unknown.
const (
	InStep      Verdict = "in step"
	Differs     Verdict = "differs"
	Unknown     Verdict = "unknown"
	Noted       Verdict = "noted"       // worth a warning under any policy, and no reason to fail
	Unsupported Verdict = "unsupported" // this host cannot tell, and never will
)

// A Finding is what one check found, in words that hold nothing which could
// speak to the runner or to a terminal.
type Finding struct {
	Check   string
	Verdict Verdict
	Text    string
}

func inStep(format string, args ...any) Finding {
	return Finding{"", InStep, fmt.Sprintf(format, args...)}
}
func differs(format string, args ...any) Finding {
	return Finding{"", Differs, fmt.Sprintf(format, args...)}
}
func unknown(format string, args ...any) Finding {
	return Finding{"", Unknown, fmt.Sprintf(format, args...)}
}
func noted(format string, args ...any) Finding {
	return Finding{"", Noted, fmt.Sprintf(format, args...)}
}

func unsupported(format string, args ...any) Finding {
	return Finding{"", Unsupported, fmt.Sprintf(format, args...)}
}

// cannotSee is what an error leaves of a finding.
func cannotSee(err error) Finding { return unknown("cannot be seen: %s", plain(err.Error())) }

// A Report is all that the gate found at one moment.
type Report struct {
	Moment   Moment
	Host     string // its name, kernel and CPUs
	Revision string // of the expectation; "" without one
	Findings []Finding
	Elapsed  time.Duration
}

// Has reports whether some finding has the verdict.
func (r Report) Has(v Verdict) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Verdict == v })
}

// Bad reports whether the policy has to decide.
func (r Report) Bad() bool { return r.Has(Differs) || r.Has(Unknown) }

// plain makes text of others fit for one line of a job's log, where a runner
// takes "##[" for the beginning of a command wherever it stands.
func plain(text string) string {
	const longest = 300
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "..."
	}
	return strings.ReplaceAll(text, "##[", "# #[")
}
