package agent

import (
	"os"
	"regexp"

	"golang.org/x/sys/unix"
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
	// writes are the directories that it could write to when it started. To a
	// process in a sandbox, one that was removed stays read-only even when it is
	// made anew, and what a pass remembers would be lost from then on.
	writes []string
}

// NewSelf takes note of this process, started from a binary by the unit in a
// file with a revision. A unit that differs from the revision already is one
// that systemd has not read yet: to end would only start the same once more.
// dirs are those that the unit gives it to write to.
func NewSelf(binary, unit, revision string, dirs ...string) *Self {
	s := &Self{binary: binary, unit: unit, running: "/proc/self/exe", revision: revision}
	if now := revisionIn(unit); revision != "" && now != "" {
		s.revision = now
	}
	for _, dir := range dirs {
		if revision != "" && unix.Access(dir, unix.W_OK) == nil {
			s.writes = append(s.writes, dir)
		}
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
	for _, dir := range s.writes {
		if unix.Access(dir, unix.W_OK) != nil {
			return dir + " was removed, or became read-only"
		}
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
