package resources

import (
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
)

// Installed lists the runners that benchctl set up on this host, as root's own
// files tell: their units and, for one whose unit is gone or masked, what the
// last apply compiled for its start. No spec is needed.
func Installed(r host.Reader) []jobs.Runner {
	var found []jobs.Runner
	for _, u := range runnerUnits(r) {
		if u.keys["RunnerTemplate"] != "" {
			dir := strings.ReplaceAll(u.keys["WorkingDirectory"], "%%", "%")
			found = append(found, runnerOf(r, u.keys["User"], u.name, dir))
		}
	}
	if len(found) > 0 {
		return found
	}
	if e, err := expect.Load(r, expect.Kept); err == nil && e.Runner.Unit != "" {
		found = append(found, runnerOf(r, e.Runner.User, e.Runner.Unit, e.Runner.Dir))
	}
	return found
}

// runnerOf is a runner with its account's ids. An account that is not there
// runs nothing.
func runnerOf(r host.Reader, user, unit, dir string) jobs.Runner {
	runner := jobs.Runner{Dir: dir, Unit: unit, UID: -1, GID: -1}
	if a, err := r.Account(user); err == nil {
		runner.UID, runner.GID = a.UID, a.GID
	}
	return runner
}
