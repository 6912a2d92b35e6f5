package host

import (
	"errors"
	"fmt"
	"strings"
)

// ErrHostile says that a file the runner's user can write is not what it
// should be: a link, a device, something endless.
var ErrHostile = errors.New("not a plain file of reasonable size")

// ErrNoDir says that a name which the runner's user can write is no directory,
// or leads elsewhere.
var ErrNoDir = errors.New("no directory, or one behind a link")

// A CommandError is a command that ended with a status other than 0.
type CommandError struct {
	Argv   []string
	Status int // the exit status; -1 when a signal ended it or it never ran
	Output Output
}

// Error names the command, its status and the last line that it said.
func (e *CommandError) Error() string {
	said := LastLine(e.Output.Stderr)
	if said == "" {
		said = LastLine(e.Output.Stdout)
	}
	if said == "" {
		return fmt.Sprintf("%s ended with status %d and said nothing", e.Argv[0], e.Status)
	}
	return fmt.Sprintf("%s ended with status %d: %s", e.Argv[0], e.Status, said)
}

// LastLine returns the last line of text that is not blank.
func LastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
