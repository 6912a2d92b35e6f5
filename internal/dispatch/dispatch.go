// Package dispatch starts a workflow at GitHub and follows its run until it has
// ended, to answer one question: did it succeed, and on this host?
//
// Two are asked who ran it: GitHub, which names the runner of each job, and the
// journal of this host, in which the runner's Listener says what it runs. A
// workflow is started once, whatever happens: where GitHub does not say whether
// it did, the run is looked for.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// GitHub is what is asked of the repository whose workflow it is. Errors are
// sentences; see [actions.ErrAway], [actions.ErrUnsure] and [actions.ErrNotFound].
type GitHub interface {
	Repository(ctx context.Context) (actions.Repository, error)
	ListWorkflows(ctx context.Context) ([]actions.Workflow, error)
	File(ctx context.Context, name, ref string) ([]byte, error)
	Dispatch(ctx context.Context, workflow int64, ref string, inputs map[string]string) (run int64, err error)
	Dispatched(ctx context.Context, workflow int64) ([]actions.Run, error)
	Login(ctx context.Context) string
	Run(ctx context.Context, id int64) (actions.Run, error)
	RunJobs(ctx context.Context, id int64) ([]actions.RunJob, error)
	Artifacts(ctx context.Context, run int64) ([]actions.Artifact, error)
	Download(ctx context.Context, a actions.Artifact, w io.Writer, most int64) error
}

// Registry is what is asked where the runner is registered.
type Registry interface {
	Runners(ctx context.Context, name string) ([]actions.Runner, error)
}

// Options say what is to be started, and who is to run it.
type Options struct {
	GitHub   GitHub
	Registry Registry
	Repo     string // OWNER/NAME
	Page     string // its address, for people
	Runner   string // the name of this host's
	Labels   []string
	// Unsure says that the runner's name is a guess: it is made from the name of
	// its host, and this is another one.
	Unsure bool
	Host   *Host // nil on another machine than the runner's

	Workflow string // its file, path, name or id
	Ref      string // a branch or tag; "" is the default branch
	Inputs   map[string]string
	Run      int64  // follow this one instead of starting one
	Download string // a directory for the artifacts; "" for none
	Again    string // the command that follows a run, but for its id

	Said func(line string) // something happened
	Now  func(line string) // what is going on, until the next line
	Pace Pace
}

// Pace is how often GitHub is asked. The zero value is the usual one.
type Pace struct {
	Queued  time.Duration // while nobody has the job; longer if that takes long
	Running time.Duration // while a job runs elsewhere
	// Quiet is while a job runs on this very host, which is measuring: then the
	// end of the job's process wakes us.
	Quiet time.Duration
	Find  time.Duration // for how long a run that was started is looked for
}

func (p Pace) orUsual() Pace {
	usual := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	usual(&p.Queued, 2*time.Second)
	usual(&p.Running, 5*time.Second)
	usual(&p.Quiet, 15*time.Second)
	usual(&p.Find, time.Minute)
	return p
}

// A dispatcher is one dispatch on its way.
type dispatcher struct {
	Options
	report   *Report
	labels   []string // this runner's
	unlisted error    // why GitHub does not show them
	away     string   // the runner's state at GitHub, if it is not online

	fired   time.Time          // zero: by somebody else
	seen    bool               // GitHub has shown the run
	told    map[int64]*told    // by job
	ended   <-chan struct{}    // closed when the runner of this host has no job any more
	soon    int                // so many times GitHub is asked soon again
	waits   bool               // it was said for what the job waits
	spotted map[int64]sighting // by job
}

// Run starts the workflow, or takes up a run, follows it and fetches what it
// left. The report is there as soon as there is a run; the error is the sentence
// in which it says why the answer is no.
func Run(ctx context.Context, o Options) (*Report, error) {
	o.Pace = o.Pace.orUsual()
	d := &dispatcher{
		Options: o, told: map[int64]*told{}, spotted: map[int64]sighting{},
		report: &Report{Schema: Schema, Runner: o.Runner, Repository: o.Repo, Jobs: []Job{}, Artifacts: []Artifact{}},
	}
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	err := d.follow(ctx)
	if err == nil {
		err = d.collect(ctx)
	}
	switch run := d.report.Run; {
	case ctx.Err() != nil:
		err = d.left()
	case err != nil && run.Status != completed && !errors.Is(err, actions.ErrNotFound):
		err = fmt.Errorf("%w; run %d goes on: %s", err, run.ID, run.URL)
	}
	if verdict := d.report.verdict(o.Runner); err == nil {
		err = verdict
	} else if d.report.Run.Status == completed {
		err = errors.Join(verdict, err)
	}
	d.report.OK = err == nil
	if err != nil {
		d.report.Error = strings.ReplaceAll(err.Error(), "\n", "; ")
		err = errors.New(d.report.Error)
	}
	return d.report, err
}

// prepare does all that can fail before something is started, and starts it.
func (d *dispatcher) prepare(ctx context.Context) error {
	if err := d.who(ctx); err != nil {
		return err
	}
	if err := d.place(); err != nil {
		return err
	}
	if d.Run != 0 {
		return d.takeUp(ctx)
	}
	w, err := d.choose(ctx)
	if err != nil {
		return err
	}
	if err := d.check(ctx, w); err != nil {
		return err
	}
	return d.fire(ctx, w)
}

// takeUp finds a run that somebody has started.
func (d *dispatcher) takeUp(ctx context.Context) error {
	run, err := d.GitHub.Run(ctx, d.Run)
	if err != nil {
		return err
	}
	d.seen = true
	d.report.take(run)
	d.caveats()
	return nil
}
