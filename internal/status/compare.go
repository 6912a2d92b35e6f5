package status

import (
	"context"
	"slices"

	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
)

// Differs is what a diff finds.
type Differs struct {
	Part
	Summary  map[reconcile.Status]int `json:"summary,omitempty"`
	Outcomes []reconcile.Outcome      `json:"outcomes,omitempty"` // of what is not in step
}

// Registration is the runner's, as the spec, this host and GitHub have it.
type Registration struct {
	Part
	Asked bool `json:"asked"` // GitHub was
	resources.Views
}

// Compare adds what has to be compared, asked of GitHub, or both.
func (s *Status) Compare(ctx context.Context, o Options) {
	outcomes := reconcile.Diff(ctx, o.Reader, o.Resources)
	if o.Mark != nil {
		o.Mark(ctx, o.Now, outcomes)
	}
	s.Differs = o.differs(outcomes)
	s.Registration = o.registration(ctx, outcomes, s.Service)
	s.Runner = o.runner(ctx, s.Registration)
	s.Token = o.token()
	s.judge()
}

func (o *Options) differs(outcomes []reconcile.Outcome) Differs {
	d := Differs{}
	if o.Blocked != nil {
		d.unknown(o.Blocked)
		return d
	}
	if o.Spec == nil {
		d.Is = None
		return d
	}
	d.Is, d.Summary = OK, map[reconcile.Status]int{}
	for _, out := range outcomes {
		d.Summary[out.Status]++
		if out.Status != reconcile.Unchanged {
			d.Outcomes = append(d.Outcomes, out)
		}
		switch {
		case out.Err != nil && reconcile.IsTolerated(out.Err) && out.Status != reconcile.Pending:
		case out.Status == reconcile.Unknown && d.Is == OK:
			d.Is = Unknown
		case out.Status != reconcile.Unchanged && out.Status != reconcile.Unknown:
			d.Is = Wrong
		}
	}
	return d
}

// registration goes by what a diff of it came to, and makes one if it was left
// out.
func (o *Options) registration(ctx context.Context, outcomes []reconcile.Outcome, s Service) Registration {
	r := Registration{Part: Part{Is: OK}, Asked: o.GitHub != nil}
	if o.Witness == nil {
		r.Is = None
		return r
	}
	i := slices.IndexFunc(outcomes, func(out reconcile.Outcome) bool { return out.ID == o.Witness.ID() })
	if i < 0 {
		outcomes, i = reconcile.Diff(ctx, o.Reader, []reconcile.Resource{o.Witness}), 0
	}
	r.judge(outcomes[i], o.Root)
	r.Views = o.Witness.Views
	switch {
	case o.GitHubFault != nil && !o.Root:
		r.unknown(o.GitHubFault)
	case o.GitHubFault != nil:
		r.wrong(o.GitHubFault.Error())
	case r.GitHub == nil || r.GitHub.Status == "online":
	case s.Is == OK && r.Is == OK:
		r.wrong("GitHub calls the runner " + r.GitHub.Status + ", though its service listens")
	}
	return r
}

// unasked tells a change that nobody asked for, as far as that is known.
func unasked(c reconcile.Change) bool { return !c.Asked }

// judge goes by what a diff of it came to. What differs is shown there.
func (r *Registration) judge(out reconcile.Outcome, root bool) {
	if out.Err != nil {
		r.Error = reason(out.Err)
	}
	switch {
	case out.Status == reconcile.Unchanged:
	case out.Status == reconcile.Pending && out.Err == nil && !slices.ContainsFunc(out.Changes, unasked): // what is to come is in the order of things
	case out.Status == reconcile.Unknown && reconcile.IsTolerated(out.Err):
		r.Is = Unasked
	case out.Status == reconcile.Unknown, out.Status == reconcile.Failed && !root:
		r.Is = Unknown
	default:
		r.Is = Wrong
	}
}
