package notify

import (
	"fmt"
	"strings"
	"time"
)

// The states of a notice.
const (
	Firing   = "firing"
	Resolved = "resolved"
)

// A Notice is one message, and the JSON that commands and webhooks are given.
type Notice struct {
	Text    string    `json:"text"` // all of it, for a person; what chats show
	Host    string    `json:"host"`
	Cause   string    `json:"cause"` // a word for it that never changes
	State   string    `json:"state"` // firing or resolved
	Subject string    `json:"subject"`
	Next    string    `json:"next"`  // what to do about it; "" once it is over
	Since   time.Time `json:"since"` // when it was first seen, UTC

	what  string
	again bool // it was told before, and is not over
}

// notice makes an entry of the book a message.
func (e *entry) notice(host, cause string) Notice {
	n := Notice{
		Host: plain(host), Cause: cause, State: Firing, Subject: e.Subject,
		Next: e.Next, Since: e.Since.UTC(), what: e.What,
	}
	n.Text = fmt.Sprintf("%s: %s. Seen since %s. Next: %s.", n.Host, e.What, clock(e.Since), e.Next)
	if !e.Over.IsZero() {
		n.State, n.Next = Resolved, ""
		n.Text = fmt.Sprintf("%s: over since %s: %s.", n.Host, clock(e.Over), e.What)
	}
	return n
}

// clock is a moment as people and logs have it.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// gib is a number of bytes for a person.
func gib(n uint64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// names lists a few words and how many more there are.
func names(all []string) string {
	const most = 6
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}

// plain leaves of a name what cannot mean anything to a terminal, a chat or
// Markdown.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/", r) {
			return r
		}
		return '?'
	}, s)
	return s[:min(len(s), 100)]
}
