package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

func TestLife(t *testing.T) {
	t.Parallel()
	r := newRig(t, goodSpec)
	r.wants("at the start", r.begin(), []string{
		"READY=1 STATUS=begins", "WATCHDOG_USEC=960000000", "WATCHDOG_USEC=0", "STATUS=in step; next pass Mon 10:30:00",
	})
	r.wants("later", r.tick(), []string{"WATCHDOG_USEC=960000000", "WATCHDOG_USEC=0", "STATUS=in step; next pass Mon 11:00:00"})
	r.did(2, 0)
	if got := r.m.Text(LastGood); got != goodSpec {
		t.Errorf("the last good spec is %q", got)
	}
}

func TestWhatItCannotBeginWith(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"version: 1\nuser: 3\n":                       "runner: is missing",
		strings.Replace(goodSpec, "schedule", "#", 1): "has no schedule; add one",
	} {
		r := newRig(t, text)
		err := r.Run(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("began with %q: %v", text, err)
		}
		if len(r.told) != 1 || !strings.HasPrefix(r.told[0], "STATUS=cannot begin: the spec") || r.m.Text(LastGood) != "" {
			t.Errorf("systemd was told %q", r.told)
		}
	}
}

func TestCorrection(t *testing.T) {
	t.Parallel()
	pending := map[reconcile.Status]int{reconcile.Pending: 2, reconcile.Unchanged: 9}
	for name, tt := range map[string]struct {
		seen     Seen
		lookErr  error
		applyErr error
		came     Seen // of the apply
		corrects int
		status   string
		says     string
	}{
		"drift":                   {seen: Seen{Code: 2, Summary: pending}, corrects: 1, status: "in step since the last correction", says: "2 to change: starting benchctl-apply.service"},
		"drift and an error":      {seen: Seen{Code: 1, Summary: pending}, corrects: 1, status: "in step since"},
		"an error alone":          {seen: Seen{Code: 1, Summary: map[reconcile.Status]int{reconcile.Failed: 1}}, status: "needs somebody", says: "see benchctl diff"},
		"another benchctl":        {seen: Seen{Code: 3, Summary: map[reconcile.Status]int{reconcile.Deferred: 11}}, status: "deferred"},
		"a look that fails":       {lookErr: errors.New("cannot look at the host"), status: "the last pass failed", says: "cannot look"},
		"a correction that fails": {seen: Seen{Code: 2, Summary: pending}, applyErr: errors.New("the job of systemd ended as failed"), corrects: 1, status: "correcting failed: see journalctl -u benchctl-apply", says: "ended as failed; see: journalctl"},
		"one that takes too long": {seen: Seen{Code: 2, Summary: pending}, applyErr: context.DeadlineExceeded, corrects: 1, status: "benchctl-apply.service is still at work", says: "for 2h0m0s"},
		"one that is put off":     {seen: Seen{Code: 2, Summary: pending}, came: Seen{Code: 3}, corrects: 1, status: "deferred", says: "was put off"},
		"one that leaves something unknown": {seen: Seen{Code: 1, Summary: pending}, applyErr: errors.New("the job of systemd ended as failed"), corrects: 1, status: "corrected, but needs somebody",
			came: Seen{Code: 1, Summary: map[reconcile.Status]int{reconcile.Changed: 2, reconcile.Unknown: 1}}, says: "corrected, but not all is well"},
		"one that corrects half of it": {seen: Seen{Code: 2, Summary: pending}, applyErr: errors.New("the job of systemd ended as failed"), corrects: 1, status: "correcting failed",
			came: Seen{Code: 1, Summary: map[reconcile.Status]int{reconcile.Changed: 1, reconcile.Failed: 1}}, says: "correcting failed; see: journalctl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, goodSpec)
			r.seen, r.lookErr, r.came, r.apply = tt.seen, tt.lookErr, tt.came, func() error { return tt.applyErr }
			told := r.begin()
			r.did(1, tt.corrects)
			if last := told[len(told)-1]; !strings.HasPrefix(last, "STATUS="+tt.status) || told[len(told)-2] != "WATCHDOG_USEC=0" {
				t.Errorf("systemd was told %q", told)
			}
			if corrected := slices.Contains(told, "WATCHDOG_USEC=7260000000"); corrected != (tt.corrects > 0) {
				t.Errorf("the watchdog was told %q", told)
			}
			if !strings.Contains(r.log(), tt.says) {
				t.Errorf("said %q, want %q", r.log(), tt.says)
			}
		})
	}
}

