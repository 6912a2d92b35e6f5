package resources

import (
	"context"
	"slices"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// Notes are what an operator should know about a spec on this host that is no
// difference: nothing here changes an exit code.
func Notes(ctx context.Context, r host.Reader, s *spec.Spec) []string {
	var notes []string
	if s.Runner.URL.Owner == "OWNER" {
		notes = append(notes, "runner.url: "+s.Runner.URL.Text+" is the examples' placeholder; write your own")
	}
	if moved := movedHost(r, s); moved != "" {
		notes = append(notes, moved)
	}
	if s.Runner.AutoUpdate {
		notes = append(notes, "runner.autoUpdate: the program files belong to "+s.User.Name+", so a job can change what later jobs run; `version` is a minimum")
	}
	if slices.Contains(s.Service.Needs, spec.NeedContainers) {
		notes = append(notes, "service.needs: containers takes most of the sandbox away: exposure 6 to 8.5 of 10, instead of less than 2.5")
	}
	if note := trialNote(r, s); note != "" {
		notes = append(notes, note)
	}
	if note := survivorsNote(ctx, r, s); note != "" {
		notes = append(notes, note)
	}
	if f := FormerOf(r, s); f.registered(r) {
		notes = append(notes, f.note(s))
	}
	return notes
}

// Registered reports whether the runner was registered, as far as its own
// files say: without credentials there is no way on from where it was not.
func Registered(r host.Reader, s *spec.Spec) bool {
	for _, name := range []string{".runner", ".runner_migrated"} {
		if _, err := r.Lstat(s.InstallDir + "/" + name); err == nil {
			return true
		}
	}
	return FormerOf(r, s).registered(r)
}
