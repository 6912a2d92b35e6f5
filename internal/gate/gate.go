// Package gate looks, around each job, whether the host is what the last pass
// left: the numbers of a job on a host that is not have to be taken for what
// they are. It runs inside the runner's sandbox as the runner's user, needs no
// privilege and no secret, only reads, and is done in milliseconds.
//
// The gate says what it found. What a job gets for it is the [Policy], which the
// hooks carry too: there it also decides when the gate hangs or is missing.
package gate

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A Moment is when the gate looks.
type Moment string

// The moments at which the runner calls a hook.
const (
	Started   Moment = "started"
	Completed Moment = "completed"
)

// A Policy is what a job on a host that is not as it must be gets.
type Policy string

// The policies of a spec.
const (
	Fail Policy = "fail"
	Warn Policy = "warn"
	Off  Policy = "off"
)

// A Gate looks at a host from inside a job.
type Gate struct {
	Host   host.Reader
	Getenv func(string) string // the hook's environment
}

// patience is how long a check may take; all run at once. What could take so
// long is firmware that answers for a battery, or a file system that is gone.
const patience = time.Second

// A check looks at one thing. Its findings without a name get its own.
type check struct {
	name string
	look func(context.Context) []Finding
}

// Look makes every check of a moment. It always comes back: what did not answer
// in time is unknown.
func (g Gate) Look(ctx context.Context, m Moment) Report {
	began := time.Now()
	r := Report{Moment: m, Host: g.describe()}
	want, err := expect.Load(g.Host, expect.Current)
	if err != nil {
		r.Findings = []Finding{{"expectation", Unknown, plain(unvouched(err))}}
	} else {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		r.Revision = want.Revision
		r.Findings = together(ctx, g.checks(m, want))
	}
	r.Elapsed = time.Since(began)
	return r
}

// unvouched is why there is nothing to compare with.
func unvouched(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "nobody vouched for this host since it booted: there is no " + expect.Current + "; run benchctl apply"
	}
	return err.Error()
}

// checks are those of a moment, in the order of the report. What a job may
// change by itself, such as the load or its JDK, is looked at before it alone.
func (g Gate) checks(m Moment, want *expect.Expected) []check {
	service := check{"service", func(context.Context) []Finding { return g.service(want) }}
	packages := check{"packages", func(context.Context) []Finding { return g.packages() }}
	power := check{"power", func(context.Context) []Finding { return g.power() }}
	if m == Completed {
		return append([]check{service, packages, power}, g.during(want)...)
	}
	return []check{
		service,
		{"knobs", func(context.Context) []Finding { return g.knobs(want) }},
		{"jdk", func(context.Context) []Finding { return g.jdk(want) }},
		{"load", func(ctx context.Context) []Finding { return g.load(ctx, want) }},
		packages,
		{"processes", func(context.Context) []Finding { return g.leftovers(want) }},
		power,
		{"record", func(context.Context) []Finding { return g.keepRecord(want) }},
	}
}

// together makes all checks at once and waits for each until ctx is done.
func together(ctx context.Context, checks []check) []Finding {
	answers := make([]chan []Finding, len(checks))
	for i, c := range checks {
		answers[i] = make(chan []Finding, 1)
		go func() { answers[i] <- c.look(ctx) }()
	}
	var all []Finding
	for i, c := range checks {
		for _, f := range await(ctx, answers[i]) {
			if f.Check == "" {
				f.Check = c.name
			}
			all = append(all, f)
		}
	}
	return all
}

func await(ctx context.Context, answer <-chan []Finding) []Finding {
	select {
	case found := <-answer:
		return found
	case <-ctx.Done():
	}
	select {
	case found := <-answer: // it was in time, and we were waiting for another
		return found
	default:
		return []Finding{unknown("did not answer within %s", patience)}
	}
}
