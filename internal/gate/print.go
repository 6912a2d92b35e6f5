package gate

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// headline is the report in a sentence.
func (r Report) headline() string {
	moment := map[Moment]string{Started: "when the job started", Completed: "when the job completed"}[r.Moment]
	switch {
	case r.Has(Differs):
		return "this host was NOT as it must be " + moment
	case r.Has(Unknown):
		return "nobody can vouch for this host " + moment
	default:
		return "this host was as it must be " + moment
	}
}

// verdict says what the policy makes of a bad report.
func (p Policy) verdict(r Report) string {
	if p == Warn {
		return "gate: warn lets the job go on; its numbers are not to be compared with others. Next: " + r.next()
	}
	return "gate: fail fails the job. Next: " + r.next()
}

// next is where to look. Of what else keeps the CPUs busy no diff knows.
func (r Report) next() string {
	for _, f := range r.Findings {
		if f.Check != "load" && (f.Verdict == Differs || f.Verdict == Unknown) {
			return "benchctl diff on the host."
		}
	}
	return "see on the host what keeps its CPUs busy (top), or allow for it with gate.maxLoad."
}

// Log writes the report into a job's log.
func (r Report) Log(w io.Writer, p Policy) {
	fmt.Fprintf(w, "benchctl: %s (looked for %.1f ms)\n", r.headline(), float64(r.Elapsed)/float64(time.Millisecond))
	width := 0
	for _, f := range r.Findings {
		width = max(width, utf8.RuneCountInString(f.Check))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "  %-11s  %-*s  %s\n", f.Verdict, width, f.Check, f.Text)
	}
	if r.Bad() {
		fmt.Fprintln(w, p.verdict(r))
	}
}

// Annotate writes what deserves to be seen on the page of the run, as workflow
// commands: one a finding.
func (r Report) Annotate(w io.Writer, p Policy) {
	for _, f := range r.Findings {
		level := "warning"
		switch f.Verdict {
		case InStep, Unsupported:
			continue
		case Differs, Unknown:
			if p == Fail {
				level = "error"
			}
		}
		text := f.Check + ": " + f.Text
		if f.Verdict == Unknown {
			text = f.Check + " is unknown: " + f.Text
		}
		fmt.Fprintf(w, "::%s title=benchctl gate::%s\n", level, commandData.Replace(text))
	}
}

// commandData escapes the text of a workflow command, as GitHub's toolkit does
// (docs.github.com, "Workflow commands for GitHub Actions").
var commandData = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")

// Markdown is the report for the job's summary.
func (r Report) Markdown(p Policy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### benchctl: %s\n\n", r.headline())
	if r.Bad() {
		fmt.Fprintf(&b, "**%s**\n\n", p.verdict(r))
	}
	fmt.Fprintf(&b, "%s; revision %s; %s UTC\n\n", markdown.Replace(r.Host), cmp.Or(r.Revision, "unknown"), time.Now().UTC().Format(time.DateTime))
	b.WriteString("| | looked at | found |\n|---|---|---|\n")
	for _, f := range r.Findings {
		verdict := string(f.Verdict)
		if f.Verdict == Differs || f.Verdict == Unknown {
			verdict = "**" + verdict + "**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", verdict, markdown.Replace(f.Check), markdown.Replace(f.Text))
	}
	return b.String() + "\n"
}

// markdown escapes what has a meaning in Markdown or in HTML.
var markdown = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", `\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`,
	"[", `\[`, "]", `\]`, "#", `\#`, "~", `\~`, "@", "&#64;", "://", "&#58;//",
)
