package jobs

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Settle is how long a job that was received may be without a Worker. The
// Listener gives up before: five attempts to acquire, of two minutes at most,
// and five to renew, of one.
const Settle = 20 * time.Minute

// The names of the runner's two programs, which are also what the kernel calls
// their processes (at most 15 bytes, and both fit).
const (
	listenerName = "Runner.Listener"
	workerName   = "Runner.Worker"
)

// A Runner is one runner of this host.
type Runner struct {
	Dir      string // where it is installed, absolute
	Unit     string // its systemd unit
	UID, GID int    // the account that it runs as
}

// PerfDir is the directory that the unit of a runner names in RUNNER_PERFLOG,
// and may write to. It lies on disk rather than below /run, because the
// runner's user can fill it.
func PerfDir(unit string) string { return path.Join("/var/log/benchctl", unit) }

// Prepare makes the runner's perf log, empty: a directory of root's with two
// files of the runner's user, who can write into them but neither remove nor
// replace them. It belongs into the unit's start, before the Listener.
func (r Runner) Prepare(h host.Host) error {
	dir := PerfDir(r.Unit)
	if err := h.Mkdir(dir, host.Perm{Mode: 0o755}); err != nil {
		return err
	}
	own := host.Perm{Mode: 0o600, UID: r.UID, GID: r.GID}
	for _, name := range []string{"Runner.perf", "Worker.perf"} {
		if err := h.Replace(path.Join(dir, name), nil, own); err != nil {
			return err
		}
	}
	return nil
}

// A Keeper keeps one runner's jobs undisturbed. It implements
// [reconcile.Jobs], which holds the runner for one change at a time. For all of
// them, see [Keeper.Seize].
type Keeper struct {
	runner Runner
	host   host.Host // nil for looking alone
	proc   proc
	perf   string // the perf log's file
	arm    func(context.Context, []target) (*guardian, error)

	silent bool // see StopSilent

	// What the tests leave out to show that it is needed.
	blind bool // do not ask the logs and the sockets
	loose bool // do not stop the processes
}

var _ reconcile.Jobs = (*Keeper)(nil)

// New returns a Keeper for a runner of this very machine. With a nil host it
// can only look: Idle and Wait.
func New(h host.Host, r Runner) *Keeper {
	return &Keeper{
		runner: r,
		host:   h,
		proc:   proc("/proc"),
		perf:   path.Join(PerfDir(r.Unit), "Runner.perf"),
		arm:    arm,
	}
}

// A BusyError says why a runner counts as busy. It wraps [reconcile.ErrBusy].
type BusyError struct {
	Reason  string
	workers []process
	passes  time.Duration // by then it is over, if it is what it seems; 0 when nobody knows
}

// Error is the whole sentence.
func (e *BusyError) Error() string { return e.Reason }

// Unwrap returns [reconcile.ErrBusy].
func (e *BusyError) Unwrap() error { return reconcile.ErrBusy }

func busy(format string, args ...any) *BusyError {
	return &BusyError{Reason: fmt.Sprintf(format, args...)}
}

// clock is a time of day, with the date when it was another day.
func clock(t time.Time) string {
	layout := time.TimeOnly
	if now := time.Now(); now.Sub(t).Abs() > 12*time.Hour {
		layout = time.DateTime
	}
	return t.Local().Format(layout)
}
