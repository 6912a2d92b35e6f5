package spec

import (
	"regexp"
	"strings"
	"sync"
)

// Names and numbers are told by their characters rather than by regular
// expressions, which would cost a millisecond to compile at every start.
const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
	alnum  = lower + upper + digits
)

// only tells whether s is not empty and holds characters of the set alone.
func only(s, set string) bool { return s != "" && strings.Trim(s, set) == "" }

// word tells whether s has from 1 to most characters of the set, the first of
// them one of first.
func word(s, first, set string, most int) bool {
	return only(s, set) && len(s) <= most && strings.Contains(first, s[:1])
}

// numbers tells whether s is n numbers with dots between; n may be -1.
func numbers(s string, n int) bool {
	parts := strings.Split(s, ".")
	for _, p := range parts {
		if !only(p, digits) || len(p) > 9 {
			return false
		}
	}
	return n < 0 || len(parts) == n
}

// pattern is a regular expression that is compiled when it is first needed.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
