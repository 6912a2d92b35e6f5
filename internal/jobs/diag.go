package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// diagLog is the name, below /proc, of the log that a Listener has open. The
// kernel says which one it is, so a file that somebody else put beside it,
// with a later name, cannot take its place.
func (k *Keeper) diagLog(pid int) (string, error) {
	dir := k.proc.path(pid, "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, fd := range fds {
		name := dir + "/" + fd.Name()
		target, err := os.Readlink(name)
		if err == nil && k.below(target) && strings.Contains(target, "/_diag/Runner_") {
			return name, nil
		}
	}
	return "", fmt.Errorf("process %d has no log below _diag open: %w", pid, fs.ErrNotExist)
}

// unended reads the diagnostics of a Listener and returns when the latest job
// came whose end they do not tell, zero when there is none. A job that was sent
// to its Worker after it came is left out: its Worker's process tells its end,
// and earlier than the Listener does. The lines look like
//
//	[2026-11-23 12:03:04Z INFO JobDispatcher] Job request 7 for plan P job J received.
//	[2026-11-23 12:05:06Z INFO JobDispatcher] Worker finished for job J. Code: 100
//
// A log without a single line that begins like these is not the runner's.
func unended(log []byte, sent map[string]time.Time) (time.Time, error) {
	pending := make(map[string]time.Time)
	lines := 0
	for line := range strings.Lines(string(log)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[2") {
			lines++
		}
		if job, ok := receivedJob(line); ok {
			pending[job] = stamp(line)
		} else if job, ok := endedJob(line); ok {
			delete(pending, job)
		}
	}
	var latest time.Time
	for job, at := range pending {
		if at.After(latest) && sent[job].Before(at) {
			latest = at
		}
	}
	if lines == 0 {
		return time.Time{}, errors.New("it holds no line of the runner's")
	}
	return latest, nil
}

// receivedJob returns the job that a line says was received.
func receivedJob(line string) (string, bool) {
	_, rest, ok := strings.Cut(line, "Job request ")
	rest, end := strings.CutSuffix(rest, " received.")
	_, job, named := strings.Cut(rest, " job ")
	return job, ok && end && named
}

// ends are the words before a job's name in the lines that tell its end: its
// Worker has ended, or there will be none.
var ends = []string{
	"Worker finished for job ",
	"finish job request for job ",
	"Unable to renew job request for job ",
	"Stop renew job request for job ",
	"Worker Dispatch failed with an exception for job request ",
}

// endedJob returns the job whose end a line tells.
func endedJob(line string) (string, bool) {
	for _, words := range ends {
		if _, rest, ok := strings.Cut(line, words); ok {
			job, _, _ := strings.Cut(rest, " ")
			return strings.TrimRight(job, ".,"), true
		}
	}
	return "", false
}

// stamp is the time at the beginning of a line, now when it has none.
func stamp(line string) time.Time {
	const layout = "[2006-01-02 15:04:05Z"
	if len(line) >= len(layout) {
		if at, err := time.Parse(layout, line[:len(layout)]); err == nil {
			return at
		}
	}
	return time.Now()
}
