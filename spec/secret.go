package spec

import (
	"bytes"
	"regexp"
	"strings"
)

// What to do about a secret in the file.
const (
	useTokenFile   = "take it out, revoke it, and see github.tokenFile or GITHUB_TOKEN for where credentials go"
	useWebhookFile = "put it into a file of root's, mode 0600, and name that file with notify.webhookFile"
)

// The shapes of secrets that are refused wherever they stand, comments
// included: a spec is read by everyone and kept in a repository. Whoever knows
// the address of a chat's webhook can post there.
// https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
// https://discord.com/developers/docs/resources/webhook#execute-webhook
var secretShapes = []struct {
	what, sign string // sign is in every secret of the shape
	shape      func() *regexp.Regexp
	next       string
}{
	{"a GitHub token", "ghp_", pattern(`ghp_[A-Za-z0-9_.-]{16,}`), useTokenFile},
	{"a GitHub token", "gho_", pattern(`gho_[A-Za-z0-9_.-]{16,}`), useTokenFile},
	{"a GitHub token", "ghu_", pattern(`ghu_[A-Za-z0-9_.-]{16,}`), useTokenFile},
	{"a GitHub token", "ghs_", pattern(`ghs_[A-Za-z0-9_.-]{16,}`), useTokenFile},
	{"a GitHub token", "ghr_", pattern(`ghr_[A-Za-z0-9_.-]{16,}`), useTokenFile},
	{"a GitHub token", "github_pat_", pattern(`github_pat_[A-Za-z0-9_]{16,}`), useTokenFile},
	{"a private key", "PRIVATE KEY", pattern(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?s:.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\z))`), useTokenFile},
	{"a Slack webhook", "hooks.slack.com/", pattern(`hooks\.slack\.com/[a-z]+/[A-Za-z0-9_/.-]{16,}`), useWebhookFile},
	{"a Discord webhook", "/api/webhooks/", pattern(`discord(?:app)?\.com(?::[0-9]+)?/api/webhooks/[A-Za-z0-9_/.-]{16,}`), useWebhookFile},
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
			l.at(line, col, "", "this looks like "+s.what+", and a secret does not belong in this file", s.next)
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

// webhookPath is what of a webhook's address can be a secret: all after the host.
var webhookPath = pattern(`(?i)webhook["']?\s*:\s*["']?https?://[^/?\s"']+[/?]([^\s"'}]+)`)

// maskSecrets is the part of mask that has to see a text as a whole: a key has
// many lines, and a value may stand on the line after its key.
func maskSecrets(s string) string {
	for _, secret := range secretShapes {
		if strings.Contains(s, secret.sign) {
			s = maskGroup(secret.shape(), 0, s)
		}
	}
	if strings.Contains(s, "://") {
		s = maskGroup(webhookPath(), 1, s)
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
