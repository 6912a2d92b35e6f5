// Package agent keeps a host in step with its spec for as long as it runs. It
// is a small supervisor that does nothing itself: to look it starts a child, to
// change anything it has systemd start a unit that may, and in between it
// sleeps until the schedule, the end of a job or a changed spec wakes it.
//
// What a pass allocates, leaks or breaks therefore ends with the pass, and a
// process that is up for months stays as small as on its first day.
package agent

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// ApplyUnit is the unit that may change the host. It runs
// `benchctl apply --unattended`.
const ApplyUnit = "benchctl-apply.service"

// Jobs is what the agent asks about the runner's jobs.
type Jobs interface {
	// Idle looks whether a job is running, and costs next to nothing.
	Idle(context.Context) error
	// Wait sleeps until none is.
	Wait(ctx context.Context, progress func(reason string)) error
	// Ended sleeps until the Listener that is up has ended; without one it is
	// an error.
	Ended(context.Context) error
}

// An Agent is the supervisor. Every field must be set.
type Agent struct {
	Files  []string       // the spec: absolute paths, and what is fetched
	Source *source.Reader // reads them, of what is fetched the copies
	Host   host.Host
	Log    *journal.Log
	Clock  reconcile.Clock
	// Jobs are those of the runner that a spec describes.
	Jobs func(*spec.Spec) Jobs
	// Fetch has a child get the copies that there are none of, and say what of
	// that failed.
	Fetch func(context.Context) error
	// Look has a child look at everything, and keep what it saw.
	Look func(context.Context) (Seen, error)
	// Correct has systemd start [ApplyUnit], and waits for it.
	Correct func(context.Context) error
	// Paused says why nothing may be done at present, nil when it may.
	Paused func() error
	// Defer keeps that a pass was put off, and returns since when jobs put
	// passes off; the zero time when they do not.
	Defer func(s *spec.Spec, why error, job bool) (since time.Time)
	// Free waits until no other benchctl is at work on the host.
	Free func(context.Context) error
	// Applied is what the correction that began at a time came to; the zero value
	// where that is not known.
	Applied func(began time.Time) Seen
	// Watch calls changed whenever a file of the spec was written, and what its
	// [Watcher.Gone] names went.
	Watch func(changed func()) (*Watcher, error)
	// Notify tells systemd of a state, as in sd_notify(3).
	Notify func(state string)
	// Stale says why this process should give way to a new one, "" when it
	// should not, and Validate whether that one can read the spec.
	Stale    func() string
	Validate func(context.Context) error

	good  *spec.Spec  // the one in force
	files []spec.File // the texts as they were last read, with or without problems
	fault error       // why those are not in force
	state string      // what the last pass came to, in a few words
	loop  *reconcile.Loop
	wakes chan struct{}
	hup   atomic.Bool // somebody asked for a reload
	watch *Watcher
	stop  context.CancelFunc

	forJob   atomic.Bool    // somebody waits for the end of a job
	forOther atomic.Bool    // and for another benchctl
	forEnd   atomic.Bool    // and for the Listener's end
	ended    time.Time      // when that last woke the loop; who waits for it has this
	waits    sync.WaitGroup // for who waits
}

// Run keeps the host in step until the context ends or another process is to
// take over. The signals ask for a reload. An error is that it cannot begin: a
// spec with problems, or one without a schedule.
func (a *Agent) Run(ctx context.Context, reload <-chan os.Signal) error {
	name := strings.Join(a.Files, ", ")
	good, err := a.begin(ctx)
	if err != nil {
		a.Notify("STATUS=cannot begin: the spec " + name + " has problems")
		return err
	}
	if good.Schedule == nil {
		a.Notify("STATUS=cannot begin: the spec " + name + " has no schedule")
		return fmt.Errorf("cannot run the agent: %s has no schedule; add one, such as schedule: \"*/30 * * * *\"", name)
	}
	ctx, a.stop = context.WithCancel(ctx)
	defer a.stop()
	defer a.waits.Wait()
	a.wakes = make(chan struct{}, 1)
	a.loop = &reconcile.Loop{Clock: a.Clock, Wake: a.wakes, Pass: a.pass, Panicked: a.panicked, Sleeping: a.sleeping}
	a.enforce(good)
	a.listen(ctx, reload)
	defer a.close()
	a.Notify("READY=1\nSTATUS=begins")
	a.Log.Say(journal.Info, nil, "the agent is up, with a pass by the schedule %s, up to %s later on this host", good.Schedule.Cron, a.loop.Delay.Round(time.Second))
	a.loop.Run(ctx)
	a.Notify("STOPPING=1")
	return nil
}

// listen has reloads and changes of the spec wake the loop.
func (a *Agent) listen(ctx context.Context, reload <-chan os.Signal) {
	a.waits.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-reload:
				a.hup.Store(true)
				a.wake()
			}
		}
	})
	var err error
	if a.watch, err = a.Watch(a.wake); err != nil {
		a.Log.Say(journal.Warning, nil, "%v; a changed spec is noticed at the next pass, or after: systemctl reload benchctl", err)
	}
	a.heedJobs()
}

func (a *Agent) close() {
	if a.watch != nil {
		a.watch.Close()
	}
}

// wake asks for a pass.
func (a *Agent) wake() {
	select {
	case a.wakes <- struct{}{}:
	default: // one is asked for already
	}
}

// sleeping tells systemd what became of the last pass and when the next is.
func (a *Agent) sleeping(until time.Time) {
	next := "no pass is due"
	if !until.IsZero() {
		next = "next pass " + until.Format("Mon 15:04:05")
	}
	state := a.state
	if a.fault != nil {
		state += "; the spec has problems, and the last good one stays in force"
	}
	a.Notify(fmt.Sprintf("STATUS=%s; %s", state, next))
}

// panicked says what a bug did. The next pass is another one.
func (a *Agent) panicked(value any, stack []byte) {
	a.state = "the last pass failed by a bug of benchctl"
	a.Log.Say(journal.Error, nil, "a pass ended by a bug of benchctl, which goes on: %v\n%s", value, stack)
}
