//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// roundTrip is how long the nearest GitHub takes to answer.
var roundTrip = standin.Span{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond}

// A span is a time in which something was done to the host.
type span struct {
	from, to time.Time
	what     string
}

// lost tells of each job that did not come to its own end.
func lost(jobs []standin.JobState) (all []string) {
	for _, j := range jobs {
		if j.Lost != "" || j.Over() && j.Result != "Succeeded" {
			all = append(all, fmt.Sprintf("%s: %s %s", j.Name, j.Result, j.Lost))
		}
	}
	return all
}

// met tells of each job that was there, from its acquisition to its end, while
// something was done to the host.
func met(jobs []standin.JobState, done []span) (all []string) {
	for _, j := range jobs {
		for _, s := range done {
			if j.Acquired.IsZero() || s.to.Before(j.Acquired) || j.Over() && s.from.After(j.Ended) {
				continue
			}
			all = append(all, fmt.Sprintf("%s at %s, %v after %s was acquired and %v before it ended",
				s.what, s.from.Format(time.TimeOnly), s.from.Sub(j.Acquired), j.Name, j.Ended.Sub(s.from)))
		}
	}
	return all
}

// instants are changes as spans. What benchctl notes down about itself in the
// end is no change of what a job runs on.
func instants(changes []step) (all []span) {
	for _, s := range changes {
		if s.path != history.Dir && !slices.Contains(notes, s.path) {
			all = append(all, span{s.at, s.at, s.String()})
		}
	}
	return all
}

// restarts are the times in which the runner was on its way down, down, or on
// its way up, as the host's journal has them.
func (w *world) restarts() (all []span) {
	w.t.Helper()
	w.run("journalctl", "--sync")
	for line := range strings.Lines(w.run("journalctl", "-q", "--no-pager", "-o", "short-unix", "-t", "systemd", "-u", runnerUnit)) {
		at, said, _ := strings.Cut(line, " ")
		_, said, _ = strings.Cut(said, ": ")
		switch verb, _, _ := strings.Cut(said, " "); verb {
		case "Stopping":
			all = append(all, span{from: unixTime(at), what: "a restart"})
		case "Started":
			if len(all) > 0 {
				all[len(all)-1].to = unixTime(at)
			}
		}
	}
	return all
}

// unixTime reads seconds with a fraction.
func unixTime(text string) time.Time {
	seconds, _ := strconv.ParseFloat(text, 64)
	return time.UnixMicro(int64(seconds * 1e6))
}

// downloads are the requests for the runner's package.
func (w *world) downloads() (all []span) {
	for _, r := range w.hub.Requests() {
		if strings.HasSuffix(r.Path, ".tar.gz") {
			all = append(all, span{r.At, r.At, "the download of " + r.Path})
		}
	}
	return all
}
