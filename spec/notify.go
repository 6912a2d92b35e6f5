package spec

import (
	"net/url"
	"strings"
)

// notify reads who is told when a host needs somebody.
func (l *loader) notify(f *field, s *Spec) *Notify {
	if !f.has() {
		return nil
	}
	n := &Notify{
		Command:     l.rootFile(f.get("command"), s.User.Home),
		Webhook:     l.webhook(f.get("webhook")),
		WebhookFile: l.rootFile(f.get("webhookFile"), s.User.Home),
		Issue:       f.get("issue").flag(),
	}
	if f.hollow() {
		l.fault(f, "add command, webhook, webhookFile or issue: true", "names nobody to tell")
	}
	if n.Issue && s.Runner.URL.Scope != "" && s.Runner.URL.Scope != Repository {
		l.fault(f.get("issue"), "use webhook, webhookFile or command", "the runner belongs to no single repository, so there is none to keep an issue in")
	}
	if s.Schedule == nil {
		l.warn(f, `add schedule: "*/30 * * * *"`, "without a schedule nobody looks by itself, and only an apply by hand tells anyone")
	}
	return n
}

// webhook reads an address to post to. One that is itself the right to post is
// a secret, and stands in a file of root's.
func (l *loader) webhook(f *field) string {
	if !f.has() || secretShaped(f.text()) { // refused already, where it stands
		return ""
	}
	u := l.web(f)
	switch {
	case u == nil:
	case grantsItself(u):
		l.fault(f, useWebhookFile, "whoever reads this address can post there, and this file is no place for secrets")
	default:
		return f.text()
	}
	return ""
}

func secretShaped(s string) bool { return maskSecrets(s) != s }

// grantsItself tells whether an address carries what only its owner should
// know, as those that chats hand out do.
func grantsItself(u *url.URL) bool {
	for name := range u.Query() {
		if secretName(name) || strings.EqualFold(name, "key") || strings.HasPrefix(strings.ToLower(name), "sig") {
			return true
		}
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if random(segment) {
			return true
		}
	}
	return false
}

// random tells whether a part of a path looks drawn by lot: a UUID, or letters
// and digits mixed in one long word.
func random(s string) bool {
	if bare := strings.ReplaceAll(s, "-", ""); len(bare) == 32 && only(strings.ToLower(bare), digits+"abcdef") {
		return true
	}
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("-_.~@", r) }) {
		if len(word) >= 16 && strings.ContainsAny(word, digits) && strings.ContainsAny(word, lower+upper) {
			return true
		}
	}
	return false
}

// DefaultMetrics is where the agent's metrics are, unless the file says where.
const DefaultMetrics = "/run/benchctl/benchctl.prom"

// metrics reads the file for node_exporter, which takes those in .prom alone.
func (l *loader) metrics(f *field, s *Spec) string {
	if !f.has() {
		if s.Schedule != nil {
			return DefaultMetrics
		}
		return ""
	}
	p := l.rootFile(f, s.User.Home)
	if p != "" && (!strings.HasSuffix(p, ".prom") || strings.HasSuffix(p, "/.prom")) {
		l.fault(f, "write "+strings.TrimSuffix(p, "/.prom")+".prom", "%s does not end in .prom, and node_exporter reads no other file", p)
		return ""
	}
	return p
}
