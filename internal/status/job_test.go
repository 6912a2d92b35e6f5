package status_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/internal/status"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// stamp is a time as the Listener writes it before what it says.
func stamp(at time.Time) string { return at.Format("2006-01-02 15:04:05Z: ") }

// ran is a job in the journal.
func (d *desk) ran(began time.Time, name, result string) {
	d.says(began, stamp(began)+"Running job: "+name)
	if result != "" {
		d.says(began.Add(time.Minute), stamp(began.Add(time.Minute))+"Job "+name+" completed with result: "+result)
	}
}

func TestTheJobThatRuns(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	began := now.Add(-5 * time.Minute)
	d.ran(began.Add(-10*time.Minute), "warm-up", "Failed")
	d.ran(began, "engine (jmh)", "")
	d.jobs.workers = []jobs.Worker{{PID: 4711, Since: began.Add(400 * time.Millisecond)}}
	d.jobs.idle = reconcile.ErrBusy
	s := d.ask()
	want := status.Job{Part: status.Part{Is: status.OK}, Running: true, Name: "engine (jmh)", Since: began, PID: 4711, Last: s.Job.Last}
	if s.Job != want || bad(s) != "" {
		t.Errorf("got  %+v\nwant %+v", s.Job, want)
	}
	if l := (status.LastJob{Name: "warm-up", Result: "Failed", Ended: began.Add(-9 * time.Minute)}); s.Job.Last == nil || *s.Job.Last != l {
		t.Errorf("before: %+v, want %+v", s.Job.Last, l)
	}
}

// A job is named by its author, who may want to speak to the terminal or to look
// like something else that the Listener says.
func TestWhatAJobIsCalled(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"\x1b[2J\x1b]0;owned\a":                    `\u001b[2J\u001b]0;owned\u0007`,
		"a\u202eb\u200bc\tde  f":                   `a\u202eb\u200bc de f`,
		"2026-11-23 16:36:00Z: Listening for Jobs": "2026-11-23 16:36:00Z: Listening for Jobs",
		"Job x completed with result: Succeeded":   "Job x completed with result: Succeeded",
		"\xff\xfe":                                 "?",
		"":                                         "",
	} {
		d := newDesk(t)
		began := now.Add(-5 * time.Minute)
		d.ran(began, name, "")
		d.jobs.workers = []jobs.Worker{{PID: 4711, Since: began}}
		if s := d.ask(); s.Job.Name != want || !s.Job.Running || s.Job.Last != nil {
			t.Errorf("%q is shown as %q, want %q; the one before: %+v", name, s.Job.Name, want, s.Job.Last)
		}
	}
	d := newDesk(t)
	d.ran(now.Add(-time.Minute), fmt.Sprintf("%0200d", 0), "")
	d.jobs.workers = []jobs.Worker{{PID: 4711, Since: now.Add(-time.Minute)}}
	if n := len([]rune(d.ask().Job.Name)); n != 120 {
		t.Errorf("a name of 200 characters is shown with %d", n)
	}
}

// Lines that a Listener did not begin with its own clock are somebody else's.
func TestWhatIsNoWordOfTheListeners(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, line := range []string{"Running job: x", "x 2026-11-23 16:36:00Z: Runner reconnected.", "a Connected to GitHub", "Job x completed with result: Succeeded"} {
		d.says(now.Add(-time.Minute), line)
	}
	d.jobs.workers = []jobs.Worker{{PID: 4711, Since: now.Add(-time.Minute)}}
	if s := d.ask(); s.Job.Name != "" || s.Job.Last != nil || s.Service.Reconnects != 0 {
		t.Errorf("taken for the Listener's: %+v %+v %+v", s.Job, s.Job.Last, s.Service)
	}
}

// A Worker of days ago is named by what was said around its start.
func TestAJobThatRunsForDays(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	began := now.Add(-72 * time.Hour)
	d.ran(began.Add(-30*time.Second), "short", "Succeeded")
	d.ran(began, "endless", "")
	d.jobs.workers = []jobs.Worker{{PID: 4711, Since: began.Add(time.Second)}}
	if s := d.ask(); s.Job.Name != "endless" || s.Job.Last != nil {
		t.Errorf("the job: %+v", s.Job)
	}
}

func TestAJobWithoutAWorker(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		queue queue
		want  status.Job
	}{
		"received": {queue{idle: &jobs.BusyError{Reason: "a job is running (received by Runner.Listener)"}},
			status.Job{Part: status.Part{Is: status.OK}, Running: true, Reason: "a job is running (received by Runner.Listener)"}},
		"just started": {queue{idle: context.DeadlineExceeded},
			status.Job{Part: status.Part{Is: status.Unknown, Error: "the runner has only just started, and does not say yet whether it has a job"}}},
		"no /proc": {queue{err: errors.New("cannot list the processes")},
			status.Job{Part: status.Part{Is: status.Unknown, Error: "cannot list the processes"}}},
	} {
		d := newDesk(t)
		*d.jobs = tt.queue
		if s := d.ask(); s.Job != tt.want {
			t.Errorf("%s: %+v, want %+v", name, s.Job, tt.want)
		}
	}
}

// Only what was said in the last day, and in this invocation, is told of it.
func TestConnections(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	at := now.Add(-16*time.Minute + time.Second)
	d.Said = map[string][]host.Message{unit: {{At: at, Invocation: "another", Text: "√ Connected to GitHub"}}}
	for _, ago := range []time.Duration{25 * time.Hour, 23 * time.Hour, time.Hour} {
		d.says(now.Add(-ago), stamp(now.Add(-ago))+"Runner connect error: no route. Retrying until reconnected.")
		d.says(now.Add(-ago), stamp(now.Add(-ago))+"Runner reconnected.")
	}
	s := d.ask()
	if v := s.Service; !v.Connected.IsZero() || v.Reconnects != 2 || !v.Reconnected.Equal(now.Add(-time.Hour)) || v.Is != status.OK {
		t.Errorf("the service: %+v", v)
	}
}
