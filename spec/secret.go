package spec

import (
	"bytes"
	"regexp"
	"strings"
)

// The shapes of secrets that are refused wherever they stand, comments
// included: a spec is read by everyone and kept in a repository.
// https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
var secretShapes = []struct {
	what, sign string // sign is in every secret of the shape
	shape      func() *regexp.Regexp
}{
	{"a GitHub token", "ghp_", pattern(`ghp_[A-Za-z0-9_.-]{16,}`)},
	{"a GitHub token", "gho_", pattern(`gho_[A-Za-z0-9_.-]{16,}`)},
	{"a GitHub token", "ghu_", pattern(`ghu_[A-Za-z0-9_.-]{16,}`)},
	{"a GitHub token", "ghs_", pattern(`ghs_[A-Za-z0-9_.-]{16,}`)},
	{"a GitHub token", "ghr_", pattern(`ghr_[A-Za-z0-9_.-]{16,}`)},
	{"a GitHub token", "github_pat_", pattern(`github_pat_[A-Za-z0-9_]{16,}`)},
	{"a private key", "PRIVATE KEY", pattern(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?s:.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\z))`)},
}

// What is not refused by its shape but never shown: what stands behind a key
// that is named like a secret, and a password in a URL.
var unshown = []func() *regexp.Regexp{
	pattern(`(?im)[\w-]*(?:token|passwd|password|secret|pat|api_?key)["']?[ \t]*[:=][ \t]+(\S.*)$`),
	pattern(`://([^/@\s"'?#]+)@`),
}

// refuseSecrets reports every secret in the text at its place.
func (l *loader) refuseSecrets() {
	for _, s := range secretShapes {
		if !bytes.Contains(l.src.text, []byte(s.sign)) {
			continue
		}
		for _, at := range s.shape().FindAllIndex(l.src.text, maxProblems) {
			before := l.src.text[:at[0]]
			line := 1 + bytes.Count(before, []byte("\n"))
			col := 1 + len([]rune(string(before[bytes.LastIndexByte(before, '\n')+1:])))
			l.at(line, col, "", "this looks like "+s.what+", and a secret does not belong in this file",
				"take it out, revoke it, and see github.tokenFile or GITHUB_TOKEN for where credentials go")
		}
	}
}

// mask puts a * in the place of every character of what must not be shown.
// Lines and columns stay what they were.
func mask(s string) string {
	s = maskSecrets(s)
	for _, shape := range unshown {
		s = maskGroup(shape(), 1, s)
	}
	return s
}

// maskSecrets is the part of mask that has to see a text as a whole: a key has
// many lines.
func maskSecrets(s string) string {
	for _, secret := range secretShapes {
		if strings.Contains(s, secret.sign) {
			s = maskGroup(secret.shape(), 0, s)
		}
	}
	return s
}

// maskGroup masks what a group of a regular expression matches.
func maskGroup(shape *regexp.Regexp, group int, s string) string {
	var b strings.Builder
	done := 0
	for _, at := range shape.FindAllStringSubmatchIndex(s, -1) {
		from, to := at[2*group], at[2*group+1]
		b.WriteString(s[done:from])
		b.WriteString(strings.Map(asterisk, s[from:to]))
		done = to
	}
	return b.String() + s[done:]
}

func asterisk(r rune) rune {
	if r == '\n' || r == '\r' || r == '\t' || r == ' ' {
		return r
	}
	return '*'
}
