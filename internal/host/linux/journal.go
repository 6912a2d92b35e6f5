package linux

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Journal returns the last messages of one invocation of a unit.
func (m *Machine) Journal(ctx context.Context, unit, invocation string, max int) ([]string, error) {
	out, err := journalctl(ctx, "_SYSTEMD_UNIT="+unit, "--output=cat", "--lines="+strconv.Itoa(max), "_SYSTEMD_INVOCATION_ID="+invocation)
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' }), err
}

// readTime bounds the wait for a journald that is behind.
const readTime = 10 * time.Second

// LastWords has journald read all that was written to it (journalctl(1),
// --sync), and takes what the unit said last. Lines that journald reads after a
// unit's end carry the unit, but no invocation (systemd, src/journal/
// journald-context.c reads that from /run/systemd/units, where it is gone).
func (m *Machine) LastWords(ctx context.Context, unit, invocation string, max int) ([]string, error) {
	reading, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	_, _ = journalctl(reading, "--sync") // without it, what has been read so far has to do
	said, err := m.Messages(ctx, unit, time.Unix(0, 0), time.Now(), max)
	return ofInvocation(said, invocation), err
}

// ofInvocation is what was said last, by nobody else than one invocation. Words
// that nobody is known to have said come after an end: those before the first of
// the invocation's own are of one before it.
func ofInvocation(said []host.Message, invocation string) (lines []string) {
	own := false
	for _, word := range said {
		switch {
		case word.Invocation == "":
		case word.Invocation != invocation:
			own, lines = false, nil
			continue
		case !own:
			own, lines = true, nil
		}
		lines = append(lines, word.Text)
	}
	return lines
}

// Messages returns the last messages of a unit between two times.
func (m *Machine) Messages(ctx context.Context, unit string, from, to time.Time, max int) ([]host.Message, error) {
	out, err := journalctl(ctx, "_SYSTEMD_UNIT="+unit, "--output=json", "--output-fields=MESSAGE,_SYSTEMD_INVOCATION_ID",
		fmt.Sprintf("--since=@%d", from.Unix()), fmt.Sprintf("--until=@%d", to.Unix()+1), "--lines="+strconv.Itoa(max))
	return messages(out), err
}

// messages reads what journalctl wrote, an entry a line.
func messages(out []byte) (all []host.Message) {
	for line := range bytes.Lines(out) {
		var entry struct {
			At         int64           `json:"__REALTIME_TIMESTAMP,string"` // microseconds
			Invocation string          `json:"_SYSTEMD_INVOCATION_ID"`
			Text       json.RawMessage `json:"MESSAGE"`
		}
		if json.Unmarshal(line, &entry) == nil {
			all = append(all, host.Message{At: time.UnixMicro(entry.At).UTC(), Invocation: entry.Invocation, Text: text(entry.Text)})
		}
	}
	return all
}

// text is a field as journalctl writes it in JSON: a string, the bytes of
// something that is no UTF-8, or null for what is too long.
func text(field json.RawMessage) string {
	var plain string
	if json.Unmarshal(field, &plain) == nil {
		return plain
	}
	var numbers []int
	_ = json.Unmarshal(field, &numbers) // else there are none
	raw := make([]byte, len(numbers))
	for i, n := range numbers {
		raw[i] = byte(n)
	}
	return string(raw)
}

// journalctl is asked because the journal's own library needs cgo; it only
// reads. What it is asked is one argument at least.
func journalctl(ctx context.Context, args ...string) ([]byte, error) {
	env := []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	program, err := find("journalctl", env)
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"--no-pager", "--quiet"}, args...)...)
	cmd.Env = env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal (%s): %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
