package agent

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const specFile = "/etc/benchctl/runner.yaml"

const goodSpec = `version: 1
user: gha-runner
runner:
  url: https://github.com/o/r
  version: "2.336.0"
schedule: {cron: "*/30 * * * *", splay: 0s}
`

// A rig is an agent with everything around it made up, on a clock that stands
// still until the test moves it.
type rig struct {
	*Agent
	t      *testing.T
	m      *hosttest.Machine
	reload chan os.Signal
	slept  chan []string // what systemd was told until the agent slept
	ended  chan error

	mu       sync.Mutex
	now      time.Time
	alarm    time.Time
	ring     chan struct{}
	told     []string
	said     strings.Builder
	busy     error
	idle     chan struct{} // closed when the job ends
	listener chan struct{} // gets one when the Listener ends
	waited   int
	seen     Seen
	lookErr  error
	bug      any
	fetching func() // what a child does besides
	looks    int
	corrects int
	apply    func() error // what a correction does
	paused   error
	since    time.Time // of the deferral
	putOff   []string
	came     Seen // of the last apply
	stale    string
	unable   error         // the new one cannot read the spec
	freed    chan struct{} // gets one when another benchctl is gone
}

func newRig(t *testing.T, text string) *rig {
	r := &rig{
		t: t, m: hosttest.New(t, "-- etc/machine-id --\n0123\n"),
		reload: make(chan os.Signal, 1), slept: make(chan []string, 100), ended: make(chan error, 1),
		now: time.Date(2026, 11, 23, 10, 7, 0, 0, time.UTC), ring: make(chan struct{}, 1),
		seen:  Seen{Summary: map[reconcile.Status]int{reconcile.Unchanged: 11}},
		apply: func() error { return nil }, freed: make(chan struct{}),
	}
	r.m.WriteFile(specFile, text)
	r.Agent = &Agent{
		Files: []string{specFile}, Source: &source.Reader{Open: r.m.Open, Copies: r.m, Offline: true}, Host: r.m, Log: journal.New(r), Clock: r,
		Jobs: func(*spec.Spec) Jobs { return r }, Fetch: r.fetch, Look: r.look, Correct: r.correct,
		Paused: func() error { r.mu.Lock(); defer r.mu.Unlock(); return r.paused },
		Defer:  r.put, Applied: func(time.Time) Seen { return r.came }, Notify: r.notify,
		Free:     r.untilFreed,
		Watch:    func(changed func()) (*Watcher, error) { return Watch([]string{r.m.Path(specFile)}, changed) },
		Stale:    func() string { r.mu.Lock(); defer r.mu.Unlock(); return r.stale },
		Validate: func(context.Context) error { return r.unable },
	}
	return r
}

// begin runs the agent until it sleeps after its first pass.
func (r *rig) begin() []string {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.ended <- r.Run(ctx, r.reload) })
	r.t.Cleanup(func() { cancel(); running.Wait() })
	return r.asleep()
}

// asleep waits until the agent sleeps, and returns what systemd was told since
// it did before.
func (r *rig) asleep() []string {
	r.t.Helper()
	select {
	case told := <-r.slept:
		return told
	case <-time.After(10 * time.Second):
		r.t.Fatalf("the agent does not go to sleep; it said %q", r.log())
		return nil
	}
}

// tick moves the clock to the alarm, and returns as asleep does.
func (r *rig) tick() []string {
	r.t.Helper()
	r.do(func() { r.now = r.alarm })
	r.ring <- struct{}{}
	return r.asleep()
}

// do changes what the agent will see.
func (r *rig) do(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *rig) log() string { r.mu.Lock(); defer r.mu.Unlock(); return r.said.String() }

func (r *rig) Write(p []byte) (int, error) { r.mu.Lock(); defer r.mu.Unlock(); return r.said.Write(p) }

func (r *rig) Now() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now }

func (r *rig) Ring(at time.Time) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alarm = at
	r.slept <- r.told
	r.told = nil
	return r.ring
}

func (r *rig) notify(state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first, _, _ := strings.Cut(state, "\nMONOTONIC_USEC")
	r.told = append(r.told, strings.ReplaceAll(first, "\n", " "))
}

func (r *rig) Idle(context.Context) error { r.mu.Lock(); defer r.mu.Unlock(); return r.busy }

func (r *rig) Wait(ctx context.Context, _ func(string)) error {
	r.mu.Lock()
	r.waited++
	idle := r.idle
	r.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *rig) Ended(ctx context.Context) error {
	r.mu.Lock()
	up := r.listener
	r.mu.Unlock()
	if up == nil {
		return os.ErrNotExist
	}
	select {
	case <-up:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// job has a job run until the returned function is called.
func (r *rig) job() (end func()) {
	idle := make(chan struct{})
	r.do(func() { r.busy, r.idle = errors.New("a job is running"), idle })
	return func() {
		r.do(func() { r.busy = nil })
		close(idle)
	}
}

func (r *rig) fetch(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetching()
	return nil
}

func (r *rig) look(context.Context) (Seen, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	if r.fetching != nil {
		r.fetching()
	}
	if r.bug != nil {
		panic(r.bug)
	}
	return r.seen, r.lookErr
}

func (r *rig) untilFreed(ctx context.Context) error {
	select {
	case <-r.freed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *rig) correct(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.corrects++
	return r.apply()
}

func (r *rig) put(_ *spec.Spec, why error, job bool) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.putOff = append(r.putOff, why.Error())
	if !job {
		return time.Time{}
	}
	if r.since.IsZero() {
		r.since = r.now
	}
	return r.since
}

// did compares how often the agent looked and corrected.
func (r *rig) did(looks, corrects int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.looks != looks || r.corrects != corrects {
		r.t.Errorf("looked %d times and corrected %d times, want %d and %d; said %q", r.looks, r.corrects, looks, corrects, r.said.String())
	}
}

func (r *rig) wants(what string, got, want []string) {
	r.t.Helper()
	if !slices.Equal(got, want) {
		r.t.Errorf("%s: systemd was told\n%q, want\n%q", what, got, want)
	}
}
