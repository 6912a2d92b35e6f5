package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// An Entry is one run in a line.
type Entry struct {
	At      time.Time                `json:"at"` // when it began, UTC
	Verb    string                   `json:"verb"`
	Elapsed reconcile.Milliseconds   `json:"elapsed_ms"`
	Exit    int                      `json:"exit"`
	Spec    string                   `json:"spec,omitempty"`    // the first digits of its SHA-256
	Partial bool                     `json:"partial,omitempty"` // --only left something out
	Summary map[reconcile.Status]int `json:"summary,omitempty"`
	Changes []Item                   `json:"changes,omitempty"` // the first of them
	More    int                      `json:"more,omitempty"`    // changes that are left out
	Error   string                   `json:"error,omitempty"`   // the first error, or why it was put off
}

// An Item is one change of a run.
type Item struct {
	ID     reconcile.ID     `json:"id"`
	Status reconcile.Status `json:"status"`
	reconcile.Change
}

const (
	mostItems = 12  // changes in a line
	mostText  = 100 // characters of a value in a line
)

// entryOf is a run in a line, with what is long cut.
func entryOf(run Run) *Entry {
	r := run.Report
	e := &Entry{
		At: r.Started, Verb: r.Verb, Elapsed: r.Elapsed, Exit: r.ExitCode(),
		Spec: r.Spec.SHA256[:min(12, len(r.Spec.SHA256))], Partial: run.Partial, Summary: r.Summary,
	}
	for _, o := range r.Results {
		if e.Error == "" && o.Status != reconcile.Unchanged && o.Status != reconcile.Changed {
			e.Error = short(o.Error)
		}
		for _, c := range o.Changes {
			if len(e.Changes) == mostItems {
				e.More++
				continue
			}
			c.Field, c.Have, c.Want, c.Cause = short(c.Field), short(c.Have), short(c.Want), short(c.Cause)
			e.Changes = append(e.Changes, Item{o.ID, o.Status, c})
		}
	}
	return e
}

func short(s string) string {
	if runes := []rune(s); len(runes) > mostText {
		return string(runes[:mostText-1]) + "…"
	}
	return s
}

// Entries returns the last runs, at most max of them, the oldest first, and how
// many of the lines looked at could not be understood.
func Entries(r host.Reader, max int) (entries []Entry, damaged int, err error) {
	data, err := read(r, Lines)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read the history: %w; benchctl begins a new one at its next run", err)
	}
	for len(data) > 0 && len(entries) < max {
		data = bytes.TrimRight(data, "\n")
		at := bytes.LastIndexByte(data, '\n') + 1
		line := data[at:]
		data = data[:at]
		var e Entry
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &e) != nil || e.At.IsZero():
			damaged++
		default:
			entries = append(entries, e)
		}
	}
	slices.Reverse(entries)
	return entries, damaged, nil
}

// The history is cut to its newest part when it has grown too long. At a run
// every half hour, that is after two months.
const (
	mostBytes = 512 << 10
	leftBytes = 256 << 10
	leftLines = 1000
)

// newest is the end of a history that has grown too long, in whole lines.
func newest(data []byte) []byte {
	if cut := len(data) - leftBytes; cut > 0 {
		data = data[cut:]
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	for n := bytes.Count(data, []byte("\n")); n > leftLines; n-- {
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	return data
}
