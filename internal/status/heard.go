package status

import (
	"regexp"
	"strings"
)

// What a Listener says, as far as a person wants to know (Runner.cs,
// MessageListener.cs, BrokerMessageListener.cs and JobDispatcher.cs of the
// runner). All but the first begin with the Listener's own clock. A job's name
// is its author's to choose, so only what stands at its place counts.
const (
	connected   = "Connected to GitHub"
	listening   = "Listening for Jobs"
	reconnected = "Runner reconnected"
	running     = "Running job: "
	completed   = "Job "
	lost        = "Runner connect error: "
)

var (
	connection = regexp.MustCompile(`^(?:√ )?Connected to GitHub$`)
	stamped    = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ: (.+)$`)
	result     = regexp.MustCompile(`^Job (.*) completed with result: (\w+)$`)
)

// heard says which of these a message is, "" for none, and what follows it.
func heard(text string) (what, rest string) {
	text = strings.TrimSpace(text)
	if connection.MatchString(text) {
		return connected, ""
	}
	m := stamped.FindStringSubmatch(text)
	if m == nil {
		return "", ""
	}
	for _, what := range []string{listening, reconnected, running, lost} {
		if rest, ok := strings.CutPrefix(m[1], what); ok {
			return what, rest
		}
	}
	if result.MatchString(m[1]) {
		return completed, m[1]
	}
	return "", ""
}
