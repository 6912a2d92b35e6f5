// Package listener reads what the runner's Listener says in the journal of its
// unit, as far as a person wants to know. It was observed in Runner.cs,
// MessageListener.cs, BrokerMessageListener.cs and JobDispatcher.cs of the
// runner; its wording is no contract.
package listener

import (
	"regexp"
	"strings"
)

// What a Listener says. All but the first begin with the Listener's own clock.
// A job's name is its author's to choose, so only what stands at its place
// counts.
const (
	Connected   = "Connected to GitHub"
	Listening   = "Listening for Jobs"
	Reconnected = "Runner reconnected"
	Running     = "Running job: "          // followed by the job's name
	Completed   = "Job "                   // see [Result]
	Lost        = "Runner connect error: " // followed by why
)

var (
	connection = regexp.MustCompile(`^(?:√ )?Connected to GitHub$`)
	stamped    = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ: (.+)$`)
	result     = regexp.MustCompile(`^Job (.*) completed with result: (\w+)$`)
)

// Heard says which of these a message is, "" for none, and what follows it; of
// [Completed], it is the whole.
func Heard(text string) (what, rest string) {
	text = strings.TrimSpace(text)
	if connection.MatchString(text) {
		return Connected, ""
	}
	m := stamped.FindStringSubmatch(text)
	if m == nil {
		return "", ""
	}
	for _, what := range []string{Listening, Reconnected, Running, Lost} {
		if rest, ok := strings.CutPrefix(m[1], what); ok {
			return what, rest
		}
	}
	if result.MatchString(m[1]) {
		return Completed, m[1]
	}
	return "", ""
}

// Result takes the job's name and what came of it (Succeeded, Failed, Canceled,
// ...) from what follows [Completed].
func Result(completed string) (name, came string) {
	parts := result.FindStringSubmatch(completed)
	if parts == nil {
		return "", ""
	}
	return parts[1], parts[2]
}
