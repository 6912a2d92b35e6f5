package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// The units of the agent: what looks, what may change the host, and the way out
// of what looks, which has no network.
const (
	agentUnit   = "benchctl.service"
	applyUnit   = "benchctl-apply.service"
	relayUnit   = "benchctl-relay.service"
	relaySocket = "benchctl-relay.socket"
)

// agent keeps the host in step by itself: `benchctl agent` as a service that
// only looks, and `benchctl apply --unattended` as one that it starts when there
// is something to do and no job runs. An apply never ends the agent, which may
// be in the middle of a pass, and in fact have started that very apply: it asks
// it to reload, and between two passes an agent that is no longer the one on
// disk gives way by itself.
type agent struct {
	spec   *spec.Spec
	binary string // absolute path of benchctl, as the units call it
	// sources are what the agent reads the spec from where some of it is
	// fetched. Otherwise it reads the one in specFile.
	sources []string
	// unattended is an apply or a look of the agent's own. What runs is then
	// the agent's affair: it will know.
	unattended bool
	// patience bounds the wait for the agent that is on disk to run.
	patience time.Duration
}

var _ reconcile.Dependent = agent{}

// agentID names the kind, whether the spec has a schedule or not.
var agentID = reconcile.ID{Kind: "agent"}

func (agent) ID() reconcile.ID { return agentID }

// Needs lists the binary, and the host that there must be before anything can
// keep it so.
func (agent) Needs() []string { return []string{"hooks"} }

// Diff compares the spec's copy, the units on disk and in force, and what runs.
func (a agent) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	changes, err := a.diffSpec(r)
	if err != nil {
		return nil, err
	}
	units, revision, err := a.units(r)
	if err != nil {
		return nil, err
	}
	var unsure []error
	for _, o := range units {
		found, u, err := o.diff(ctx, r)
		if err != nil && !errors.Is(err, reconcile.ErrUnknown) {
			return nil, err
		}
		unsure = append(unsure, err)
		running, err := a.diffRunning(ctx, r, u, revision)
		if err != nil {
			return nil, err
		}
		changes = slices.Concat(changes, found, running)
	}
	if a.named(r) {
		for i := range changes {
			changes[i].Asked = true
		}
	}
	return changes, errors.Join(unsure...)
}

// diff compares the file of a unit and what systemd has in force. Fields that
// are no paths begin with the unit's name.
func (o ownUnit) diff(ctx context.Context, r host.Reader) ([]reconcile.Change, host.Unit, error) {
	changes, err := o.diffFile(r)
	if err != nil {
		return nil, host.Unit{}, err
	}
	u, err := r.Unit(ctx, o.name)
	if err != nil {
		return nil, u, err
	}
	inForce, unsure := o.diffInForce(r, u)
	changes = append(changes, inForce...)
	for i, c := range changes {
		if !strings.HasPrefix(c.Field, "/") {
			changes[i].Field = o.name + " " + c.Field
		}
	}
	return changes, u, unsure
}

// diffRunning compares what runs with what is on disk.
func (a agent) diffRunning(ctx context.Context, r host.Reader, u host.Unit, revision string) ([]reconcile.Change, error) {
	runs := u.ActiveState == "active" || u.ActiveState == "reloading"
	switch {
	case u.Name == relaySocket && !runs:
		return []reconcile.Change{{Field: relaySocket + " state", Have: orNone(u.ActiveState), Want: "listening"}}, nil
	case u.Name == relaySocket:
		there, err := exists(r, relayPath)
		if err != nil || there {
			return nil, err
		}
		return []reconcile.Change{{Field: relaySocket + " state", Have: "listening at a file that was removed", Want: "listening"}}, nil
	case u.Name != agentUnit || a.unattended:
		return nil, nil
	case !runs:
		have := fmt.Sprintf("%s (%s)", u.ActiveState, orNone(u.SubState))
		if said := spoke(ctx, r, u, 1); len(said) > 0 {
			have += ", last said: " + said[0]
		}
		return []reconcile.Change{{Field: agentUnit + " state", Have: have, Want: "running"}}, nil
	}
	return diffProcess(r, u.MainPID, revision)
}

// diffProcess compares the agent's process with the unit and the program that
// are on disk.
func diffProcess(r host.Reader, pid int, revision string) ([]reconcile.Change, error) {
	started, err := environ(r, pid)
	if err != nil {
		return nil, fmt.Errorf("%w: cannot see what the agent was started with: %w; run as root", reconcile.ErrUnknown, err)
	}
	var changes []reconcile.Change
	if ran := started[agentRevision]; ran != revision {
		changes = append(changes, reconcile.Change{Field: agentUnit + " running revision", Have: orNone(plain(ran)), Want: revision})
	}
	program, err := r.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return changes, fmt.Errorf("%w: cannot see which program the agent is: %w; run as root", reconcile.ErrUnknown, err)
	}
	if strings.HasSuffix(program, " (deleted)") { // the kernel's words for a file that was replaced
		changes = append(changes, reconcile.Change{Field: agentUnit + " running program", Have: "an earlier build", Want: "the one on disk"})
	}
	return changes, nil
}
