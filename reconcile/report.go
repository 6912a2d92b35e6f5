package reconcile

import (
	"errors"
	"slices"
	"strconv"
	"time"
)

// Schema names the shape of a [Report] in JSON.
const Schema = "benchctl/report/v1"

// A Status is one resource's result in a word.
type Status string

// The statuses there are.
const (
	Unchanged   Status = "unchanged"
	Pending     Status = "pending"     // diff: would change
	Changed     Status = "changed"     // apply: did change, and was seen to be right
	Failed      Status = "failed"      // could not be made so, or still differed afterwards
	Skipped     Status = "skipped"     // a resource that it needs failed
	Deferred    Status = "deferred"    // a job was running; nothing was touched
	Unsupported Status = "unsupported" // this host cannot
	Unknown     Status = "unknown"     // could not be seen
)

// A Report is what one pass found and did: the one thing that every surface
// prints.
type Report struct {
	Schema  string         `json:"schema"`
	Verb    string         `json:"verb"`
	Host    string         `json:"host"`
	Spec    SpecRef        `json:"spec"`
	Started time.Time      `json:"started"` // UTC
	Elapsed Milliseconds   `json:"elapsed_ms"`
	Down    Milliseconds   `json:"down_ms,omitempty"` // for how long the runner's service was, where that was measured
	Results []Outcome      `json:"outcomes"`
	Summary map[Status]int `json:"summary"`
}

// A SpecRef says which text a report is about.
type SpecRef struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// An Outcome is what came of one resource.
type Outcome struct {
	ID      ID           `json:"id"`
	Kind    string       `json:"kind"`
	Status  Status       `json:"status"`
	Changes []Change     `json:"changes,omitempty"`
	Effects []Effect     `json:"effects,omitempty"`
	Error   string       `json:"error,omitempty"`
	Elapsed Milliseconds `json:"elapsed_ms"`
	// Corrected is how often drift of it was corrected in the last day, where
	// it drifted again.
	Corrected int `json:"corrected_24h,omitempty"`

	// Err is the error itself, for who has to tell errors apart.
	Err error `json:"-"`
}

// Milliseconds is a duration that JSON shows as a number of milliseconds.
type Milliseconds time.Duration

// MarshalJSON rounds to whole milliseconds.
func (m Milliseconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, time.Duration(m).Milliseconds(), 10), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Milliseconds) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	*m = Milliseconds(time.Duration(n) * time.Millisecond)
	return err
}

// NewReport sums outcomes up.
func NewReport(verb, hostname string, spec SpecRef, started time.Time, elapsed time.Duration, outcomes []Outcome) *Report {
	r := &Report{
		Schema: Schema, Verb: verb, Host: hostname, Spec: spec,
		Started: started.UTC(), Elapsed: Milliseconds(elapsed),
		Results: outcomes, Summary: map[Status]int{},
	}
	for _, o := range outcomes {
		r.Summary[o.Status]++
	}
	return r
}

// Exit codes, fixed from the first release.
const (
	ExitOK       = 0 // in step, or done
	ExitError    = 1 // an error
	ExitDiffers  = 2 // not as wanted
	ExitDeferred = 3 // a job is running, or paused; nothing was touched
)

// ExitCode is the report in a number. An error comes before a deferral, and
// that before a difference.
func (r *Report) ExitCode() int {
	code := ExitOK
	rank := map[int]int{ExitOK: 0, ExitDiffers: 1, ExitDeferred: 2, ExitError: 3}
	for _, o := range r.Results {
		if c := o.exitCode(); rank[c] > rank[code] {
			code = c
		}
	}
	return code
}

// Drifted reports whether something changed that nobody asked for.
func (o Outcome) Drifted() bool {
	return slices.ContainsFunc(o.Changes, func(c Change) bool { return c.Corrective })
}

func (o Outcome) exitCode() int {
	switch o.Status {
	case Failed, Skipped:
		return ExitError
	case Deferred:
		return ExitDeferred
	}
	if o.Err != nil && !IsTolerated(o.Err) {
		return ExitError
	}
	if o.Status == Pending {
		return ExitDiffers
	}
	return ExitOK
}

// Tolerate marks what is unknown or unsupported as expected: it is shown and
// does not change the exit code.
func Tolerate(err error) error {
	if err == nil {
		return nil
	}
	return &tolerated{err}
}

// IsTolerated reports whether an error was marked by [Tolerate].
func IsTolerated(err error) bool {
	var t *tolerated
	return errors.As(err, &t)
}

type tolerated struct{ error }

func (t *tolerated) Unwrap() error { return t.error }
