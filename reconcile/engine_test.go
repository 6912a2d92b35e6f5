package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
)

// fake is a resource with one field.
type fake struct {
	kind, have, want string
	effects          []Effect
	needs            []string
	diffErr, err     error
	stubborn         bool // Apply changes nothing
	log              *[]string
}

func (f *fake) ID() ID          { return ID{Kind: f.kind} }
func (f *fake) Needs() []string { return f.needs }

func (f *fake) Diff(_ context.Context, r host.Reader) ([]Change, error) {
	if _, ok := r.(host.Host); ok {
		return nil, errors.New("a Diff was handed a Host")
	}
	if f.have == f.want {
		return nil, f.diffErr
	}
	return []Change{{Field: "it", Have: f.have, Want: f.want, Effects: f.effects}}, f.diffErr
}

func (f *fake) Apply(context.Context, host.Host) error {
	*f.log = append(*f.log, "apply "+f.kind)
	if !f.stubborn {
		f.have = f.want
	}
	return f.err
}

// careful is a fake that prepares.
type careful struct {
	*fake
	refuses error
}

func (c careful) Prepare(context.Context, host.Host) error {
	*c.log = append(*c.log, "prepare "+c.kind)
	return c.refuses
}

// What cannot be prepared fails while the service is up; what can is prepared
// with the runner held. Once the service is down there is nothing to spare.
func TestPrepareComesBeforeTheStop(t *testing.T) {
	t.Parallel()
	restart := []Effect{Restart}
	for refuses, want := range map[error]string{
		nil:                      "idle? hold prepare a release stop apply a apply b",
		errors.New("no upgrade"): "idle? hold prepare a release hold prepare b release stop apply b",
	} {
		var log []string
		got := Apply(t.Context(), hosttest.New(t, ""), []Resource{
			careful{&fake{kind: "a", want: "1", effects: restart, log: &log}, refuses},
			careful{&fake{kind: "b", want: "1", effects: restart, log: &log}, nil},
		}, Options{Jobs: fakeJobs{&log, ""}})
		if s := strings.Join(log, " "); s != want {
			t.Errorf("did %q, want %q", s, want)
		}
		if refused := got[0].Status == Failed; refused != (refuses != nil) {
			t.Errorf("got %+v", got[0])
		}
	}
}

// A hold that was lost while something was prepared has failed, too; the service
// is not stopped.
func TestPrepareThatOutlivedItsHold(t *testing.T) {
	t.Parallel()
	var log []string
	got := Apply(t.Context(), hosttest.New(t, ""), []Resource{
		careful{&fake{kind: "a", want: "1", effects: []Effect{Restart}, log: &log}, nil},
		&fake{kind: "b", want: "1", log: &log},
	}, Options{Jobs: fakeJobs{&log, "release"}})
	if s := strings.Join(log, " "); s != "idle? hold prepare a release" || got[0].Status != Failed || got[1].Status != Deferred {
		t.Errorf("did %q: %+v", s, got)
	}
}

// shortJobs hold for a moment only.
type shortJobs struct{ NoJobs }

var errShort = errors.New("the time is over")

func (shortJobs) Hold(ctx context.Context) (context.Context, func() error, error) {
	held, cancel := context.WithDeadlineCause(ctx, time.Now().Add(stopTime), errShort)
	return held, func() error { cancel(); return nil }, nil
}

// slow takes until it is told that its time is over.
type slow struct{ *fake }

func (s slow) Apply(ctx context.Context, h host.Host) error {
	<-ctx.Done()
	return ctx.Err()
}

func (s slow) Prepare(ctx context.Context, h host.Host) error { return s.Apply(ctx, h) }

// What takes too long is cut short and says why; what can be prepared leaves
// the time to stop the service, and is done with that down.
func TestHoldsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log []string
		begun := time.Now()
		got := Apply(t.Context(), hosttest.New(t, ""), []Resource{
			slow{&fake{kind: "a", want: "1", log: &log}},
			careful{&fake{kind: "b", want: "1", log: &log}, nil},
		}, Options{Jobs: shortJobs{}})
		if !errors.Is(got[0].Err, errShort) || got[0].Status != Failed || got[1].Status != Changed || time.Since(begun) != stopTime {
			t.Errorf("after %v: %+v", time.Since(begun), got)
		}
		prepared := slow{&fake{kind: "c", want: "1", effects: []Effect{Restart}, log: &log}}
		p := &pass{Options: Options{Jobs: shortJobs{}}}
		begun = time.Now()
		if err := p.prepare(t.Context(), prepared); err != nil || time.Since(begun) != 0 {
			t.Errorf("preparing ended after %v: %v", time.Since(begun), err)
		}
	})
}

