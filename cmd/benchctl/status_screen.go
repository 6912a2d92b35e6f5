package main

// This file and the two beside it are how the answer of status looks to a person:
// one fact a line, in two columns, each with a mark before it if it is not as it
// should be (!) or could not be seen (?), and a verdict below.

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/status"
)

// A screen is written from top to bottom, as the facts come in.
type screen struct {
	*printer
	width   int
	command string // what has benchctl read the same spec
	why     string // a part could not be seen, the last time that was said
}

func newScreen(e *env, f *flags) *screen {
	return &screen{printer: newPrinter(e, f), width: widthOf(e.stdout), command: f.again(e)}
}

const (
	usualWidth = 100 // where there is no terminal to ask
	leastWidth = 60
	labelWidth = 14
)

// widthOf is how many characters fit in a line.
func widthOf(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return max(leastWidth, int(size.Col))
		}
	}
	return usualWidth
}

// here shows what the host tells at once.
func (p *screen) here(s *status.Status) {
	p.now = s.At.Local()
	fmt.Fprintf(p.w, "%s at %s\n\n", p.paint(bold, clean(s.Host)), p.now.Format(time.DateTime))
	p.spec(s.Spec)
	p.service(s.Service)
	p.job(s.Job)
	p.agent(s.Agent)
	p.passes(s.Passes)
	p.pause(s.Pause)
	p.notices(s.Notices)
	for _, o := range s.Others {
		p.other(o, s.Service.Unit)
	}
}

// compared shows the rest, and the verdict.
func (p *screen) compared(s *status.Status) {
	p.registration(s.Registration)
	p.runner(s.Runner)
	p.token(s.Token)
	p.differs(s.Differs)
	fmt.Fprintf(p.w, "\n%s\n", p.verdict(s))
}

// verdict is all of it in a line.
func (p *screen) verdict(s *status.Status) string {
	var parts []string
	if len(s.Wrong) > 0 {
		parts = append(parts, p.paint(red, "Not as it should be")+": "+strings.Join(s.Wrong, ", ")+".")
	}
	if len(s.Unknown) > 0 {
		parts = append(parts, "Not seen: "+strings.Join(s.Unknown, ", ")+".")
	}
	if len(parts) == 0 {
		return p.paint(green, "All is as it should be.")
	}
	return strings.Join(parts, " ")
}

// row is a fact: its label, what it is in a line or more, and why it is not as it
// should be or could not be seen.
func (p *screen) row(label string, part status.Part, lines ...string) {
	head := fmt.Sprintf("%-*s", labelWidth, label)
	switch part.Is {
	case status.Wrong:
		head = p.paint(red, "! "+head)
	case status.Unknown:
		head = p.paint(red, "? "+head)
	default:
		head = "  " + head
	}
	switch why := part.Error; {
	case why != "" && why == p.why:
		lines = append(lines, "the same")
	case why != "":
		p.why = why
		lines = append(lines, why)
	}
	for _, line := range lines {
		if line != "" {
			p.fold(head, line)
			head = below
		}
	}
}

// more is another line of the fact above.
func (p *screen) more(line string) { p.fold(below, line) }

// below is where the label of a fact stands, in its further lines.
var below = strings.Repeat(" ", 2+labelWidth)

// fold prints what does not fit in a line in several.
func (p *screen) fold(head, text string) {
	for _, line := range wrap(clean(text), p.width-len(below)) {
		fmt.Fprintln(p.w, head+line)
		head = below
	}
}

// cut leaves of a text what fits in a line.
func (p *screen) cut(text string) string {
	if runes, room := []rune(clean(text)), p.width-len(below); len(runes) > room {
		return string(runes[:room-1]) + "…"
	}
	return text
}

// wrap breaks a text between words. A word that is too long stays whole: it may
// be there to be copied.
func wrap(text string, width int) (lines []string) {
	for len(text) > 0 {
		end, length := 0, 0 // of the last word that fits
		for i, r := range text {
			if r == ' ' && (length <= width || end == 0) {
				end = i
			}
			if length++; length > width && end > 0 {
				break
			}
		}
		if length <= width || end == 0 {
			return append(lines, text)
		}
		lines, text = append(lines, text[:end]), text[end+1:]
	}
	return lines
}

// clock is a moment where its reader is: the time of day, or the day too when it
// is another one.
func (p *screen) clock(t time.Time) string {
	t = t.In(p.now.Location())
	if t.Format(time.DateOnly) == p.now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2006-01-02 15:04")
}

// ago is a moment and how long before now it was.
func (p *screen) ago(t time.Time) string {
	return fmt.Sprintf("%s (%s ago)", p.clock(t), span(p.now.Sub(t)))
}

// until is a day and how far off it is.
func (p *screen) until(t time.Time) string {
	away := "in " + span(t.Sub(p.now))
	if t.Before(p.now) {
		away = span(p.now.Sub(t)) + " ago"
	}
	return fmt.Sprintf("%s (%s)", t.In(p.now.Location()).Format(time.DateOnly), away)
}

// span is a length of time in the unit that it is felt in.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", max(0, d/time.Second))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", (d+day/2)/day)
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
