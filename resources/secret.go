package resources

import "regexp"

// secretName matches the names of variables whose values no report shows: what
// somebody put into a runner's environment by hand is often one.
var secretName = regexp.MustCompile(`(?i)token|secret|passw|passphrase|credential|private|api_?key|(^|_)(key|pat|auth)$`)

// NamedSecret reports whether a variable is named like one whose value is nobody's
// business.
func NamedSecret(name string) bool { return secretName.MatchString(name) }

// password is the one inside a URL, such as a proxy's.
var password = regexp.MustCompile(`(://[^/@\s:]*:)[^/@\s]*@`)

// discreet makes a variable's two values fit for a report. Those that then look
// alike are told apart in words.
func discreet(name, have, want string) (string, string) {
	h, w := withoutSecret(name, have), withoutSecret(name, want)
	if h == w && have != want {
		h += " (another)"
	}
	return h, w
}

func withoutSecret(name, value string) string {
	if NamedSecret(name) && value != "" {
		return "(not shown)"
	}
	return password.ReplaceAllString(value, "${1}...@")
}
