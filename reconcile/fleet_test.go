package reconcile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/SKaiNET-developers/benchctl/spec"
)

// GitHub's limits for whoever asks with one token or as one installation of an
// App: docs.github.com, rate limits for the REST API. A GET is one point and a
// POST five. In an organisation on Enterprise Cloud an App has 15,000 an hour.
const (
	pointsAMinute  = 900
	requestsAnHour = 5000
)

// A credential is what a pass with it costs while nothing changed, which
// TestAgentAsksLittle of e2e counts: one question for the runner of this name.
// GitHub counts no answer of 304 to a token, but an App has a new token each
// time, and then there is no 304.
type credential struct {
	points, requests int
	daily            int // questions more in the first pass of a day: groups, how long the runner's version works
}

var (
	byToken = credential{points: 1, requests: 0, daily: 2}
	byApp   = credential{points: 5 + 1, requests: 2, daily: 2}
)

// A fleet is many hosts with one schedule, each with the loop and the delay that
// it has in earnest. They were set up at random times of an hour.
type fleet struct {
	hosts    int
	schedule *spec.Schedule
	from, to time.Duration // within which they start, since midnight

	mu     sync.Mutex
	passes map[time.Duration]int // in each minute since midnight
}

// newFleet has a schedule with the delay of a spec, or what a spec without one has.
func newFleet(t *testing.T, hosts int, cron, splay string) *fleet {
	t.Helper()
	if splay != "" {
		splay = ", splay: " + splay
	}
	s, err := spec.Load("runner.yaml", fmt.Appendf(nil, "version: 1\nuser: u\nrunner: {url: https://github.com/o/r, version: \"2.336.0\"}\nschedule: {cron: %q%s}\n", cron, splay))
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{hosts: hosts, schedule: s.Schedule, from: 90 * time.Minute, to: 150 * time.Minute, passes: map[time.Duration]int{}}
}

// run lets some time pass once all are up.
func (f *fleet) run(t *testing.T, lasts time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		midnight := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), f.to+lasts)
		defer cancel()
		random := rand.New(rand.NewPCG(1, uint64(f.hosts)))
		var all sync.WaitGroup
		for i := range f.hosts {
			starts := f.from + time.Duration(random.Int64N(int64(f.to-f.from)))
			seed := fmt.Sprintf("%016x%016xbench%d", random.Uint64(), random.Uint64(), i)
			all.Go(func() {
				time.Sleep(starts)
				l := &Loop{
					Clock:    &wall{zone: time.UTC, ring: make(chan struct{}, 1), timer: time.NewTimer(0)},
					Schedule: f.schedule, Delay: Splay(seed, f.schedule.Splay),
					Pass: func(context.Context) { f.count(time.Since(midnight)) },
				}
				l.Run(ctx)
			})
		}
		all.Wait()
	})
}

func (f *fleet) count(at time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passes[at.Truncate(time.Minute)]++
}

// busiest is the number of passes in the minute, and in the hour, that has most,
// once all hosts are up.
func (f *fleet) busiest() (minute, hour int) {
	for from := range f.passes {
		if from < f.to {
			continue
		}
		sum := 0
		for at, n := range f.passes {
			if at >= from && at < from+time.Hour {
				sum += n
			}
		}
		minute, hour = max(minute, f.passes[from]), max(hour, sum)
	}
	return minute, hour
}

// TestFleets shows what fleets ask of GitHub, with -v as the table of README.md,
// and holds the default of splay to it: a thousand hosts with one credential
// stay within each limit, in the worst minute of the day and even when the
// answer to each question is another one.
func TestFleets(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "\n%7s %-14s %-8s %22s %22s\n", "hosts", "schedule", "splay", "points, busiest minute", "requests, busiest hour")
	fmt.Fprintf(&table, "%31s %11s %10s %11s %10s\n", "", "token", "App", "token", "App")
	for _, c := range []struct {
		cron, splay string
		fits        map[int]string // with how many hosts, and with what
	}{
		{"*/30 * * * *", "0s", map[int]string{1000: ""}},
		{"*/30 * * * *", "3m", map[int]string{1000: ""}},
		{"*/30 * * * *", "", map[int]string{1000: "token and App", 10000: ""}},
		{"*/30 * * * *", "29m", map[int]string{10000: ""}},
		{"@hourly", "", map[int]string{1000: "token and App"}},
		{"0 3 * * *", "", map[int]string{1000: "token and App"}},
		{"*/10 * * * *", "", map[int]string{1000: ""}},
	} {
		for hosts, want := range c.fits {
			f := newFleet(t, hosts, c.cron, c.splay)
			f.run(t, 100*time.Minute)
			minute, hour := f.busiest()
			fmt.Fprintf(&table, "%7d %-14s %-8s %11d %10d %11d %10d\n", hosts, c.cron, f.schedule.Splay,
				minute*byToken.points, minute*byApp.points, hour*byToken.requests, hour*byApp.requests)
			var fits []string
			for _, with := range []struct {
				name string
				credential
			}{{"token", byToken}, {"App", byApp}} {
				if minute*(with.points+with.daily) <= pointsAMinute && hour*max(with.requests, 1) <= requestsAnHour {
					fits = append(fits, with.name)
				}
			}
			if got := strings.Join(fits, " and "); got != want {
				t.Errorf("%d hosts at %s, up to %s later, fit with %q, want %q: %d passes in a minute and %d in an hour", hosts, c.cron, f.schedule.Splay, got, want, minute, hour)
			}
		}
	}
	t.Log(table.String())
}

// TestAFleetThatStartsAtOnce comes back after a power cut: nobody waits with the
// look at the host itself, so most are refused by GitHub, and all of them have
// asked again, in time, after one round of the schedule.
func TestAFleetThatStartsAtOnce(t *testing.T) {
	f := newFleet(t, 1000, "*/30 * * * *", "")
	f.from, f.to = 127*time.Minute, 128*time.Minute
	f.run(t, 40*time.Minute)
	most, later := 0, 0
	for at, n := range f.passes {
		if at >= f.to {
			most, later = max(most, n), later+n
		}
	}
	t.Logf("%d passes in the first minute, %d until the end of the next round, and of these at most %d in a minute", f.passes[f.from], later, most)
	if f.passes[f.from] < f.hosts || later < f.hosts || most*(byApp.points+byApp.daily) > pointsAMinute {
		t.Error("some are refused, and they are not asked again in time")
	}
}