// Interrupted, an apply changes nothing more and says so, whatever a look with
// a dead context came to.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	var log []string
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := Apply(ctx, hosttest.New(t, ""), []Resource{
		&fake{kind: "a", want: "1", log: &log}, &fake{kind: "b", diffErr: context.Canceled, log: &log}, &fake{kind: "c", log: &log},
	}, Options{Jobs: fakeJobs{&log, ""}})
	for i, want := range []Status{Failed, Failed, Unchanged} {
		if got[i].Status != want || (want == Failed) != strings.Contains(got[i].Error, "interrupted before") {
			t.Errorf("got %+v", got[i])
		}
	}
	if s := strings.Join(log, " "); s != "idle?" {
		t.Errorf("did %q", s)
	}
}

// A service that was stopped is started again although nobody asked for its
// resource; one that was not stopped is left alone, and a half-made host starts
// none.
func TestStarter(t *testing.T) {
	t.Parallel()
	restart := []Effect{Restart}
	for name, tt := range map[string]struct {
		first fake
		log   string
		last  Status
	}{
		"stopped":     {fake{want: "1", effects: restart}, "idle? stop apply a apply service", Changed},
		"not stopped": {fake{want: "1"}, "idle? hold apply a release", Changed},
		"half-made":   {fake{want: "1", effects: restart, err: errors.New("no")}, "idle? stop apply a", Skipped},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log []string
			tt.first.kind, tt.first.log = "a", &log
			got := Apply(t.Context(), hosttest.New(t, ""), []Resource{&tt.first}, Options{
				Jobs:    fakeJobs{&log, ""},
				Starter: &fake{kind: "service", want: "1", needs: []string{"a"}, effects: restart, log: &log},
			})
			if s := strings.Join(log, " "); s != tt.log {
				t.Errorf("did %q, want %q", s, tt.log)
			}
			if last := got[len(got)-1]; last.Status != tt.last {
				t.Errorf("got %+v", last)
			}
		})
	}
}

// fakeJobs logs what it is asked; busyAt names the calls that find a job.
// A hold that is lost is not what it was at its release.
type fakeJobs struct {
	log    *[]string
	busyAt string
}

func (j fakeJobs) ask(what string) error {
	*j.log = append(*j.log, what)
	if j.busyAt == what {
		return fmt.Errorf("%w (process 4711)", ErrBusy)
	}
	return nil
}
func (j fakeJobs) Idle(context.Context) error { return j.ask("idle?") }
func (j fakeJobs) Stop(context.Context) error { return j.ask("stop") }
func (j fakeJobs) Hold(ctx context.Context) (context.Context, func() error, error) {
	held, cancel := context.WithCancel(ctx)
	return held, func() error { cancel(); return j.ask("release") }, j.ask("hold")
}

