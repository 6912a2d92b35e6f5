package status

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/deadline"
)

// Runner is the version of the runner, and how long it works.
type Runner struct {
	Part
	Installed string `json:"installed,omitempty"`
	Wanted    string `json:"wanted,omitempty"`    // by the spec; maybe latest
	AtGitHub  string `json:"at_github,omitempty"` // the version that last connected

	// Until when GitHub hands jobs to the version that is installed, and until
	// when it lets it register. Zero: GitHub has not said, or was not asked.
	JobsUntil      time.Time `json:"jobs_until,omitzero"`
	RegistersUntil time.Time `json:"registers_until,omitzero"`
}

// Token is the API token.
type Token struct {
	Part
	Source string    `json:"source,omitempty"`
	Ends   time.Time `json:"ends,omitzero"` // zero: never, or not known
}

// soon is how long before a deadline somebody has to do something.
const soon = 7 * day

func (o *Options) runner(ctx context.Context, reg Registration) Runner {
	r := Runner{}
	r.Is = None
	if o.Spec == nil {
		return r
	}
	r.Installed, r.Wanted = o.installed(), o.Spec.Runner.Version
	if reg.GitHub != nil {
		r.AtGitHub = reg.GitHub.Version
	}
	if r.Installed == "" {
		return r
	}
	r.Is = OK
	support := deadline.Kept(o.Reader, r.Installed)
	if o.GitHub != nil && reg.Is != Unknown {
		// That there is no answer is said of the registration.
		ctx, cancel := context.WithTimeout(ctx, o.Witness.Patience)
		defer cancel()
		support = support.Renewed(ctx, o.Now, o.GitHub.Deprecation)
	}
	r.JobsUntil, r.RegistersUntil = support.Runtime, support.Registration
	next := "set a newer runner.version in the spec and apply it"
	least, tooOld := o.Spec.Runner.URL.TooOld(r.Installed)
	switch {
	case ending(r.JobsUntil, o.Now):
		r.wrong(fmt.Sprintf("GitHub hands it no jobs from %s on; %s", r.JobsUntil.UTC().Format(time.DateOnly), next))
	case tooOld:
		r.wrong(fmt.Sprintf("GitHub registers no runner older than %s, so that it could not be registered anew; %s", least, next))
	case ending(r.RegistersUntil, o.Now):
		r.wrong(fmt.Sprintf("GitHub does not register it any more from %s on; %s", r.RegistersUntil.UTC().Format(time.DateOnly), next))
	}
	return r
}

func ending(at, now time.Time) bool { return !at.IsZero() && at.Sub(now) < soon }

// installed is the version that the runner's link leads to, "" where there is
// none or it may not be seen.
func (o *Options) installed() string {
	target, err := o.Reader.Readlink(o.Spec.InstallDir + "/bin")
	version, ok := strings.CutPrefix(path.Base(target), "bin.")
	if err != nil || !ok || strings.Trim(version, "0123456789.") != "" {
		return ""
	}
	return version
}

func (o *Options) token() Token {
	t := Token{Source: o.Credentials}
	t.Is = None
	if o.GitHub == nil {
		return t
	}
	t.Is = OK
	if at, known := o.GitHub.TokenEnds(); known {
		t.Ends = at
	}
	if ending(t.Ends, o.Now) {
		t.wrong(fmt.Sprintf("it ends on %s; make a new one and put it where that one is", t.Ends.UTC().Format(time.DateOnly)))
	}
	return t
}
