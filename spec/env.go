package spec

import (
	"strings"
	"unicode"
)

func envName(s string) bool { return word(s, lower+upper+"_", alnum+"_", 255) }

// env reads the variables of jobs. They are written to the runner's .env, one
// a line, and everything on the host can read them.
func (l *loader) env(f *field, jdk bool) map[string]string {
	vars := map[string]string{}
	for _, v := range f.each() {
		name, value := v.key.Value, v.text()
		if hint, msg := envFault(name, value, jdk); msg != "" {
			l.fault(v, hint, "%s", msg)
		}
		vars[name] = value
	}
	return vars
}

// envFault says what is wrong with a variable, and the next step.
func envFault(name, value string, jdk bool) (hint, msg string) {
	upper := strings.ToUpper(name)
	switch {
	case !envName(name):
		return "use letters, digits and _", quote(name) + " is not a name for a variable"
	case strings.HasPrefix(upper, "ACTIONS_RUNNER_") || strings.HasPrefix(upper, "RUNNER_") || strings.HasPrefix(upper, "GITHUB_"):
		return "remove it", "variables that begin so steer the runner itself; it and benchctl set them"
	case upper == "PATH":
		return "remove it; a job adds to it with GITHUB_PATH", "PATH is made of the JDK and the system's directories"
	case upper == "JAVA_HOME" && jdk:
		return "remove it, or jdk", "JAVA_HOME follows from jdk"
	case secretName(name):
		return "remove it; a workflow passes secrets.NAME to the step that needs it", "this is named like a secret, and every job and user of the host could read it"
	case strings.ContainsFunc(value, unicode.IsControl):
		return "write it on one line", "a value has one line and no control characters"
	case len(value) > 8192:
		return "shorten it", "the value has more than 8192 bytes"
	}
	return "", ""
}

// secretName tells whether a key or a variable is named like a secret.
func secretName(name string) bool {
	name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	for _, end := range []string{"TOKEN", "PASSWORD", "PASSWD", "SECRET", "PAT", "API_KEY", "APIKEY", "PRIVATE_KEY", "PRIVATEKEY"} {
		if name == end || strings.HasSuffix(name, "_"+end) || len(end) > 4 && strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}
