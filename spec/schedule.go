package spec

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // CRON_TZ= must mean the same on a host without tzdata

	"github.com/robfig/cron/v3"
)

func (l *loader) schedule(f *field) *Schedule {
	if !f.has() {
		return nil
	}
	s := &Schedule{Cron: f.get("cron").text()}
	sched := l.cron(f.get("cron"), s.Cron)
	s.Splay = l.splay(f.get("splay"), sched)
	s.MaxDefer = l.maxDefer(f.get("maxDefer"))
	return s
}

// cron checks the expression; nil when it is of no use.
func (l *loader) cron(f *field, expr string) cron.Schedule {
	if !f.has() {
		return nil
	}
	sched, err := parseCron(expr)
	if err != nil {
		hint := "write five fields such as */30 * * * *, or @hourly"
		if strings.HasPrefix(expr, "@") {
			hint = suggest(expr, "one of", cronWords)
		}
		l.fault(f, hint, "%v", err)
		return nil
	}
	if sched.Next(epoch).IsZero() {
		l.fault(f, "check day and month", "%s never comes", quote(expr))
		return nil
	}
	if every, ok := sched.(cron.ConstantDelaySchedule); ok && every.Delay < time.Minute {
		l.warn(f, "@every 1m or more", "a pass every %s leaves the host no quiet", every.Delay)
	}
	return sched
}

// splay checks the delay, which must fit between two passes. Without a word of
// the file it is half of that time: a thousand hosts with one credential then
// stay within GitHub's limits, as TestFleets of reconcile shows.
func (l *loader) splay(f *field, sched cron.Schedule) time.Duration {
	var gap time.Duration
	if sched != nil {
		gap = shortestGap(sched)
	}
	if !f.has() {
		return min(gap/2, maxDefaultSplay).Truncate(time.Second)
	}
	d, err := duration(f.text())
	switch {
	case err != nil:
		l.fault(f, "write a duration such as 90s or 5m", "%s is not a duration", quote(f.text()))
	case d < 0:
		l.fault(f, "write a duration such as 90s or 5m", "a delay cannot be negative")
	case gap > 0 && d >= gap:
		l.fault(f, "shorten splay, or let the passes be rarer", "a delay of up to %s does not fit between two passes, which are %s apart", d, gap)
	}
	return d
}

// maxDefaultSplay bounds what is waited without a word of the file: more would
// help nobody with fewer hosts.
const maxDefaultSplay = 15 * time.Minute

// maxDefer reads how long jobs may keep a pass from changing anything.
func (l *loader) maxDefer(f *field) time.Duration {
	d, err := duration(f.text())
	switch {
	case err != nil:
		l.fault(f, exampleHint(f), "%s is not a duration", quote(f.text()))
	case d < time.Minute:
		l.fault(f, "allow a minute or more; the default is 6h", "%s is less than a minute, and a pass would keep jobs waiting at once", quote(f.text()))
	}
	return d
}

// Next is the first pass after a time, in that time's location unless the
// expression names one; the zero time for a Schedule that Load did not make.
func (s *Schedule) Next(after time.Time) time.Time {
	sched, err := parseCron(s.Cron)
	if err != nil {
		return time.Time{}
	}
	return sched.Next(after)
}

// epoch is where gaps are measured from: a Monday, so that what is valid does
// not depend on the day.
var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// shortestGap looks at some passes in a row; 0 means that there is only one.
func shortestGap(sched cron.Schedule) time.Duration {
	at := sched.Next(epoch)
	var gap time.Duration
	for range 200 {
		next := sched.Next(at)
		if at.IsZero() || next.IsZero() {
			return gap
		}
		if d := next.Sub(at); gap == 0 || d < gap {
			gap = d
		}
		at = next
	}
	return gap
}

var cronWords = []string{"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "@every DURATION"}

// cronFields names the five, with what each may hold.
var cronFields = [5]string{"minute (0-59)", "hour (0-23)", "day (1-31)", "month (1-12 or JAN-DEC)", "weekday (0-6 or SUN-SAT)"}

// parseCron is cron.ParseStandard with errors in our words and without its
// panics.
func parseCron(expr string) (cron.Schedule, error) {
	rest, err := cronZone(expr)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(rest, "@") {
		return cronWord(expr, rest)
	}
	fields := strings.Fields(rest)
	if len(fields) != 5 {
		return nil, fmt.Errorf("%s has %d fields, and a schedule has five: minute hour day month weekday", quote(rest), len(fields))
	}
	sched, err := standard(expr)
	if err == nil {
		return sched, nil
	}
	for i, name := range cronFields {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = fields[i]
		if _, err := standard(strings.Join(alone, " ")); err != nil {
			return nil, fmt.Errorf("%s does not fit the field %s", quote(fields[i]), name)
		}
	}
	return nil, fmt.Errorf("%s is not a schedule", quote(expr))
}

// cronZone checks the time zone and returns what follows it.
func cronZone(expr string) (string, error) {
	for _, prefix := range []string{"CRON_TZ=", "TZ="} {
		zone, ok := strings.CutPrefix(expr, prefix)
		if !ok {
			continue
		}
		zone, rest, ok := strings.Cut(zone, " ")
		if !ok {
			return "", fmt.Errorf("%s has a time zone and no schedule after it", quote(expr))
		}
		if _, err := time.LoadLocation(zone); err != nil || zone == "" {
			return "", fmt.Errorf("%s is not a time zone", quote(zone))
		}
		return strings.TrimSpace(rest), nil
	}
	return expr, nil
}

// cronWord reads @hourly and the like.
func cronWord(expr, word string) (cron.Schedule, error) {
	every, ok := strings.CutPrefix(word, "@every ")
	if !ok {
		sched, err := standard(expr)
		if err != nil {
			return nil, fmt.Errorf("%s is not known", quote(word))
		}
		return sched, nil
	}
	if d, err := time.ParseDuration(every); err != nil || d < time.Second || d > 366*24*time.Hour {
		return nil, fmt.Errorf("%s is not a duration between 1s and a year", quote(every))
	}
	return standard(expr)
}

// standard keeps the library's panics in: it slices without looking.
func standard(expr string) (sched cron.Schedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("not a schedule")
		}
	}()
	return cron.ParseStandard(expr)
}