func TestAPausedHost(t *testing.T) {
	t.Parallel()
	r := newRig(t, goodSpec)
	r.paused = errors.New("this host is paused by ana")
	r.busy = errors.New("nobody asks")
	told := r.begin()
	r.did(0, 0)
	if told[len(told)-1] != "STATUS=paused; next pass Mon 10:30:00" || !slices.Equal(r.putOff, []string{"this host is paused by ana"}) {
		t.Errorf("systemd was told %q; put off %q", told, r.putOff)
	}
}

// However the spec changes, the last good one is in force.
func TestASpecThatChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, goodSpec)
	r.begin()
	change := func(text, status string) {
		t.Helper()
		r.m.WriteFile(specFile, text)
		told := r.asleep()
		for len(r.slept) > 0 { // written in two steps, it may be seen twice
			told = append(told, r.asleep()...)
		}
		if told[len(told)-1] != "STATUS=in step"+status || !slices.Contains(told, "RELOADING=1") || !slices.Contains(told, "READY=1") {
			t.Errorf("after %q systemd was told %q", text, told)
		}
	}
	change(strings.Replace(goodSpec, "*/30", "45", 1), "; next pass Mon 10:45:00")
	change("version: 2\n", "; the spec has problems, and the last good one stays in force; next pass Mon 10:45:00")
	if !strings.Contains(r.log(), "the last good spec stays in force") || !strings.Contains(r.log(), "runner.yaml:1:10: version") {
		t.Errorf("said %q", r.log())
	}
	r.m.WriteFile(LastGood, "damaged")
	change("version: 3\n", "; the spec has problems, and the last good one stays in force; next pass Mon 10:45:00")
	said := r.log()
	if told := r.tick(); slices.Contains(told, "RELOADING=1") {
		t.Errorf("systemd was told %q", told)
	}
	if again := strings.TrimPrefix(r.log(), said); strings.Contains(again, "version") {
		t.Errorf("said once more: %q", again)
	}
	s, fault, err := LoadKept(t.Context(), r.Source, r.m, r.Files)
	if err != nil || fault == nil || s.Schedule.Cron != "45 * * * *" {
		t.Errorf("the spec that is kept is %+v, with %v and %v", s, fault, err)
	}
	change(strings.Replace(goodSpec, "*/30", "45", 1), "; next pass Mon 11:45:00")
	change(strings.Replace(goodSpec, "schedule", "#", 1), "; next pass Mon 11:45:00")
	if !strings.Contains(r.log(), "no longer has a schedule") {
		t.Errorf("said %q", r.log())
	}
}

func TestReloadOnSignal(t *testing.T) {
	t.Parallel()
	r := newRig(t, goodSpec)
	r.begin()
	r.reload <- os.Interrupt
	r.wants("after a signal", r.asleep(), []string{
		"WATCHDOG_USEC=960000000", "RELOADING=1", "READY=1", "WATCHDOG_USEC=0", "STATUS=in step; next pass Mon 10:30:00",
	})
}

// Without a spec and without a last good one, there is nothing to go by.
func TestLoadKeptWithoutAny(t *testing.T) {
	t.Parallel()
	r := newRig(t, "version: 2\n")
	if _, _, err := LoadKept(t.Context(), r.Source, r.m, r.Files); err == nil || !strings.Contains(err.Error(), "runner.yaml:1:10: version") {
		t.Errorf("the error is %v", err)
	}
	r.m.WriteFile(LastGood, "version: 3\n")
	if _, _, err := LoadKept(t.Context(), r.Source, r.m, r.Files); err == nil || !strings.Contains(err.Error(), "runner.yaml:1:10: version") {
		t.Errorf("with a last good one that is none: %v", err)
	}
	r.m.WriteFile(LastGood, goodSpec)
	if _, fault, err := LoadKept(t.Context(), r.Source, r.m, []string{"/etc/benchctl/gone.yaml"}); err != nil || !strings.Contains(fault.Error(), "there is no such file") {
		t.Errorf("with a last good one: %v, %v", fault, err)
	}
}

