package gate

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
)

// dpkgStatus is written each time that a package changes.
const dpkgStatus = "/var/lib/dpkg/status"

// during are the checks of a job's end: what the host is now, and what happened
// to it since the job started.
func (g Gate) during(want *expect.Expected) []check {
	then, err := g.recall()
	if err != nil {
		missing := noted("cannot tell what changed during this job: %s", plain(err.Error()))
		return []check{
			{"knobs", func(context.Context) []Finding { return g.knobs(want) }},
			{"processes", func(context.Context) []Finding { return g.survivors(want) }},
			{"record", func(context.Context) []Finding { return []Finding{missing} }},
		}
	}
	return []check{
		{"knobs", func(context.Context) []Finding { return g.drifted(want, then) }},
		{"packages", func(context.Context) []Finding { return g.installed(then) }},
		{"frequency", func(context.Context) []Finding { return g.limited(then) }},
		{"throttling", func(context.Context) []Finding { return g.throttled(then) }},
		{"processes", func(context.Context) []Finding { return g.survivors(want) }},
	}
}

// drifted compares the knobs with the expectation, and says of those that
// changed since the job started from what to what.
func (g Gate) drifted(want *expect.Expected, then *record) []Finding {
	found := g.knobs(want)
	for i, k := range want.Knobs {
		settings, err := k.Settings(g.Host)
		if err != nil {
			continue // it was said
		}
		var moved []string
		for _, s := range settings {
			if was, known := then.Values[s.Path]; known && was != s.Value {
				moved = append(moved, fmt.Sprintf("%s from %s to %s", short(s.Path), plain(was), plain(s.Value)))
			}
		}
		if moved == nil {
			continue
		}
		f := &found[i]
		if f.Verdict == InStep {
			f.Verdict = Noted // set right in between; the start said what was wrong
		}
		f.Text = fmt.Sprintf("changed during the job: %s; %s", enumerate(moved), f.Text)
	}
	return found
}

// installed notices what a package manager did while nobody looked.
func (g Gate) installed(then *record) []Finding {
	info, err := g.Host.Lstat(dpkgStatus)
	if err != nil || !info.Mtime.After(then.Started) {
		return nil // the check for packages has said the rest
	}
	return []Finding{differs("packages were changed during the job, at %s UTC", info.Mtime.UTC().Format(time.TimeOnly))}
}

// limited notices when firmware or a daemon lowered, or raised, a limit of the
// clock.
func (g Gate) limited(then *record) []Finding {
	var moved []string
	for _, c := range g.changed(then, limits) {
		moved = append(moved, fmt.Sprintf("%s from %s to %s kHz", short(c.path), plain(c.was), plain(c.is)))
	}
	if moved == nil {
		return nil
	}
	return []Finding{noted("a limit moved during the job: %s", enumerate(moved))}
}

// throttled says how often the CPUs were slowed for heat, and for how long.
// The threads of a core count the same events, and so do the CPUs of a package:
// the one that counted most stands for all.
func (g Gate) throttled(then *record) []Finding {
	if here, _ := g.Host.Glob(throttle); len(here) == 0 {
		return []Finding{unsupported("this CPU counts no throttling (there is no %s)", path.Dir(throttle))}
	}
	most := map[string]int{}
	cpus := map[string]bool{}
	for _, c := range g.changed(then, throttle) {
		is, err1 := strconv.Atoi(c.is)
		was, err2 := strconv.Atoi(c.was)
		name := path.Base(c.path)
		if err1 == nil && err2 == nil && is > was {
			most[name] = max(most[name], is-was)
			cpus[path.Dir(c.path)] = true
		}
	}
	if len(most) == 0 {
		return []Finding{inStep("none during the job (%s)", time.Since(then.Started).Round(time.Second))}
	}
	var parts []string
	for _, level := range []string{"core", "package"} {
		if n := most[level+"_throttle_count"]; n > 0 {
			text := fmt.Sprintf("%s %d times", level, n)
			if lasted := most[level+"_throttle_total_time_ms"]; lasted > 0 { // Linux 5.8 and newer
				text += fmt.Sprintf(" and %s", time.Duration(lasted)*time.Millisecond)
			}
			parts = append(parts, text)
		}
	}
	return []Finding{noted("slowed for heat during the job, on %d CPUs: %s", len(cpus), strings.Join(parts, "; "))}
}

// A change is a kernel file with another value than when the job started.
type change struct{ path, was, is string }

func (g Gate) changed(then *record, pattern string) []change {
	var all []change
	for _, file := range slices.Sorted(maps.Keys(then.Values)) {
		if matches, err := path.Match(pattern, file); err != nil || !matches {
			continue
		}
		if is, err := expect.Value(g.Host, file); err == nil && is != then.Values[file] {
			all = append(all, change{file, then.Values[file], is})
		}
	}
	return all
}
