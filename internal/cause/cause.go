// Package cause finds what probably changed something on a host: the package
// manager, by its log; a program that sets the same knobs, by when its unit
// started; a boot; or whoever wrote a file, by when that was.
//
// A cause is what the host itself shows and no more: it is a hint for the
// person who reads a report, and nothing is decided by it.
package cause

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A Finder looks for causes on one host.
type Finder struct {
	Reader     host.Reader
	InstallDir string    // of the runner, for fields that are names below it
	Unit       string    // of the runner, for fields of its unit file
	Now        time.Time // what came later, benchctl did itself
	// Local is how times are written and what dpkg's log means by its own.
	Local *time.Location

	log  []event // of dpkg, the newest last
	read bool    // log was
}

// Find says what probably did a change of a resource of that kind since a time,
// "" when nothing shows it.
func (f *Finder) Find(ctx context.Context, kind string, c reconcile.Change, since time.Time) string {
	switch kind {
	case "packages", "jdk", "pts":
		if said := f.dpkg(kind, c, since); said != "" {
			return said
		}
	case "cpufreq", "sysctl":
		return f.knob(ctx, kind, since)
	}
	return f.file(kind, c, since)
}

// within reports whether something happened since it was last in step, and
// before benchctl itself began to change things.
func (f *Finder) within(t, since time.Time) bool { return t.After(since) && !t.After(f.Now) }

// at is "14:32", with the date when that is another day's.
func (f *Finder) at(t time.Time) string { return Clock(t.In(f.Local), f.Now.In(f.Local)) }

// Clock writes a time for somebody who reads it now: the hour, and before it
// the date unless it is today's. Both times are in the same location.
func Clock(t, now time.Time) string {
	if y, m, d := t.Date(); y == now.Year() && m == now.Month() && d == now.Day() {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// rivals are what sets the same knobs as benchctl: the units of the programs
// that distributions come with or that people add for it.
var rivals = map[string][]string{
	"cpufreq": {"power-profiles-daemon", "tuned", "tuned-ppd", "thermald", "tlp", "auto-cpufreq", "cpufrequtils",
		"loadcpufreq", "cpufreqd", "cpupower", "ondemand", "system76-power", "laptop-mode"},
	"sysctl": {"systemd-sysctl", "procps", "tuned"},
}

// knob looks for the rival that started last, then for a boot, which gives a
// knob the kernel's own value, then for a rival that merely runs.
func (f *Finder) knob(ctx context.Context, kind string, since time.Time) string {
	var latest, running host.Unit
	for _, name := range rivals[kind] {
		u, err := f.Reader.Unit(ctx, name+".service")
		if err != nil {
			break // whoever cannot ask systemd once cannot ask again
		}
		if f.within(u.ActiveSince, since) && u.ActiveSince.After(latest.ActiveSince) {
			latest = u
		}
		if u.ActiveState == "active" && u.SubState == "running" && running.Name == "" {
			running = u
		}
	}
	switch booted := f.booted(); {
	case latest.Name != "":
		return fmt.Sprintf("%s started %s", program(latest), f.at(latest.ActiveSince))
	case f.within(booted, since):
		return "this host booted " + f.at(booted)
	case running.Name != "":
		return fmt.Sprintf("%s runs since %s", program(running), f.at(running.ActiveSince))
	}
	return ""
}

func program(u host.Unit) string { return strings.TrimSuffix(u.Name, ".service") }

// booted is when this host booted (proc_stat(5), btime), zero when it does not say.
func (f *Finder) booted() time.Time {
	text, err := f.Reader.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "btime "); ok {
			if seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
				return time.Unix(seconds, 0)
			}
		}
	}
	return time.Time{}
}

// printable leaves out of text that others wrote whatever does not print.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}
