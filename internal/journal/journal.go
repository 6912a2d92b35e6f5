// Package journal says what an unattended benchctl has to say: to systemd's
// journal with fields that can be searched, or as plain lines where standard
// error is not the journal.
package journal

import (
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/coreos/go-systemd/v22/journal"
)

// A Level is how much a line matters, in the journal's own words.
type Level = journal.Priority

// The levels that benchctl has use for.
const (
	Error   = journal.PriErr     // somebody has to do something
	Warning = journal.PriWarning // it goes on, but not as asked
	Notice  = journal.PriNotice  // something changed
	Info    = journal.PriInfo
)

// Fields are what a line is about, by names such as RESOURCE; the journal
// knows each as BENCHCTL_RESOURCE.
type Fields map[string]string

// A Log takes lines. Its zero value drops them.
type Log struct {
	plain io.Writer
	send  func(message string, level Level, vars map[string]string) error
	unit  string // that this process is part of; "" when it is part of none
}

// New returns a Log that writes to the journal if stderr is connected to it,
// and plainly to stderr otherwise.
func New(stderr io.Writer) *Log {
	l := &Log{plain: stderr}
	if kept, err := journal.StderrIsJournalStream(); stderr == os.Stderr && kept && err == nil {
		l.send = journal.Send
		cgroup, _ := os.ReadFile("/proc/self/cgroup")
		l.unit = unitIn(cgroup)
	}
	return l
}

// Say says one line. A journal that does not take it gets it plainly.
func (l *Log) Say(level Level, fields Fields, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if l.send != nil && l.send(message, level, l.named(fields)) == nil {
		return
	}
	if l.plain != nil {
		fmt.Fprintln(l.plain, "benchctl:", message)
	}
}

func (l *Log) named(fields Fields) map[string]string {
	vars := map[string]string{"SYSLOG_IDENTIFIER": "benchctl"}
	if l.unit != "" {
		// journald looks at the process of a line to learn its unit, and on a busy
		// host a pass is gone by then. journalctl -u goes by this field too.
		vars["OBJECT_SYSTEMD_UNIT"] = l.unit
	}
	for name, value := range fields {
		vars["BENCHCTL_"+name] = value
	}
	return vars
}

var service = regexp.MustCompile(`(?m)^(?:0:|\d+:name=systemd):.*/([^/\n]+\.service)$`)

// unitIn reads a service's name out of /proc/PID/cgroup, "" when there is none.
func unitIn(cgroup []byte) string {
	if m := service.FindSubmatch(cgroup); m != nil {
		return string(m[1])
	}
	return ""
}
