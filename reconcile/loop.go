package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"runtime/debug"
	"time"
)

// A Schedule says when a pass is due: the first time after another, or the
// zero time for never.
type Schedule interface{ Next(time.Time) time.Time }

// A Clock is the one on the wall, which can be set, and which goes on while
// the machine is suspended.
type Clock interface {
	// Now has no monotonic reading: times are compared as the wall shows them.
	Now() time.Time
	// Ring sets the clock's one alarm, or none for the zero time. It rings
	// when the time has come, and also whenever the clock is set, since
	// nobody knows then how far off the time is. It may ring for nothing.
	Ring(at time.Time) <-chan struct{}
}

// A Loop makes one pass when it starts and then one whenever the schedule or a
// wake asks for it. Passes never overlap. However many were missed, because the
// machine slept, the clock was set, or a pass outlasted its interval, they are
// made up for by one.
type Loop struct {
	Clock Clock
	// Pass may change Schedule and Delay; nobody else may while the loop runs.
	Pass func(context.Context)
	// Wake asks for a pass now, or after the one that is going on. With room
	// for one, it takes any number of wakes as one.
	Wake     <-chan struct{}
	Schedule Schedule
	Delay    time.Duration // of each pass behind its schedule; see Splay
	// Panicked hears of a pass that panicked; the loop goes on.
	Panicked func(value any, stack []byte)
	// Sleeping, if set, hears until when the loop sleeps.
	Sleeping func(until time.Time)

	from time.Time // what the next pass is counted from, Delay not counted
}

// Run makes passes until the context ends.
func (l *Loop) Run(ctx context.Context) {
	l.from = l.Clock.Now()
	l.pass(ctx)
	for ctx.Err() == nil {
		due := l.due(l.Clock.Now())
		if l.Sleeping != nil {
			l.Sleeping(due)
		}
		if !l.sleep(ctx, due) {
			continue
		}
		began := l.Clock.Now()
		l.pass(ctx)
		l.from = began.Add(-l.Delay)
	}
}

// due is when the next pass is. A clock that was set back past the last one
// must not make the host wait until it has caught up.
func (l *Loop) due(now time.Time) time.Time {
	if now.Before(l.from) {
		l.from = now
	}
	at := l.Schedule.Next(l.from)
	if at.IsZero() {
		return at
	}
	return at.Add(l.Delay)
}

// sleep reports whether it is time for a pass.
func (l *Loop) sleep(ctx context.Context, due time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-l.Wake:
		return ctx.Err() == nil
	case <-l.Clock.Ring(due):
		return !due.IsZero() && !l.Clock.Now().Before(due)
	}
}

// pass makes one pass, and lives through its panic.
func (l *Loop) pass(ctx context.Context) {
	defer func() {
		if value := recover(); value != nil {
			l.Panicked(value, debug.Stack())
		}
	}()
	l.Pass(ctx)
}

// Splay is a delay from 0 to less than most for the host that a seed names, so
// that hosts with the same schedule do not all ask GitHub in the same second.
// It is always the same for one host: passes stay evenly apart, which a new
// delay for each would not leave them, and a person can tell when the next is.
func Splay(seed string, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(seed))
	delay, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:]), uint64(most))
	return time.Duration(delay)
}
