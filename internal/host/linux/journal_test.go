package linux

import (
	"slices"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// What journalctl writes for a message that is text, one that is no UTF-8, one
// that is too long to be shown, and a line that was cut off.
func TestMessagesOfTheJournal(t *testing.T) {
	t.Parallel()
	const said = `{"__REALTIME_TIMESTAMP":"1763915051000001","_SYSTEMD_INVOCATION_ID":"0123456789abcdef0123456789abcdef","MESSAGE":"√ Connected to GitHub","__CURSOR":"s=1"}
{"__REALTIME_TIMESTAMP":"1763915052000000","MESSAGE":[74,111,98,32,255,27]}
{"__REALTIME_TIMESTAMP":"1763915053000000","MESSAGE":null}
{"__REALTIME_TIMESTAMP":"17639150
`
	at := time.Date(2025, 11, 23, 16, 24, 11, 0, time.UTC)
	want := []host.Message{
		{At: at.Add(time.Microsecond), Invocation: "0123456789abcdef0123456789abcdef", Text: "√ Connected to GitHub"},
		{At: at.Add(time.Second), Text: "Job \xff\x1b"},
		{At: at.Add(2 * time.Second)},
	}
	if got := messages([]byte(said)); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// An invocation's last words are those after every other's, also where journald
// came too late to know whose they are.
func TestLastWords(t *testing.T) {
	t.Parallel()
	said := []host.Message{
		{Invocation: "1", Text: "one"}, {Text: "one late"}, {Invocation: "2", Text: "two"}, {Text: "two late"},
		{Invocation: "3", Text: "begins"}, {Text: "and ends"},
	}
	for invocation, want := range map[string][]string{"3": {"begins", "and ends"}, "4": {"and ends"}} {
		if got := ofInvocation(said, invocation); !slices.Equal(got, want) {
			t.Errorf("%s said %q, want %q", invocation, got, want)
		}
	}
}
