//go:build e2e

package e2e

import (
	"fmt"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A lasting job runs until the test has seen enough, however slow this machine is.
type lasting struct {
	*world
	id   string
	over string // the file whose coming ends it
}

// lasts begins a job, and waits until it has its worker.
func (w *world) lasts(job standin.Job) lasting {
	w.t.Helper()
	l := lasting{world: w, over: fmt.Sprintf("/run/over-%d", time.Now().UnixNano())}
	job.Script = "until [ -e " + l.over + " ]; do sleep 0.1; done"
	l.id = w.hub.Enqueue(job)
	w.waitJob(l.id, runs)
	return l
}

// ends lets the job end, and waits until it has.
func (l lasting) ends() standin.JobState {
	l.t.Helper()
	l.look("touch " + l.over)
	return l.waitJob(l.id, over)
}

// endsIn lets the job end in a while, under a benchctl that waits for that.
func (l lasting) endsIn(d time.Duration) {
	ctx := l.t.Context()
	time.AfterFunc(d, func() { _, _ = l.host.Look(ctx, "touch", l.over) })
}