// Whatever a hand put in the place of the last good spec, the agent neither
// waits for it nor goes without one.
func TestTheLastGoodIsDamaged(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(file string) error{
		"a fifo":      func(file string) error { return syscall.Mkfifo(file, 0o600) },
		"a directory": func(file string) error { return os.MkdirAll(file+"/x", 0o700) },
		"no end":      func(file string) error { return os.Symlink("/dev/zero", file) },
		"huge":        func(file string) error { return os.WriteFile(file, make([]byte, 2<<20), 0o600) },
	} {
		r := newRig(t, goodSpec)
		file := r.m.Path(LastGood)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), damage(file)); err != nil {
			t.Fatal(err)
		}
		r.begin()
		if got := r.m.Text(LastGood); got != goodSpec {
			t.Errorf("%s: the last good spec is %q; said %q", name, got, r.log())
		}
	}
}

// A spec that is no file is a spec with problems.
func TestASpecThatHangs(t *testing.T) {
	t.Parallel()
	r := newRig(t, goodSpec)
	r.begin()
	file := r.m.Path(specFile)
	if err := errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600)); err != nil {
		t.Fatal(err)
	}
	if told := r.tick(); !strings.HasPrefix(told[len(told)-1], "STATUS=in step; the spec has problems") || !strings.Contains(r.log(), "not a plain file") {
		t.Errorf("systemd was told %q; said %q", told, r.log())
	}
}

func TestItGivesWay(t *testing.T) {
	t.Parallel()
	const stale = "/usr/local/bin/benchctl is another one now"
	r := newRig(t, goodSpec)
	r.begin()
	r.do(func() { r.stale, r.unable = stale, errors.New("problems") })
	r.m.WriteFile(specFile, "version: 2\n")
	r.asleep() // the new one could not begin with this
	r.m.WriteFile(specFile, goodSpec)
	if err := <-r.ended; err != nil || !strings.Contains(r.log(), "is another one now: the agent ends") {
		t.Errorf("ended with %v, said %q", err, r.log())
	}
	// What only the new one can read is no reason to stay.
	r = newRig(t, goodSpec)
	r.begin()
	r.do(func() { r.stale = stale })
	r.m.WriteFile(specFile, "version: 2\n")
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	r.did(1, 0)
}

func TestAPassWithABug(t *testing.T) {
	t.Parallel()
	r := newRig(t, goodSpec)
	r.bug = "index out of range"
	told := r.begin()
	if last := told[len(told)-1]; !strings.HasPrefix(last, "STATUS=the last pass failed by a bug") || told[len(told)-2] != "WATCHDOG_USEC=0" {
		t.Errorf("systemd was told %q", told)
	}
	if !strings.Contains(r.log(), "index out of range") {
		t.Errorf("said %q", r.log())
	}
	r.do(func() { r.bug = nil })
	r.tick()
	r.did(2, 0)
}

// A host waits as long behind its schedule each time, and tells others when.
func TestNext(t *testing.T) {
	t.Parallel()
	r := newRig(t, strings.Replace(goodSpec, "splay: 0s", "splay: 20m", 1))
	s, err := r.Source.Load(t.Context(), r.Files)
	if err != nil {
		t.Fatal(err)
	}
	delay := Delay(r.m, s.Schedule)
	if delay <= 0 || delay >= 20*time.Minute {
		t.Fatalf("the delay is %s", delay)
	}
	at := time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC).Add(delay)
	for _, after := range []time.Time{at.Add(-time.Second), at.Add(-30 * time.Minute)} {
		if next := Next(r.m, s.Schedule, after); !next.Equal(at) {
			t.Errorf("the next pass after %s is %s, want %s", after, next, at)
		}
	}
	r.begin()
	r.tick()
	if now := r.Now(); !now.Equal(at) {
		t.Errorf("the agent's next pass was %s, want %s", now, at)
	}
}
