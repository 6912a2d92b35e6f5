// Package history remembers what passes found and did: when each resource was
// last seen in step and what its spec said then, what was corrected and how
// often, since when a job puts passes off, and what became of each pass.
//
// All of it is benchctl's own notes below its state directory. Without them a
// host is not broken: only what is drift and what is a changed spec cannot be
// told apart until the next pass. So what is damaged is set aside and said,
// and what cannot be written does not make a pass fail.
package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Where the notes are kept (root's, 0700).
const (
	Dir     = "/var/lib/benchctl"
	LastRun = Dir + "/last-run.json" // the report of the last run that looked at everything, as with -o json
	Lines   = Dir + "/history.jsonl" // a line for each run, the newest last
	Marks   = Dir + "/marks.json"    // a Book
	Settled = Dir + "/settled.json"  // the specs that marks speak of: their texts, by digest
)

// spare is where the book is kept while the disk takes nothing. A queue of jobs
// that fills the disk would never be held for what makes room, if it were forgotten
// each time since when it puts passes off. It is gone after a reboot.
const spare = "/run/benchctl/marks.json"

// Day is how far back corrections are counted.
const Day = 24 * time.Hour

// A Book is what is remembered.
type Book struct {
	Resources map[string]Mark `json:"resources,omitempty"` // by id

	InStep      time.Time `json:"in_step,omitzero"`       // when the whole host was last seen in step
	InStepSince time.Time `json:"in_step_since,omitzero"` // since when it was, at every look and untouched; zero while it is not

	DeferredSince time.Time `json:"deferred_since,omitzero"` // since when a job puts passes off; zero while none does
	Deferrals     int       `json:"deferrals,omitempty"`     // runs that were put off, ever

	Online *bool `json:"online,omitempty"` // the runner, when GitHub was last asked; nil when it did not say

	LastPass  *Entry   `json:"last_pass,omitempty"`  // the last run, whatever it was
	LastApply *Entry   `json:"last_apply,omitempty"` // the last that may have changed the host
	Outcomes  []Counts `json:"outcomes,omitempty"`   // of the last run that looked at everything

	// Warnings say, in sentences, what of the notes could not be read.
	Warnings []string `json:"-"`

	damaged []string // files to set aside
}

// A Mark is what is remembered of one resource.
type Mark struct {
	InStep time.Time `json:"in_step,omitzero"` // when it was last seen in step
	Build  string    `json:"build,omitempty"`  // of the benchctl that saw it
	Spec   string    `json:"spec,omitempty"`   // SHA-256 of the spec's text then, in hex

	Corrected   []time.Time `json:"corrected,omitempty"`   // when its drift was, in the last day
	Corrections int         `json:"corrections,omitempty"` // ever
}

// Counts is how many resources of a kind came to a status.
type Counts struct {
	Kind   string           `json:"kind"`
	Status reconcile.Status `json:"status"`
	Number int              `json:"number"`
}

// Load reads the notes. It always returns a Book: what cannot be read is in its
// Warnings.
func Load(r host.Reader) *Book {
	b, err := readBook(r, Marks)
	switch {
	case errors.Is(err, fs.ErrPermission):
		b.Warnings = append(b.Warnings, fmt.Sprintf("cannot tell drift from a changed spec: %v; run benchctl as root", err))
	case err != nil:
		b.damaged = append(b.damaged, Marks)
		b.Warnings = append(b.Warnings, fmt.Sprintf("cannot tell what drifted before now: %s: %v; the next apply sets it aside", Marks, err))
	}
	if s, err := readBook(r, spare); err == nil && s.follows(b) {
		s.Warnings, s.damaged = b.Warnings, b.damaged
		b = s
	}
	if b.Resources == nil {
		b.Resources = map[string]Mark{}
	}
	return b
}

// readBook reads one of the places where the book is kept. There may be nothing.
func readBook(r host.Reader, file string) (*Book, error) {
	data, err := read(r, file)
	if err != nil || data == nil {
		return &Book{}, err
	}
	b := &Book{}
	if err := json.Unmarshal(data, b); err != nil {
		return &Book{}, fmt.Errorf("it is damaged (%w)", err)
	}
	return b, nil
}

// follows reports whether a book goes on where another ends: it is younger, and
// what only grows has not become less, as in one that was begun anew while
// something else lay over the state directory.
func (b *Book) follows(other *Book) bool {
	if b.LastPass == nil || other.LastPass != nil && !b.LastPass.At.After(other.LastPass.At) {
		return false
	}
	for id, m := range other.Resources {
		if b.Resources[id].Corrections < m.Corrections {
			return false
		}
	}
	return b.Deferrals >= other.Deferrals
}

// read returns a file of the state directory, nil when there is none. The
// directory is root's, but hands reach into it: what is no plain file of
// reasonable size is damaged.
func read(r host.Reader, file string) ([]byte, error) {
	data, err := r.ReadBelow(path.Dir(file), path.Base(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// CorrectedInADay is how often a resource's drift was corrected in the day
// before now.
func (b *Book) CorrectedInADay(id reconcile.ID, now time.Time) int {
	return len(lately(b.Resources[id.String()].Corrected, now))
}

// Kept returns the ids of what is remembered, sorted.
func (b *Book) Kept() []string { return slices.Sorted(maps.Keys(b.Resources)) }

// OutOfStep is since when the host has not been seen in step, as far as is
// known; zero while it is in step and before it ever was.
func (b *Book) OutOfStep() time.Time {
	if !b.InStepSince.IsZero() {
		return time.Time{}
	}
	return b.InStep
}

// lately leaves of times those in the day before now, the newest last. A clock
// that was put back does not make them come again.
func lately(times []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool {
		return t.After(now) || now.Sub(t) >= Day
	})
}
