package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

// A wall is a clock that can be set, over the fake time of a test.
type wall struct {
	mu    sync.Mutex
	ahead time.Duration
	zone  *time.Location
	ring  chan struct{}
	timer *time.Timer
}

// wallAt shows a time in a zone.
func wallAt(t *testing.T, text, zone string) *wall {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation(time.DateTime, text, loc)
	if err != nil {
		t.Fatal(err)
	}
	return &wall{ahead: time.Until(at), zone: loc, ring: make(chan struct{}, 1), timer: time.NewTimer(0)}
}

func (w *wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead).In(w.zone).Round(0)
}

func (w *wall) Ring(at time.Time) <-chan struct{} {
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	if !at.IsZero() {
		w.timer = time.AfterFunc(at.Sub(now), w.sound)
	}
	return w.ring
}

func (w *wall) sound() {
	select {
	case w.ring <- struct{}{}:
	default:
	}
}

// set moves the hands, as NTP does, or a suspended machine that wakes.
func (w *wall) set(by time.Duration) {
	w.mu.Lock()
	w.ahead += by
	w.mu.Unlock()
	w.sound()
}

// A week is a loop that notes when its passes began.
type week struct {
	*Loop
	wall *wall
	wake chan struct{}

	mu     sync.Mutex
	takes  time.Duration // a pass
	passes []time.Time
	going  int
}

// newWeek starts a loop; it ends with the test's bubble.
func newWeek(t *testing.T, w *wall, schedule string, change ...func(*week)) *week {
	t.Helper()
	k := &week{wall: w, wake: make(chan struct{}, 1)}
	k.Loop = &Loop{Clock: w, Wake: k.wake, Pass: k.pass(t), Panicked: func(v any, _ []byte) { t.Errorf("a pass panicked: %v", v) }}
	if schedule != "" {
		sched, err := cron.ParseStandard(schedule)
		if err != nil {
			t.Fatal(err)
		}
		k.Schedule = sched
	}
	for _, f := range change {
		f(k)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { k.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	synctest.Wait()
	return k
}

func (k *week) pass(t *testing.T) func(context.Context) {
	return func(ctx context.Context) {
		k.mu.Lock()
		k.going++
		if k.going > 1 {
			t.Error("two passes at once")
		}
		k.passes = append(k.passes, k.wall.Now())
		takes := k.takes
		k.mu.Unlock()
		select {
		case <-time.After(takes):
		case <-ctx.Done():
		}
		k.mu.Lock()
		k.going--
		k.mu.Unlock()
	}
}

// after lets time go by and returns the passes that began since the last call.
func (k *week) after(d time.Duration) []time.Time {
	time.Sleep(d)
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	began := k.passes
	k.passes = nil
	return began
}

// clocks are times of the day, to compare and to read.
func clocks(times []time.Time) string {
	var text []string
	for _, at := range times {
		text = append(text, at.Format("15:04"))
	}
	return strings.Join(text, " ")
}

func want(t *testing.T, what string, got []time.Time, want string) {
	t.Helper()
	if clocks(got) != want {
		t.Errorf("%s: passes at %s, want %s", what, clocks(got), want)
	}
}

func TestAPassAtStartAndThenBySchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newWeek(t, wallAt(t, "2026-11-23 10:07:00", "UTC"), "*/30 * * * *")
		want(t, "the first hours", k.after(2*time.Hour), "10:07 10:30 11:00 11:30 12:00")
		if n := len(k.after(7 * 24 * time.Hour)); n != 7*48 {
			t.Errorf("%d passes in a week", n)
		}
	})
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delayed := func(k *week) { k.Delay = 10 * time.Minute }
		k := newWeek(t, wallAt(t, "2026-11-23 10:07:00", "UTC"), "*/30 * * * *", delayed)
		want(t, "by the clock", k.after(2*time.Hour), "10:07 10:40 11:10 11:40")
		// Hosts that started together part, and stay as far apart.
		k = newWeek(t, wallAt(t, "2026-11-23 10:07:00", "UTC"), "@every 1h", delayed)
		want(t, "by the hour", k.after(4*time.Hour), "10:07 11:17 12:17 13:17")
		// One woken in between keeps to the schedule.
		k = newWeek(t, wallAt(t, "2026-11-23 10:07:00", "UTC"), "*/30 * * * *", delayed)
		k.after(28 * time.Minute)
		k.wake <- struct{}{}
		want(t, "woken", k.after(time.Hour), "10:35 10:40 11:10")
	})
}

func TestMissedTicksAreOnePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newWeek(t, wallAt(t, "2026-11-23 10:07:00", "UTC"), "*/30 * * * *")
		k.after(time.Hour)
		k.wall.set(60 * time.Hour) // asleep over the weekend
		want(t, "after two days and a half", k.after(time.Hour), "23:07 23:30 00:00")
	})
	synctest.Test(t, func(t *testing.T) {
		k := newWeek(t, wallAt(t, "2026-11-23 10:07:00", "UTC"), "*/30 * * * *", func(k *week) { k.takes = 80 * time.Minute })
		want(t, "outlasted", k.after(4*time.Hour), "10:07 11:27 12:47 14:07")
		k.mu.Lock()
		k.takes = time.Second
		k.mu.Unlock()
		want(t, "and quick again", k.after(3*time.Hour), "15:27 15:30 16:00 16:30 17:00")
	})
}

func TestAClockThatIsSet(t *testing.T) {
	for _, tt := range []struct {
		by   time.Duration
		want string
	}{
		{-72 * time.Hour, "10:30 11:00 11:30 12:00"},   // no wait for three days
		{-20 * time.Minute, "10:00 10:30 11:00 11:30"}, // ten o'clock comes twice
		{-5 * time.Minute, "10:30 11:00 11:30 12:00"},
		{5 * time.Minute, "10:30 11:00 11:30 12:00"},
		{20 * time.Minute, "10:35 11:00 11:30 12:00 12:30"},
		{24 * time.Hour, "10:15 10:30 11:00 11:30 12:00"},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newWeek(t, wallAt(t, "2026-11-23 09:45:00", "UTC"), "*/30 * * * *")
			k.after(30 * time.Minute)
			k.wall.set(tt.by)
			want(t, fmt.Sprint("set by ", tt.by), k.after(2*time.Hour), tt.want)
		})
	}
}

// While a pass is going on, the clock may be set too.
func TestAClockThatIsSetDuringAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newWeek(t, wallAt(t, "2026-11-23 10:00:00", "UTC"), "*/30 * * * *", func(k *week) { k.takes = 10 * time.Minute })
		k.after(5 * time.Minute)
		k.wall.set(-48 * time.Hour)
		want(t, "set back two days", k.after(2*time.Hour), "10:30 11:00 11:30 12:00")
		k.wall.set(48 * time.Hour)
		want(t, "and forth", k.after(time.Hour), "12:10 12:30 13:00")
	})
}

// A day has 23 or 25 hours now and then; the passes stay evenly apart.
func TestSummerTime(t *testing.T) {
	for _, tt := range []struct {
		begin, schedule string
		passes          int
		day             time.Duration
	}{
		{"2026-03-29 00:00:00", "*/30 * * * *", 46, 23 * time.Hour},
		{"2026-10-25 00:00:00", "*/30 * * * *", 50, 25 * time.Hour},
		{"2026-03-29 00:00:00", "0 * * * *", 23, 23 * time.Hour},
		{"2026-10-25 00:00:00", "0 * * * *", 25, 25 * time.Hour},
		{"2026-03-29 00:00:00", "30 4 * * *", 1, 23 * time.Hour},
		{"2026-10-25 00:00:00", "30 4 * * *", 1, 25 * time.Hour},
		{"2026-10-25 00:00:00", "@every 1h", 25, 25 * time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newWeek(t, wallAt(t, tt.begin, "Europe/Berlin"), tt.schedule)
			k.after(0)
			passes := k.after(tt.day)
			if len(passes) != tt.passes {
				t.Errorf("%s from %s on: %d passes, want %d: %s", tt.schedule, tt.begin, len(passes), tt.passes, clocks(passes))
			}
			for i, at := range passes[1:] {
				if gap := at.Sub(passes[i]); gap != tt.day/time.Duration(tt.passes) {
					t.Errorf("%s apart at %s", gap, at)
				}
			}
		})
	}
}

func TestWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newWeek(t, wallAt(t, "2026-11-23 10:00:00", "UTC"), "0 * * * *", func(k *week) { k.takes = 10 * time.Minute })
		k.after(20 * time.Minute)
		k.wake <- struct{}{}
		want(t, "woken", k.after(5*time.Minute), "10:20")
		// Many wakes during a pass are one pass after it.
		for range 5 {
			select {
			case k.wake <- struct{}{}:
			default:
			}
		}
		want(t, "woken during a pass", k.after(55*time.Minute), "10:30 11:00")
	})
}

// never is a schedule without a time.
type never struct{}

func (never) Next(time.Time) time.Time { return time.Time{} }

func TestASchedulesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var until []time.Time
		k := newWeek(t, wallAt(t, "2026-11-23 10:00:00", "UTC"), "", func(k *week) {
			k.Schedule = never{}
			k.Sleeping = func(at time.Time) { until = append(until, at) }
		})
		want(t, "without a schedule", k.after(1000*time.Hour), "10:00")
		k.wall.set(time.Hour)
		want(t, "a clock that is set", k.after(time.Hour), "")
		k.wake <- struct{}{}
		want(t, "a wake", k.after(time.Hour), "04:00")
		if slices.ContainsFunc(until, func(at time.Time) bool { return !at.IsZero() }) {
			t.Errorf("slept until %v", until)
		}
	})
}

func TestAScheduleThatAPassChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newWeek(t, wallAt(t, "2026-11-23 10:00:00", "UTC"), "0 * * * *", func(k *week) {
			pass := k.Loop.Pass
			k.Loop.Pass = func(ctx context.Context) {
				pass(ctx)
				if k.wall.Now().Hour() == 11 {
					k.Schedule, k.Delay = cron.Every(20*time.Minute), time.Minute
				}
			}
		})
		want(t, "two schedules", k.after(2*time.Hour), "10:00 11:00 11:20 11:40 12:00")
	})
}

func TestAPanicEndsOnePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		k := newWeek(t, wallAt(t, "2026-11-23 10:00:00", "UTC"), "*/30 * * * *", func(k *week) {
			pass := k.Loop.Pass
			k.Loop.Pass = func(ctx context.Context) {
				pass(ctx)
				k.mu.Lock()
				defer k.mu.Unlock()
				if len(k.passes)%2 == 1 {
					panic("a bug")
				}
			}
			k.Panicked = func(v any, stack []byte) {
				said = append(said, fmt.Sprint(v))
				if !strings.Contains(string(stack), "TestAPanicEndsOnePass") {
					t.Errorf("the stack is %s", stack)
				}
			}
		})
		want(t, "with panics", k.after(90*time.Minute), "10:00 10:30 11:00 11:30")
		if !slices.Equal(said, []string{"a bug", "a bug"}) {
			t.Errorf("said %q", said)
		}
	})
}

func TestSplay(t *testing.T) {
	t.Parallel()
	const hosts, most = 10_000, 10 * time.Minute
	var slots [10]int
	for i := range hosts {
		seed := fmt.Sprint("bench", i)
		d := Splay(seed, most)
		if d < 0 || d >= most || d != Splay(seed, most) {
			t.Fatalf("%s waits %s", seed, d)
		}
		slots[d*10/most]++
	}
	for i, n := range slots {
		if n < hosts/10*9/10 || n > hosts/10*11/10 {
			t.Errorf("%d of %d hosts are in tenth %d", n, hosts, i)
		}
	}
	if d := Splay("bench1", 0); d != 0 {
		t.Errorf("without a splay a host waits %s", d)
	}
}
