package resources

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// survivors ends the processes of the runner's user that outlive their job. The
// runner ends those that still carry the job's mark; a daemon that dropped it
// goes on, and takes its share of the next measurement.
type survivors struct{ spec *spec.Spec }

func (s survivors) ID() reconcile.ID { return reconcile.ID{Kind: "cleanup", Name: "processes"} }

// Diff names them.
func (s survivors) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	found, err := surviving(ctx, r, s.spec)
	var changes []reconcile.Change
	for _, p := range found[:min(mostNamed, len(found))] {
		changes = append(changes, reconcile.Change{Field: processText(p), Have: sinceText(p) + ", its job is over", Want: "ended"})
	}
	if more := len(found) - mostNamed; more > 0 {
		changes = append(changes, reconcile.Change{Field: fmt.Sprintf("and %d more", more), Have: "their jobs are over", Want: "ended"})
	}
	return changes, err
}

// patienceToEnd is what a process gets after SIGTERM.
const patienceToEnd = 5 * time.Second

// Apply ends them, and those that they start meanwhile.
func (s survivors) Apply(ctx context.Context, h host.Host) error {
	for range mostRounds {
		found, err := surviving(ctx, h, s.spec)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := h.End(ctx, patienceToEnd, found...); err != nil {
			return err
		}
	}
	return nil
}

func processText(p host.Process) string { return fmt.Sprintf("process %d (%s)", p.PID, plain(p.Name)) }

func sinceText(p host.Process) string { return "since " + p.Since.Local().Format("2006-01-02 15:04") }

// survivorsNote names them where the spec lets them be.
func survivorsNote(ctx context.Context, r host.Reader, s *spec.Spec) string {
	if s.Cleanup == nil || s.Cleanup.Processes == spec.End {
		return ""
	}
	found, err := surviving(ctx, r, s)
	if err != nil || len(found) == 0 {
		return ""
	}
	var each []string
	for _, p := range found[:min(mostNamed, len(found))] {
		each = append(each, processText(p)+" "+sinceText(p))
	}
	if more := len(found) - mostNamed; more > 0 {
		each = append(each, fmt.Sprintf("and %d more", more))
	}
	return "cleanup.processes: outliving their jobs: " + strings.Join(each, ", ") + "; `end` would end them"
}

// surviving are the processes of the runner's user that no job and no service
// accounts for. While a job runs, only what was there before it can be told
// from the job's own.
func surviving(ctx context.Context, r host.Reader, s *spec.Spec) ([]host.Process, error) {
	runner := Runner(r, s)
	if runner.UID <= 0 {
		return nil, nil
	}
	unit, err := r.Unit(ctx, runner.Unit)
	if err != nil {
		return nil, unseen(fmt.Errorf("cannot ask for the runner's service: %w", err))
	}
	all, err := r.Processes()
	if err != nil {
		return nil, unseen(err)
	}
	t := processTree{}
	job := uint64(math.MaxUint64) // when the one that runs began
	for _, p := range all {
		t[p.PID] = p
		if p.UID == runner.UID && p.Name == workerName {
			job = min(job, p.Start)
		}
	}
	if _, seen := t[unit.MainPID]; unit.MainPID > 0 && !seen {
		return nil, unseen(fmt.Errorf("the processes of %s are hidden; run as root, outside a sandbox", s.User.Name))
	}
	return slices.DeleteFunc(all, func(p host.Process) bool {
		return p.UID != runner.UID || p.Start >= job || t.accountsFor(p, unit.MainPID) || !leftByJob(r, p, runner.Unit, s.User.Existing)
	}), nil
}

// workerName is what the kernel calls the process of a job.
const workerName = "Runner.Worker"

// processTree is all processes by PID.
type processTree map[int]host.Process

// accountsFor reports whether a process belongs to something that lives: the
// runner's service, a job that outlived its service, or somebody else who
// started it, as su and sshd do. What was left behind is adopted by process 1.
func (t processTree) accountsFor(p host.Process, service int) bool {
	for at := p; at.PID > 1; at = t[at.PPID] {
		if at.PID == service || at.Name == workerName || at.UID != p.UID {
			return true
		}
	}
	return false
}

// leftByJob reports whether a process lives where only jobs can have left it: in
// the control group of the runner's unit, or in the slice of its user, who never
// logs in. Of an account that a person uses, too, the unit alone counts.
func leftByJob(r host.Reader, p host.Process, unit string, existing bool) bool {
	groups, _ := r.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.PID))
	for line := range strings.Lines(string(groups)) {
		parts := strings.Split(strings.TrimSpace(line), "/")
		own := slices.Contains(parts, "user-"+strconv.Itoa(p.UID)+".slice") && parts[len(parts)-1] != "init.scope"
		if slices.Contains(parts, unit) || own && !existing {
			return true
		}
	}
	return false
}