func TestApply(t *testing.T) {
	t.Parallel()
	restart := []Effect{Restart}
	tests := map[string]struct {
		resources []*fake
		busyAt    string
		log       string
		statuses  []Status
		code      int
	}{
		"what is in step is left alone": {
			resources: []*fake{{kind: "a", have: "1", want: "1"}},
			log:       "idle?", statuses: []Status{Unchanged}, code: ExitOK,
		},
		"a change without effects holds the runner": {
			resources: []*fake{{kind: "a", want: "1"}, {kind: "b", want: "1"}},
			log:       "idle? hold apply a release hold apply b release", statuses: []Status{Changed, Changed}, code: ExitOK,
		},
		"a change that needs a restart stops it once": {
			resources: []*fake{{kind: "a", want: "1"}, {kind: "b", want: "1", effects: restart}, {kind: "c", want: "1", effects: restart}, {kind: "d", want: "1"}},
			log:       "idle? hold apply a release stop apply b apply c hold apply d release", statuses: []Status{Changed, Changed, Changed, Changed},
		},
		"a hold that did not last has failed, and nothing more is touched": {
			resources: []*fake{{kind: "a", want: "1"}, {kind: "b", want: "1"}, {kind: "c", have: "1", want: "1"}}, busyAt: "release",
			log: "idle? hold apply a release", statuses: []Status{Failed, Deferred, Deferred}, code: ExitError,
		},
		"a job defers everything": {
			resources: []*fake{{kind: "a", want: "1"}, {kind: "b", have: "1", want: "1"}}, busyAt: "idle?",
			log: "idle?", statuses: []Status{Deferred, Deferred}, code: ExitDeferred,
		},
		"a job that comes in between defers the rest": {
			resources: []*fake{{kind: "a", have: "1", want: "1"}, {kind: "b", want: "1", effects: restart}, {kind: "c", want: "1"}}, busyAt: "stop",
			log: "idle? stop", statuses: []Status{Unchanged, Deferred, Deferred}, code: ExitDeferred,
		},
		"a failure stops what needs it and nothing else": {
			resources: []*fake{{kind: "a", want: "1", err: errors.New("no")}, {kind: "b", want: "1", needs: []string{"a"}}, {kind: "c", want: "1"}, {kind: "d", want: "1", needs: []string{"b"}}},
			log:       "idle? hold apply a release hold apply c release", statuses: []Status{Failed, Skipped, Changed, Skipped}, code: ExitError,
		},
		"what this host cannot be stops what needs it, unless tolerated": {
			resources: []*fake{{kind: "a", diffErr: ErrUnsupported}, {kind: "b", want: "1", needs: []string{"a"}}, {kind: "c", diffErr: Tolerate(ErrUnsupported)}, {kind: "d", want: "1", needs: []string{"c"}}},
			log:       "idle? hold apply d release", statuses: []Status{Unsupported, Skipped, Unsupported, Changed}, code: ExitError,
		},
		"what still differs has failed": {
			resources: []*fake{{kind: "a", have: "0", want: "1", stubborn: true}},
			log:       "idle? hold apply a release", statuses: []Status{Failed}, code: ExitError,
		},
		"unknown and unsupported count, unless tolerated": {
			resources: []*fake{{kind: "a", diffErr: ErrUnknown}, {kind: "b", diffErr: ErrUnsupported}},
			log:       "idle?", statuses: []Status{Unknown, Unsupported}, code: ExitError,
		},
		"tolerated": {
			resources: []*fake{{kind: "a", diffErr: Tolerate(ErrUnknown)}, {kind: "b", diffErr: Tolerate(ErrUnsupported)}},
			log:       "idle?", statuses: []Status{Unknown, Unsupported}, code: ExitOK,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log []string
			var resources []Resource
			for _, f := range tt.resources {
				f.log = &log
				resources = append(resources, f)
			}
			got := Apply(t.Context(), hosttest.New(t, ""), resources, Options{Jobs: fakeJobs{&log, tt.busyAt}})
			var statuses []Status
			for _, o := range got {
				statuses = append(statuses, o.Status)
			}
			if !slices.Equal(statuses, tt.statuses) {
				t.Errorf("statuses %v, want %v: %+v", statuses, tt.statuses, got)
			}
			if s := strings.Join(log, " "); s != tt.log {
				t.Errorf("did %q, want %q", s, tt.log)
			}
			if code := (&Report{Results: got}).ExitCode(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
		})
	}
}

func TestDiffKeepsOrder(t *testing.T) {
	t.Parallel()
	var log []string
	got := Diff(t.Context(), hosttest.New(t, ""), []Resource{
		&fake{kind: "a", have: "0", want: "1", effects: []Effect{Restart}, log: &log},
		&fake{kind: "b", log: &log},
	})
	if got[0].ID.Kind != "a" || got[0].Status != Pending || got[1].Status != Unchanged {
		t.Errorf("got %+v", got)
	}
	if code := (&Report{Results: got}).ExitCode(); code != ExitDiffers {
		t.Errorf("exit code %d", code)
	}
	if len(log) != 0 {
		t.Errorf("diff did %v", log)
	}
}

func TestApplyThatIsInterruptedChangesNothingMore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var log []string
	resources := []Resource{
		&fake{kind: "a", want: "1", log: &log},
		&fake{kind: "b", want: "1", effects: []Effect{Restart}, log: &log},
		&fake{kind: "c", have: "1", want: "1", log: &log},
	}
	got := Apply(ctx, hosttest.New(t, ""), resources, Options{
		Jobs:  fakeJobs{&log, ""},
		Ended: func(Outcome) { cancel() },
	})
	if s := strings.Join(log, " "); s != "idle? hold apply a release" {
		t.Errorf("did %q", s)
	}
	if got[0].Status != Changed || got[1].Status != Failed || got[2].Status != Unchanged || !errors.Is(got[1].Err, context.Canceled) {
		t.Errorf("outcomes %+v", got)
	}
}

// wordy is a fake whose looks take a while, and say so.
type wordy struct{ *fake }

func (w wordy) Diff(ctx context.Context, r host.Reader) ([]Change, error) {
	Progress(ctx)("waiting")
	return w.fake.Diff(ctx, r)
}

func TestALookSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	var log, said []string
	Apply(t.Context(), hosttest.New(t, ""), []Resource{wordy{&fake{kind: "a", want: "1", log: &log}}}, Options{
		Jobs: fakeJobs{&log, ""}, Said: func(id ID, line string) { said = append(said, id.Kind+" "+line) },
	})
	if want := []string{"a waiting", "a waiting"}; !slices.Equal(said, want) { // before the change and after it
		t.Errorf("it said %q", said)
	}
}
