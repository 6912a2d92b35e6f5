package cause

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

const (
	dpkgLog = "/var/log/dpkg.log"
	aptLog  = "/var/log/apt/history.log"
	mostLog = 512 << 10 // bytes that are read of a log, from its end
)

// An event is something that dpkg did.
type event struct {
	at      time.Time // to the second
	action  string
	name    string // of the package, without its architecture
	version string // that is there afterwards
}

// gone reports whether the package was taken off the host.
func (e event) gone() bool { return e.action == "remove" || e.action == "purge" }

// actions are those of dpkg's log that change what is installed (dpkg(1),
// "LOGGING"), as a person says them.
var actions = map[string]string{"install": "installed", "upgrade": "upgraded", "remove": "removed", "purge": "purged"}

// dpkg says what dpkg last did to the package of a change. One that is gone was
// removed when that began: a purge of what is left may come much later.
func (f *Finder) dpkg(kind string, c reconcile.Change, since time.Time) string {
	var found event
	for _, e := range slices.Backward(f.events()) {
		// The log knows whole seconds.
		if !e.at.Add(time.Second).After(since) {
			break
		}
		switch {
		case e.at.After(f.Now):
		case found.name == "" && concerns(kind, c, e):
			found = e
		case found.name == e.name && found.gone() && e.gone():
			found.at = e.at
		case found.name != "" && found.name == e.name:
			return f.told(found)
		}
	}
	if found.name == "" {
		return ""
	}
	return f.told(found)
}

// told is an event in words.
func (f *Finder) told(e event) string {
	said := fmt.Sprintf("dpkg %s %s", actions[e.action], printable(e.name))
	if e.action == "upgrade" {
		said += " to " + printable(e.version)
	}
	said += " " + f.at(e.at)
	if by := f.asked(e.at); by != "" {
		said += ", by " + by
	}
	return said
}

// concerns reports whether an event may have made a change: a field is called
// like its package, or, where it is a path or a version, like its kind.
func concerns(kind string, c reconcile.Change, e event) bool {
	if e.gone() && c.Want == "none" || !e.gone() && c.Have == "absent" {
		return false
	}
	if e.name == c.Field || e.name == c.Want {
		return true
	}
	switch kind {
	case "jdk":
		return strings.HasPrefix(c.Field, "/") && (strings.Contains(e.name, "-jdk") || strings.Contains(e.name, "-jre"))
	case "pts":
		return e.name == "phoronix-test-suite" && (c.Field == "version" || c.Field == "package")
	}
	return false
}

// events are those of dpkg's log, and of the one before it, which is rotated
// once a month. They are read once.
func (f *Finder) events() []event {
	if !f.read {
		f.read = true
		f.log = append(f.parse(tail(f.Reader, dpkgLog+".1")), f.parse(tail(f.Reader, dpkgLog))...)
	}
	return f.log
}

// parse reads lines such as
//
//	2026-11-23 14:35:01 purge git:amd64 1:2.47.3-0 <none>
func (f *Finder) parse(text []byte) (events []event) {
	for line := range bytes.Lines(text) {
		w := strings.Fields(string(line))
		if len(w) < 6 || actions[w[2]] == "" {
			continue
		}
		at, err := time.ParseInLocation(time.DateTime, w[0]+" "+w[1], f.Local)
		if err != nil {
			continue
		}
		name, _, _ := strings.Cut(w[3], ":")
		events = append(events, event{at: at, action: w[2], name: name, version: w[5]})
	}
	return events
}

// asked is who had apt work at a time, as apt's own log has it: the program,
// and the person when one asked. The rest of the command line may hold what
// is nobody's business.
func (f *Finder) asked(at time.Time) (by string) {
	var start time.Time
	var program, person string
	for line := range bytes.Lines(tail(f.Reader, aptLog)) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), ": ")
		switch key {
		case "Start-Date":
			start, _ = f.stamp(value)
			program, person = "", ""
		case "Commandline":
			program = base(value)
		case "Requested-By":
			person, _, _ = strings.Cut(value, " ")
		case "End-Date":
			end, err := f.stamp(value)
			if err == nil && !start.IsZero() && !at.Before(start) && !at.After(end) && program != "" {
				by = program
				if person != "" {
					by += " for " + printable(person)
				}
			}
		}
	}
	return by
}

// stamp reads a time of apt's log: "2026-11-23  14:35:01".
func (f *Finder) stamp(text string) (time.Time, error) {
	return time.ParseInLocation(time.DateTime, strings.Join(strings.Fields(text), " "), f.Local)
}

// base is the program of a command line.
func base(line string) string {
	first, _, _ := strings.Cut(line, " ")
	return printable(first[strings.LastIndexByte(first, '/')+1:])
}

// tail is the end of a log, in whole lines; nothing when it cannot be read.
func tail(r host.Reader, file string) []byte {
	info, err := r.Lstat(file)
	if err != nil || !info.IsRegular() {
		return nil
	}
	f, err := r.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	cut := info.Size - mostLog
	if cut > 0 && !skip(f, cut) {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(f, mostLog))
	if err != nil {
		return nil
	}
	if cut > 0 {
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	return text
}

// skip leaves out the first bytes of a file, without reading them where it can.
func skip(r io.Reader, n int64) bool {
	if s, ok := r.(io.Seeker); ok {
		_, err := s.Seek(n, io.SeekStart)
		return err == nil
	}
	_, err := io.CopyN(io.Discard, r, n)
	return err == nil
}
