// Package status answers in one look how a benchmark host is: its service, its
// registration, the job that runs, the passes, what differs, what is about to
// end. It only looks.
//
// Every part is looked at by itself, so that one which cannot be seen (nobody
// is root, systemd is not there, GitHub is away) costs the answer that part and
// nothing else. [Here] is what this host tells at once; [Status.Compare] is the
// rest, which may have to wait for GitHub.
package status

import (
	"context"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// Schema names the shape of a [Status] in JSON. Its keys never change their
// meaning; new ones may come.
const Schema = "benchctl/status/v1"

// A Verdict is what a part of the answer comes to.
type Verdict string

// The verdicts there are.
const (
	OK      Verdict = "ok"
	Wrong   Verdict = "wrong"   // not as it should be
	Unknown Verdict = "unknown" // it could not be seen
	Unasked Verdict = "unasked" // nobody was asked, for want of credentials or because of --offline
	None    Verdict = "none"    // there is none, and nobody wants one
)

// A Part is what all parts of the answer have in common.
type Part struct {
	Is    Verdict `json:"is"`
	Error string  `json:"error,omitempty"` // a sentence: why it is wrong or could not be seen
}

func (p *Part) wrong(why string)  { p.Is, p.Error = Wrong, tidy(why, longSentence) }
func (p *Part) unknown(err error) { p.Is, p.Error = Unknown, reason(err) }

// reason is an error without the word that says of which kind it is.
func reason(err error) string {
	return tidy(strings.TrimPrefix(err.Error(), reconcile.ErrUnknown.Error()+": "), longSentence)
}

// A Status is the answer. Times are UTC. What others than root and benchctl had
// a say in, such as the name of a job, is cut and made printable.
type Status struct {
	Schema  string    `json:"schema"`
	Host    string    `json:"host"`
	At      time.Time `json:"at"`
	InStep  bool      `json:"in_step"` // all is as it should be, and could be seen
	Wrong   []string  `json:"wrong"`   // parts, by their keys here
	Unknown []string  `json:"unknown"` // parts

	Spec         Spec              `json:"spec"`
	Service      Service           `json:"service"`
	Job          Job               `json:"job"`
	Agent        Agent             `json:"agent"`
	Passes       Passes            `json:"passes"`
	Pause        Pause             `json:"pause"`
	Notices      Notices           `json:"notices"`
	Registration Registration      `json:"registration"`
	Runner       Runner            `json:"runner"`
	Token        Token             `json:"token"`
	Differs      Differs           `json:"differs"`
	Others       []resources.Found `json:"others,omitempty"` // other runners of this host; without a spec all
	Benchctl     Build             `json:"benchctl"`
}

// Spec is what the host is held to.
type Spec struct {
	Part
	Files    string   `json:"files"`
	SHA256   string   `json:"sha256,omitempty"`
	LastGood bool     `json:"last_good,omitempty"` // the files cannot be used, and the last that could are in force
	Warnings []string `json:"warnings,omitempty"`
}

// Build says which benchctl answered.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
}

// Jobs is what is asked about the runner's jobs.
type Jobs interface {
	Idle(context.Context) error
	Workers() ([]jobs.Worker, error)
}

// GitHub is what is asked of GitHub beside the registration.
type GitHub interface {
	Deprecation(ctx context.Context, version string) (actions.Deprecation, error)
	// TokenEnds is known once GitHub has answered something.
	TokenEnds() (at time.Time, known bool)
}

// Options say at what to look. Reader, Now, Jobs and AtWork must be set.
type Options struct {
	Reader host.Reader
	Now    time.Time
	Root   bool // who looks may see everything
	Build  Build

	Spec  *spec.Spec // nil: there is none that could be used
	Fault error      // why the files that were named are not used
	Files string     // their names

	Runner jobs.Runner // the spec's; the zero value when it is not known which
	Jobs   Jobs
	AtWork func() error // says which benchctl is changing the host, nil when none is

	// Resources are compared, and Blocked says why they are not. The Witness is
	// among them where the registration is to be compared, too.
	Resources []reconcile.Resource
	Blocked   error
	Witness   *resources.Witness
	Mark      func(ctx context.Context, began time.Time, outcomes []reconcile.Outcome)

	GitHub      GitHub // nil: it is not asked
	Credentials string // where they came from
	GitHubFault error  // why it is not asked, though it should be
}

// Here is what this host tells by itself, and at once.
func Here(ctx context.Context, o Options) *Status {
	s := &Status{
		Schema: Schema, Host: o.Reader.Hostname(), At: o.Now.UTC().Truncate(time.Second),
		Wrong: []string{}, Unknown: []string{}, Benchctl: o.Build,
	}
	l := &looker{Options: o, found: resources.Find(o.Reader)}
	s.Spec = l.spec()
	s.Others = l.others()
	l.listen(ctx)
	s.Service = l.service(ctx)
	s.Job = l.job(ctx)
	s.Passes = l.passes()
	s.Agent = l.agent(ctx, s.Passes)
	s.Pause = l.pause()
	s.Notices = l.notices(s.Host)
	return s
}

// A looker is one look on its way.
type looker struct {
	Options
	found []resources.Found // the runners of this host
	today []host.Message    // what the spec's said in the last day
}

func (l *looker) spec() Spec {
	s := Spec{Files: l.Files}
	s.Is = OK
	if l.Spec != nil {
		s.SHA256 = l.Spec.SHA256
		for _, w := range l.Spec.Warnings {
			s.Warnings = append(s.Warnings, w.Path+": "+w.Msg)
		}
	}
	if l.Fault != nil {
		s.wrong(l.Fault.Error())
		s.LastGood = l.Spec != nil
	}
	return s
}

// judged is a part with its key.
type judged struct {
	key string
	is  Verdict
}

func (s *Status) parts() []judged {
	return []judged{
		{"spec", s.Spec.Is}, {"service", s.Service.Is}, {"job", s.Job.Is}, {"agent", s.Agent.Is}, {"passes", s.Passes.Is},
		{"pause", s.Pause.Is}, {"notices", s.Notices.Is}, {"registration", s.Registration.Is},
		{"runner", s.Runner.Is}, {"token", s.Token.Is}, {"differs", s.Differs.Is},
	}
}

// judge sums the parts up.
func (s *Status) judge() {
	for _, p := range s.parts() {
		switch p.is {
		case Wrong:
			s.Wrong = append(s.Wrong, p.key)
		case Unknown:
			s.Unknown = append(s.Unknown, p.key)
		}
	}
	s.InStep = len(s.Wrong)+len(s.Unknown) == 0
}

// ExitCode is the answer in a number: 0 when all is as it should be, 2 when
// something is not, or could not be seen, and 1 when there is no spec to tell.
func (s *Status) ExitCode() int {
	switch {
	case s.Spec.Is != OK && !s.Spec.LastGood:
		return reconcile.ExitError
	case s.InStep:
		return reconcile.ExitOK
	}
	return reconcile.ExitDiffers
}
