// Package doctor looks for what would keep a host from being a good benchmark
// host, before anything is touched: the machine, what can reach it, and what it
// must reach. It only looks.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// Schema names the shape of a [Report] in JSON.
const Schema = "benchctl/doctor/v1"

// A Verdict is what a check found, in a word.
type Verdict string

// The verdicts, from best to worst.
const (
	OK      Verdict = "ok"
	Unknown Verdict = "unknown" // could not be seen
	Warning Verdict = "warning" // works, and is not as wanted
	Error   Verdict = "error"   // an apply, or the runner, would fail on it
)

// A Check is one line: what was looked at, what was found, and the next step.
type Check struct {
	Group   string  `json:"group"`
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Says    string  `json:"says"`
	Next    string  `json:"next,omitempty"`
}

// A Report is all of them.
type Report struct {
	Schema string    `json:"schema"`
	Host   string    `json:"host"`
	At     time.Time `json:"at"`
	Checks []Check   `json:"checks"`
}

// Sound reports whether everything is as wanted, as far as it could be seen.
func (r *Report) Sound() bool {
	return !slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Verdict == Warning || c.Verdict == Error })
}

// GitHub is who sends jobs here, as far as a doctor asks.
type GitHub interface {
	Groups(ctx context.Context, age time.Duration) ([]actions.Group, error)
	Deprecation(ctx context.Context, version string) (actions.Deprecation, error)
}

// A Repository may have workflows whose jobs come here.
type Repository interface {
	Repository(context.Context) (actions.Repository, error)
	// Workflows are its files, and how many more there are than were read, also
	// because of the error.
	Workflows(context.Context) (files []actions.File, unread int, err error)
}

// A Doctor examines one host for one spec.
type Doctor struct {
	Host   host.Reader
	Spec   *spec.Spec
	GitHub GitHub // nil where nobody is to be asked
	// Repository is the one whose workflows are looked through; nil where many
	// have the runner in common, and none was named.
	Repository Repository
	Root       bool // the examiner is root
	Net        *Net // nil where nothing is to be connected to
	Now        time.Time
	// Systemd is its version, 0 where there is none.
	Systemd int
	// Labels are all that the runner has or will have, the default ones too.
	Labels []string
	// Outcomes are a diff of what jobs use: the JDK and PTS as the service sees
	// them, and the packages.
	Outcomes []reconcile.Outcome
}

// Examine makes every check, the slow ones side by side, and keeps their order.
func (d *Doctor) Examine(ctx context.Context) *Report {
	groups := []func(context.Context) []Check{d.machine, d.power, d.measuring, d.software, d.jobs, d.network}
	found := make([][]Check, len(groups))
	var wg sync.WaitGroup
	for i, examine := range groups {
		wg.Go(func() { found[i] = examine(ctx) })
	}
	wg.Wait()
	return &Report{Schema: Schema, Host: d.Host.Hostname(), At: d.Now.UTC(), Checks: slices.Concat(found...)}
}

// A group collects the checks of one group.
type group struct {
	name   string
	checks []Check
}

func (g *group) ok(name, format string, args ...any) { g.add(OK, name, "", format, args...) }

// add notes a verdict with its next step.
func (g *group) add(v Verdict, name, next, format string, args ...any) {
	g.checks = append(g.checks, Check{
		Group: g.name, Name: name, Verdict: v,
		Says: fmt.Sprintf(format, args...), Next: next,
	})
}
