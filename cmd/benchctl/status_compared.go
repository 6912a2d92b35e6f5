package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/status"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
)

func (p *screen) registration(r status.Registration) {
	if r.Is == status.None {
		return
	}
	here, hub := cmp.Or(r.Broken, "not seen"), "it has none"
	if r.Here != nil {
		here = view(unlike(*r.Here, r.Spec))
	}
	switch {
	case r.GitHub != nil:
		hub = view(unlike(*r.GitHub, r.Spec))
	case !r.Asked:
		hub = "not asked"
	case r.Error != "":
		hub = "not seen"
	}
	spec := r.Spec
	if r.GitHub != nil && all(spec.Labels, r.GitHub.Labels) {
		spec.Labels = nil // they stand below
	}
	mark := r.Part
	mark.Error = ""
	p.row("registration", mark, "spec     "+view(spec), ".runner  "+here, "GitHub   "+hub)
	if r.Here != nil && r.Broken != "" {
		p.more(r.Broken)
	}
	if r.Error != "" {
		p.more(r.Error)
	}
}

// all reports whether all labels are among others, as GitHub compares them.
func all(labels, others []string) bool {
	return !slices.ContainsFunc(labels, func(l string) bool {
		return !slices.ContainsFunc(others, func(o string) bool { return strings.EqualFold(l, o) })
	})
}

// unlike leaves out of a view in what it is like the spec's, where that would be
// no news, and what the spec leaves open.
func unlike(v, spec resources.View) resources.View {
	if strings.EqualFold(strings.TrimRight(v.URL, "/"), spec.URL) {
		v.URL = ""
	}
	if spec.Group == "" {
		v.Group = ""
	}
	return v
}

// view is what one of three says of the registration.
func view(v resources.View) string {
	parts := []string{v.Name}
	if v.ID != 0 {
		parts = append(parts, fmt.Sprint("id ", v.ID))
	}
	if v.Status != "" {
		parts = append(parts, v.Status)
	}
	if v.Busy != nil {
		parts = append(parts, map[bool]string{true: "busy", false: "idle"}[*v.Busy])
	}
	if v.Version != "" {
		parts = append(parts, v.Version)
	}
	if v.URL != "" {
		parts = append(parts, v.URL)
	}
	if v.Group != "" {
		parts = append(parts, "group "+v.Group)
	}
	if len(v.Labels) > 0 {
		parts = append(parts, strings.Join(v.Labels, " "))
	}
	return strings.Join(parts, ", ")
}

func (p *screen) runner(r status.Runner) {
	if r.Is == status.None {
		return
	}
	what := r.Installed
	if r.Wanted != r.Installed {
		what += ", the spec wants " + r.Wanted
	}
	if !r.JobsUntil.IsZero() {
		what += "; GitHub hands it jobs until " + p.until(r.JobsUntil)
	}
	if !r.RegistersUntil.IsZero() {
		what += ", registers it until " + p.until(r.RegistersUntil)
	}
	p.row("runner", r.Part, what)
}

func (p *screen) token(t status.Token) {
	if t.Is == status.None {
		return
	}
	what := "from " + t.Source
	if !t.Ends.IsZero() {
		what += ", ends " + p.until(t.Ends)
	}
	p.row("token", t.Part, what)
}

func (p *screen) differs(d status.Differs) {
	switch {
	case d.Is == status.None:
		return
	case d.Error != "":
		p.row("differs", d.Part, "")
		return
	}
	lines := []string{summary(&reconcile.Report{Summary: d.Summary})}
	for _, o := range d.Outcomes {
		if !reconcile.IsTolerated(o.Err) || o.Status == reconcile.Pending {
			lines = append(lines, p.cut(outcomeLine(o)))
		}
	}
	if rest := len(lines) - 1 - fewest; rest > 0 && !p.verbose {
		lines = append(lines[:fewest+1], fmt.Sprintf("and %d more: benchctl diff%s", rest, p.command))
	}
	p.row("differs", d.Part, lines...)
}

// outcomeLine is a resource that is not in step, in a line.
func outcomeLine(o reconcile.Outcome) string {
	line := o.ID.String()
	if o.Status != reconcile.Pending {
		line += " " + string(o.Status)
	}
	if len(o.Changes) > 0 {
		c := o.Changes[0]
		line += fmt.Sprintf(" %s: %s -> %s", c.Field, cmp.Or(c.Have, `""`), cmp.Or(c.Want, `""`))
	}
	if n := len(o.Changes); n > 1 {
		line = fmt.Sprintf("%s (1 of %d)", line, n)
	}
	if len(o.Changes) == 0 && o.Error != "" {
		line += ": " + strings.TrimPrefix(o.Error, string(o.Status)+": ")
	}
	return line
}
