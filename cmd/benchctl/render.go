package main

// This file is everything benchctl says of a report to a person. The rules:
//   - stdout is the answer: the diff, the report, JSON; stderr is everything else.
//   - what is in step is not mentioned, unless -v.
//   - one resource, one paragraph: its id, then its changes, indented.
//   - what came from GitHub, a job or the runner's user is escaped.
//   - no colour unless stdout is a terminal, and NO_COLOR and --no-color are unset.

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/cause"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
)

// A printer writes reports as text.
type printer struct {
	w       io.Writer
	colour  bool
	verbose bool
	now     time.Time         // of the report, where its reader is
	removes bool              // the verb is remove: what is in step is gone
	agreed  *reconcile.Report // what its reader was shown and said yes to, if anything
}

func newPrinter(e *env, f *flags) *printer {
	return &printer{
		w:       e.stdout,
		colour:  isTerminal(e.stdout) && !f.noColor && e.getenv("NO_COLOR") == "",
		verbose: f.verbose,
	}
}

// report prints what one pass found or did.
func (p *printer) report(r *reconcile.Report) {
	p.now, p.removes = r.Started.Local(), r.Verb == "remove"
	deferred := ""
	for _, o := range r.Results {
		if o.Status == reconcile.Deferred {
			deferred = o.Error
			continue
		}
		p.outcome(o)
	}
	if deferred != "" {
		fmt.Fprintf(p.w, "Deferred: %s. What is not listed was not touched.\n", clean(deferred))
	}
	fmt.Fprintln(p.w, summary(r))
}

// outcome prints one resource's paragraph, if there is anything to say.
func (p *printer) outcome(o reconcile.Outcome) {
	if !p.verbose && (o.Status == reconcile.Unchanged || p.known(o)) {
		return
	}
	head := p.paint(bold, o.ID.String())
	switch o.Status {
	case reconcile.Pending, reconcile.Changed:
	case reconcile.Failed:
		head += "  " + p.paint(red, string(o.Status))
	default:
		head += "  " + string(o.Status)
	}
	for _, effect := range o.Effects {
		if p.removes {
			break // nothing of it starts again
		}
		head += "  [" + effectWords[effect] + "]"
	}
	fmt.Fprintln(p.w, head)
	p.changes(o.Changes)
	if o.Corrected >= tooOften {
		fmt.Fprintf(p.w, "  corrected %d times in 24 h: something keeps changing it\n", o.Corrected)
	}
	if o.Error != "" {
		fmt.Fprintln(p.w, indent(o.Error))
	}
}

// known reports whether the reader agreed to this very outcome, and nothing came
// of it but that.
func (p *printer) known(o reconcile.Outcome) bool {
	if p.agreed == nil || o.Status != reconcile.Changed || o.Error != "" || o.Corrected >= tooOften {
		return false
	}
	i := slices.IndexFunc(p.agreed.Results, func(shown reconcile.Outcome) bool { return shown.ID == o.ID })
	return i >= 0 && slices.EqualFunc(p.agreed.Results[i].Changes, o.Changes, func(shown, made reconcile.Change) bool {
		return shown.Field == made.Field && shown.Have == made.Have && shown.Want == made.Want
	})
}

// effectWords say what a change brings about, without the risk that a restart of
// the runner is taken for one of the machine.
var effectWords = map[reconcile.Effect]string{
	reconcile.Restart:    "restarts the runner",
	reconcile.Reregister: "registers at GitHub",
	reconcile.Reboot:     "after a reboot",
}

// changes prints fields in a column, each with what it is and what it should be.
func (p *printer) changes(changes []reconcile.Change) {
	width := 0
	for _, c := range changes {
		width = max(width, min(utf8.RuneCountInString(clean(c.Field)), 44))
	}
	for _, c := range changes {
		line := fmt.Sprintf("  %-*s  %s -> %s", width, clean(c.Field), p.paint(red, clean(c.Have)), p.paint(green, clean(c.Want)))
		if c.Corrective {
			line += "  " + p.paint(dim, drifted(c, p.now))
		}
		fmt.Fprintln(p.w, line)
	}
}

// tooOften is how many corrections in a day are no coincidence any more.
const tooOften = 3

// drifted says what is known of a change that nobody asked for. It happened
// after the time that it names, at which the resource was last seen in step.
func drifted(c reconcile.Change, now time.Time) string {
	said := "drifted"
	if c.Since != nil {
		said += " since " + cause.Clock(c.Since.In(now.Location()), now)
	}
	if c.Cause != "" {
		said += " (" + clean(c.Cause) + ")"
	}
	return said
}

// summary is the report in one line.
func summary(r *reconcile.Report) string {
	order := []reconcile.Status{
		reconcile.Failed, reconcile.Skipped, reconcile.Deferred, reconcile.Pending,
		reconcile.Changed, reconcile.Unsupported, reconcile.Unknown,
	}
	words := map[reconcile.Status]string{
		reconcile.Pending: "to change", reconcile.Changed: "changed", reconcile.Unchanged: "in step",
	}
	if r.Verb == "remove" {
		words = map[reconcile.Status]string{
			reconcile.Pending: "to remove", reconcile.Changed: "removed", reconcile.Unchanged: "not there",
		}
	}
	var parts []string
	for _, s := range append(order, reconcile.Unchanged) {
		if n := r.Summary[s]; n > 0 {
			word := words[s]
			if word == "" {
				word = string(s)
			}
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	switch {
	case len(parts) == 0 && r.Verb == "revert":
		return "no knob is benchctl's: nothing to give back"
	case len(parts) == 0:
		return "nothing to look at"
	}
	return strings.Join(parts, ", ")
}

// left prints what a removal left, each with what to do about it.
func (p *printer) left(all []resources.Leftover) {
	if len(all) == 0 {
		fmt.Fprintln(p.w, "Nothing of benchctl's is left on this host.")
		return
	}
	fmt.Fprintln(p.w, "Left:")
	width := 0
	for _, l := range all {
		width = max(width, min(utf8.RuneCountInString(clean(l.What)), 44))
	}
	for _, l := range all {
		fmt.Fprintf(p.w, "  %-*s  %s\n", width, clean(l.What), clean(l.How))
	}
}

// clean shows text that others wrote on one line and without control
// characters, so that it cannot speak to the terminal.
func clean(s string) string {
	if s == "" {
		return `""`
	}
	var b strings.Builder
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// indent sets a message off, line by line.
func indent(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, line := range lines {
		lines[i] = "  " + strings.TrimPrefix(clean(" "+line), " ")
	}
	return strings.Join(lines, "\n")
}

type colour string

const (
	bold  colour = "1"
	dim   colour = "2"
	red   colour = "31"
	green colour = "32"
)

func (p *printer) paint(c colour, s string) string {
	if !p.colour {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
