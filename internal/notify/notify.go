// Package notify tells somebody when a host needs one: out of step for an hour,
// offline, a correction that failed, a deadline closer than a week. There is one
// message per cause and day, with the next step, and one when it is over.
//
// A message goes out only while no job runs, and holds nothing but benchctl's
// own words and the names of resources: what was read from the host, a job's
// files and logs before all, has no way into it. To fail at telling is no
// failure of a pass; it is said, and tried again with the next.
package notify

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A State is what is known of a host at the end of a pass.
type State struct {
	Host     string            // its name
	Report   *reconcile.Report // nil: the pass ended before it could look
	Partial  bool              // the report leaves resources out
	Attended bool              // a person is watching, who need not be told what fails; only what is over
	Online   *bool             // what GitHub says of the runner; nil when it was not asked

	Disks     []Disk
	Deadlines []Deadline
}

// A Disk is a directory that must not run full.
type Disk struct {
	Path  string
	Free  uint64 // bytes
	Floor uint64 // bytes that shall be free
}

// A Deadline is when something stops working that works now. It is among a
// State's once it has been looked for; At is zero when there is none.
type Deadline struct {
	Cause string // a word for it that never changes
	What  string // as in "WHAT ends on DAY"
	Next  string // what to do about it
	At    time.Time
}

// Options say who is told, and how that is done.
type Options struct {
	spec.Notify
	Now    time.Time
	Idle   func(context.Context) error // an error is a job, or that none can be ruled out
	Getenv func(string) string         // for proxies
	Issues Issues                      // nil: there are no credentials

	// Confined says that this process is in a sandbox in which a command could
	// do nothing, so that systemd has to run it. Dial, if set, is how to
	// connect from there.
	Confined bool
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// Issues is what an issue asks of GitHub, within the spec's repository. Errors
// are sentences; those that wrap [actions.ErrNotFound] say that there is no
// such issue any more.
type Issues interface {
	OpenIssue(ctx context.Context, title string) (actions.Issue, error)
	CreateIssue(ctx context.Context, title, body string) (int, error)
	SetIssue(ctx context.Context, number int, body, state string) error
	CommentIssue(ctx context.Context, number int, body string) error
}

// Tell finds out who has to be told what, and does it. What it returns are
// sentences about what could not be told or remembered.
func Tell(ctx context.Context, h host.Host, o Options, s State) []error {
	if o.Notify == (spec.Notify{}) {
		return nil
	}
	o.Now = o.Now.UTC().Truncate(time.Second)
	t := &teller{Options: o, host: h, state: s}
	t.book = t.open()
	before := t.book.text()
	found, unseen := t.look()
	t.book.see(found, unseen, o.Now)
	for _, c := range t.channels() {
		if !t.deliver(ctx, c) {
			break // a job came
		}
	}
	t.book.prune(o.Now)
	if after := t.book.text(); !slices.Equal(before, after) {
		t.note(t.book.save(h, o.Now))
	}
	return t.problems
}

// A teller is one Tell on its way.
type teller struct {
	Options
	host     host.Host
	state    State
	book     *book
	problems []error
}

func (t *teller) note(err error) {
	if err != nil {
		t.problems = append(t.problems, err)
	}
}

// A channel is one way to somebody.
type channel interface {
	// name is the channel's word in the book.
	name() string
	// limit is how long all of a pass's messages may take.
	limit() time.Duration
	// send takes at least the first of the notices that are due, and returns
	// how many it took. standing is everything that is wrong now.
	send(ctx context.Context, due, standing []Notice) (int, error)
}

func (t *teller) channels() []channel {
	var all []channel
	if t.Command != "" {
		all = append(all, command{t})
	}
	if t.Webhook != "" || t.WebhookFile != "" {
		all = append(all, webhook{t})
	}
	if t.Issue {
		all = append(all, issue{t})
	}
	return all
}

// deliver sends what is due on a channel; false says that a job is running, and
// that nothing may be sent.
func (t *teller) deliver(ctx context.Context, c channel) bool {
	due := t.book.due(c.name(), t.state, t.Now)
	standing := t.book.standing(c.name(), t.state, t.Now)
	ctx, cancel := context.WithTimeout(ctx, c.limit())
	defer cancel()
	for len(due) > 0 {
		if t.Idle(ctx) != nil {
			return false
		}
		n, err := c.send(ctx, due, standing)
		for _, notice := range due[:n] {
			t.book.told(c.name(), notice, t.Now)
		}
		t.note(t.book.worked(c.name(), err, t.Now))
		if err != nil {
			break
		}
		due = due[n:]
	}
	return true
}

// interrupted says why a wait for somebody else's program or server ended.
func interrupted(ctx context.Context, limit time.Duration) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("it took longer than " + limit.String())
	}
	return errors.New("it was interrupted")
}
