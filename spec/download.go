package spec

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// download returns what a field says is to be fetched: an https URL (http from
// loopback) or the absolute path of a file.
func (l *loader) download(f *field) string {
	s := f.text()
	if !f.has() {
		return ""
	}
	if !strings.Contains(s, "://") {
		return l.absolute(f)
	}
	if u := l.web(f); u != nil {
		return s
	}
	return ""
}

// web returns the field's URL when it is one to fetch from.
func (l *loader) web(f *field) *url.URL {
	s := f.text()
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || strings.ContainsAny(s, " \t\n\"'\\<>"):
		l.fault(f, exampleHint(f), "%s is not a URL", quote(s))
	case u.User != nil:
		l.fault(f, "remove what stands before the @", "a name or a password does not belong in a URL of this file")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		l.fault(f, "write https://", "plain http lets anyone on the way change what arrives")
	case u.Scheme != "https" && u.Scheme != "http":
		l.fault(f, "write https://", "%s is not a kind of address that is understood here", quote(u.Scheme+"://"))
	case u.Fragment != "":
		l.fault(f, "remove it", "a #fragment is never sent")
	case !validHost(u):
		l.fault(f, exampleHint(f), "%s is not a host", quote(u.Host))
	default:
		return u
	}
	return nil
}

// loopback tells whether a host can only be this machine.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}

// hostName tells whether s can be a name in the DNS.
func hostName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !word(label, alnum, alnum+"-", 63) || strings.HasSuffix(label, "-") {
			return false
		}
	}
	return len(s) <= 253
}

func validHost(u *url.URL) bool {
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && !hostName(u.Hostname()) {
		return false
	}
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := net.LookupPort("tcp", u.Port())
	return err == nil && port > 0
}

// sha256 returns a digest as 64 lower-case hex digits.
func (l *loader) sha256(f *field) string {
	s := strings.TrimPrefix(strings.ToLower(f.text()), "sha256:")
	if !f.has() || len(s) == 64 && only(s, "0123456789abcdef") {
		return s
	}
	l.fault(f, "paste what sha256sum prints", "%s is not a SHA-256: 64 hex digits, this has %d characters", quote(f.text()), len(s))
	return ""
}

// undigested warns of a file whose digest nobody has said.
func (l *loader) undigested(f *field, what string) {
	if !f.has() {
		l.warn(f, "the first apply stops before using the file and prints the line to paste", "nothing says what %s must be", what)
	}
}
