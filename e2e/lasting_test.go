//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
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

// endsWhenWaitedFor has the job end once the next benchctl says that it runs, which
// is said when benchctl begins to wait for that.
func (l lasting) endsWhenWaitedFor() {
	l.world.live = &heard{words: "a job is running", then: sync.OnceFunc(func() {
		if r, err := l.host.Look(l.t.Context(), "touch", l.over); err != nil || r.Status != 0 {
			l.t.Errorf("%s: %v %+v", l.over, err, r)
		}
	})}
}

// heard does something when words are said.
type heard struct {
	words string
	then  func()
	said  bytes.Buffer
}

func (h *heard) Write(text []byte) (int, error) {
	h.said.Write(text)
	if strings.Contains(h.said.String(), h.words) {
		h.then()
	}
	return len(text), nil
}
