package gate

import "github.com/SKaiNET-developers/benchctl/internal/expect"

// revisionVariable is what the runner's unit says that it was started with; the
// runner hands its environment down to the hooks.
const revisionVariable = "BENCHCTL_REVISION"

// service compares what the runner runs with what is on the disk: a job taken
// before a restart that is owed runs with the old environment and sandbox.
func (g Gate) service(want *expect.Expected) []Finding {
	switch have := plain(g.Getenv(revisionVariable)); have {
	case want.Revision:
		return []Finding{inStep("revision %s", have)}
	case "":
		return []Finding{differs("the runner was not started by %s, which sets %s", want.Runner.Unit, revisionVariable)}
	default:
		return []Finding{differs("the runner was started with revision %s, not %s", have, want.Revision)}
	}
}
