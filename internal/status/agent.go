package status

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/agent"
	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/notify"
	"github.com/SKaiNET-developers/benchctl/internal/pause"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Agent is what keeps the host in step by itself.
type Agent struct {
	Part
	Schedule string    `json:"schedule,omitempty"`
	State    string    `json:"state,omitempty"` // systemd's ActiveState
	Since    time.Time `json:"since,omitzero"`
	Says     string    `json:"says,omitempty"` // of itself
	Next     time.Time `json:"next_pass,omitzero"`
	AtWork   string    `json:"at_work,omitempty"` // which benchctl is changing the host right now
}

// Passes is what the last ones came to.
type Passes struct {
	Part
	Last      *history.Entry `json:"last,omitempty"` // whatever it was
	LastApply *history.Entry `json:"last_apply,omitempty"`

	DeferredSince time.Time      `json:"deferred_since,omitzero"` // since when jobs put passes off
	MaxDefer      int64          `json:"max_defer_seconds,omitempty"`
	Corrections   map[string]int `json:"corrections_24h,omitempty"` // by resource

	pass time.Time // when the agent last made one
}

// Pause is what keeps benchctl's hands off the host.
type Pause struct {
	Part
	*pause.Pause
}

// Notices is what somebody was told, or is about to be.
type Notices struct {
	Part
	Open    []notify.Notice  `json:"open,omitempty"`
	Failing []notify.Failure `json:"failing,omitempty"` // ways by which nobody is reached
}

// agentUnit is the unit of the agent.
const agentUnit = "benchctl.service"

func (l *looker) agent(ctx context.Context, p Passes) Agent {
	a := Agent{}
	a.Is = None
	if err := l.AtWork(); err != nil {
		a.AtWork = tidy(err.Error(), longSentence)
	}
	if l.Spec == nil || l.Spec.Schedule == nil {
		return a
	}
	a.Is, a.Schedule = OK, l.Spec.Schedule.Cron
	u, err := l.Reader.Unit(ctx, agentUnit)
	if err != nil {
		a.unknown(err)
		return a
	}
	a.State, a.Says = u.ActiveState, tidy(u.StatusText, longSentence)
	if u.LoadState == "not-found" {
		a.wrong("there is none; benchctl apply sets it up")
		return a
	}
	if u.ActiveState != "active" && u.ActiveState != "reloading" {
		a.wrong(fmt.Sprintf("it is %s, and makes no pass; see journalctl -u %s", u.ActiveState, agentUnit))
		return a
	}
	a.Since = u.ActiveSince
	a.Next = l.next(p.pass)
	return a
}

// next is when the agent makes its next pass by the schedule, which counts from
// the last one. One that is overdue comes any moment.
func (l *looker) next(last time.Time) time.Time {
	if last.IsZero() || last.After(l.Now) {
		last = l.Now
	}
	at := agent.Next(l.Reader, l.Spec.Schedule, last)
	if !at.IsZero() && at.Before(l.Now) {
		at = agent.Next(l.Reader, l.Spec.Schedule, l.Now)
	}
	return at.UTC()
}

// fewEntries is how far back a pass is looked for among runs of other kinds.
const fewEntries = 50

func (l *looker) passes() Passes {
	p := Passes{}
	book := history.Load(l.Reader)
	switch {
	case len(book.Warnings) > 0 && !l.Root:
		p.Is, p.Error = Unknown, "what passes found can only be seen by root"
		return p
	case len(book.Warnings) > 0:
		p.Is, p.Error = Unknown, tidy(book.Warnings[0], longSentence)
		return p
	}
	p.Is, p.Last, p.LastApply, p.DeferredSince = OK, book.LastPass, book.LastApply, book.DeferredSince
	if p.Last == nil {
		p.Is = None
	}
	if l.Spec != nil && l.Spec.Schedule != nil {
		p.MaxDefer = int64(l.Spec.Schedule.MaxDefer / time.Second)
	}
	p.Corrections = corrections(book, l.Now)
	p.pass = lastPass(l.Reader)
	return p
}

func corrections(book *history.Book, now time.Time) map[string]int {
	all := map[string]int{}
	for _, name := range book.Kept() {
		var id reconcile.ID
		_ = id.UnmarshalText([]byte(name)) // never fails
		if n := book.CorrectedInADay(id, now); n > 0 {
			all[name] = n
		}
	}
	return all
}

// lastPass is when the agent last made a pass, or tried to; zero when that was
// long ago.
func lastPass(r host.Reader) time.Time {
	entries, _, _ := history.Entries(r, fewEntries) // without them the next is counted from now
	for _, e := range slices.Backward(entries) {
		if e.Verb == "pass" {
			return e.At
		}
	}
	return time.Time{}
}

func (l *looker) pause() Pause {
	found, err := pause.Load(l.Reader, l.Now)
	p := Pause{Pause: found}
	switch {
	case err != nil:
		p.unknown(err)
	case found == nil:
		p.Is = None
	case found.Damaged != "":
		p.wrong(found.String())
	default:
		p.Is = OK
	}
	return p
}

func (l *looker) notices(hostname string) Notices {
	n := Notices{}
	standing, err := notify.Look(l.Reader, hostname, l.Now)
	switch {
	case err != nil:
		n.unknown(err)
		return n
	case len(standing.Notices)+len(standing.Failing) > 0:
		n.Is = Wrong
	case l.Spec == nil || l.Spec.Notify == nil:
		n.Is = None
	default:
		n.Is = OK
	}
	n.Open, n.Failing = standing.Notices, standing.Failing
	return n
}
