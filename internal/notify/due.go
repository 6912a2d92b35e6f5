package notify

import (
	"fmt"
	"time"
)

// see takes in what one look found. What is neither found nor unseen is over.
func (b *book) see(found []trouble, unseen func(cause string) bool, now time.Time) {
	wrong := map[string]bool{}
	for _, f := range found {
		wrong[f.cause] = true
		e := b.Causes[f.cause]
		if e == nil {
			if len(b.Causes) >= maxCauses {
				continue
			}
			e = &entry{Since: now, Told: map[string]tell{}}
			b.Causes[f.cause] = e
		}
		if !e.Over.IsZero() || e.Since.After(now) {
			e.Since, e.Over = now, time.Time{}
		}
		e.seen = true
		e.Subject, e.What, e.Next, e.Patience = f.subject, f.what, f.next, f.patience
	}
	for cause, e := range b.Causes {
		if !wrong[cause] && !unseen(cause) && e.Over.IsZero() {
			e.Over = now
		}
	}
}

// prune forgets what is over and known to be. For a day it is remembered that a
// cause was told, so that one that comes and goes is told once a day; what
// nobody could be told that it is over is forgotten after a week.
func (b *book) prune(now time.Time) {
	for cause, e := range b.Causes {
		if e.Over.IsZero() {
			continue
		}
		keep := false
		for _, told := range e.Told {
			keep = keep || told.Open && now.Sub(e.Over) < week || recent(told.At, now)
		}
		if !keep {
			delete(b.Causes, cause)
		}
	}
	for channel := range b.Fails {
		if len(b.Causes) == 0 {
			delete(b.Fails, channel)
		}
	}
}

// recent says that something was in the last day. A clock that was put back
// does not make a message of next year recent.
func recent(at, now time.Time) bool {
	ago := now.Sub(at)
	return !at.IsZero() && ago < day && ago > -hour
}

// ripe says that somebody is to be told on a channel that it is so: it was just
// seen, has lasted, and was not told in the last day. Who watches is not told.
func (e *entry) ripe(channel string, s State, now time.Time) bool {
	return e.seen && !s.Attended && now.Sub(e.Since) >= e.Patience && !recent(e.Told[channel].At, now)
}

// due lists what is to be told on a channel now, sorted by cause.
func (b *book) due(channel string, s State, now time.Time) (due []Notice) {
	for _, cause := range b.causes() {
		e := b.Causes[cause]
		told := e.Told[channel]
		if e.ripe(channel, s, now) || told.Open && !e.Over.IsZero() {
			n := e.notice(s.Host, cause)
			n.again = told.Open
			due = append(due, n)
		}
	}
	return due
}

// standing lists what is wrong now, of that which a channel knows or is about
// to be told.
func (b *book) standing(channel string, s State, now time.Time) (standing []Notice) {
	for _, cause := range b.causes() {
		e := b.Causes[cause]
		if e.Over.IsZero() && (e.Told[channel].Open || e.ripe(channel, s, now)) {
			standing = append(standing, e.notice(s.Host, cause))
		}
	}
	return standing
}

// told notes that a channel took a notice.
func (b *book) told(channel string, n Notice, now time.Time) {
	e := b.Causes[n.Cause]
	if e.Told == nil {
		e.Told = map[string]tell{}
	}
	t := tell{At: now, Open: true}
	if n.State == Resolved {
		t = tell{At: e.Told[channel].At}
	}
	e.Told[channel] = t
}

// worked notes whether a channel did, and makes its error a whole sentence.
func (b *book) worked(channel string, err error, now time.Time) error {
	if err == nil {
		delete(b.Fails, channel)
		return nil
	}
	since, known := b.Fails[channel]
	if !known {
		b.Fails[channel] = now
		return fmt.Errorf("%w; it is tried again with the next pass", err)
	}
	return fmt.Errorf("%w; it is tried again with the next pass, and has failed since %s", err, clock(since))
}
