package notify

import (
	"context"
	"fmt"
	"time"
)

// An answer is what GitHub last said of how long a runner version works.
type answer struct {
	Version string    `json:"version"`
	Asked   time.Time `json:"asked"`
	Known   bool      `json:"known"` // GitHub answered
	Ends    time.Time `json:"ends,omitzero"`
}

const (
	askLimit = 15 * time.Second
	// After a failure GitHub is not asked again at the very next pass.
	askAgain = 6 * hour
)

// askRunner asks GitHub once a day how long the installed runner works. That
// there is no answer is no news: what else is asked of GitHub says so.
func (t *teller) askRunner(ctx context.Context) {
	last := t.book.Runner
	wait := day
	if !last.Known {
		wait = askAgain
	}
	ago := t.Now.Sub(last.Asked)
	if t.Deprecation == nil || t.Runner == "" || last.Version == t.Runner && ago >= 0 && ago < wait {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	d, err := t.Deprecation(ctx, t.Runner)
	if err != nil && last.Version == t.Runner {
		t.book.Runner.Asked = t.Now.Add(askAgain - wait)
		return
	}
	t.book.Runner = answer{Version: t.Runner, Asked: t.Now, Known: err == nil, Ends: d.Runtime}
}

// deadline is when GitHub stops handing jobs to the version in use, of which an
// answer about another one says nothing.
func (a answer) deadline(version string) []Deadline {
	if !a.Known || a.Version != version {
		return nil
	}
	return []Deadline{{
		Cause: "runner-version", At: a.Ends,
		What: fmt.Sprintf("the time in which GitHub hands jobs to runner %s", plain(version)),
		Next: "set a newer runner.version in the spec and apply it",
	}}
}
