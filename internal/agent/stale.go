package agent

import (
	"os"
	"regexp"
)

// RevisionEnv is the variable of the agent's unit that holds its revision: a
// digest of the rest of the unit's text.
const RevisionEnv = "BENCHCTL_AGENT_REVISION"

// A Self is what a process was started from, to tell when it was replaced.
type Self struct {
	binary   string // the path that it was started from
	unit     string // the file of its unit
	running  string // what it executes, as the kernel has it
	revision string // of the unit that it runs in; "" when it runs in none
}

// NewSelf takes note of this process, started from a binary by the unit in a
// file with a revision. A unit that differs from the revision already is one
// that systemd has not read yet: to end would only start the same once more.
func NewSelf(binary, unit, revision string) *Self {
	s := &Self{binary: binary, unit: unit, running: "/proc/self/exe", revision: revision}
	if now := revisionIn(unit); revision != "" && now != "" {
		s.revision = now
	}
	return s
}

// Stale says why this process should give way to a new one, "" when it should
// not. A binary or a unit that is gone is no reason: there would be no new one.
func (s *Self) Stale() string {
	running, err := os.Stat(s.running)
	if err != nil {
		return ""
	}
	if there, err := os.Stat(s.binary); err == nil && !os.SameFile(running, there) {
		return s.binary + " is another one now"
	}
	if now := revisionIn(s.unit); s.revision != "" && now != "" && now != s.revision {
		return s.unit + " was changed"
	}
	return ""
}

var revisionLine = regexp.MustCompile(`(?m)^Environment=.*\b` + RevisionEnv + `=(\w+)`)

// revisionIn reads the revision out of a unit's file, "" when it has none.
func revisionIn(file string) string {
	text, _ := os.ReadFile(file)
	if m := revisionLine.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}
