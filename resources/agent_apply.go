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
)

// agentPatience bounds the wait for an agent to give way. A pass takes less than
// a second, unless GitHub keeps it waiting; it never waits for the apply that
// waits here, since one that finds the host locked is put off.
const agentPatience = 30 * time.Second

// Apply puts the spec and the units in their places, has systemd take them in,
// and starts the agent or lets it know.
func (a agent) Apply(ctx context.Context, h host.Host) error {
	if err := a.putSpec(ctx, h); err != nil {
		return err
	}
	if err := a.noteMending(ctx, h); err != nil {
		return err
	}
	units, revision, err := a.units(h)
	if err != nil {
		return err
	}
	for _, o := range units {
		if err := o.install(ctx, h); err != nil {
			return err
		}
	}
	return a.start(ctx, h, revision)
}

// noteMending counts that somebody had changed how a running agent is run. Its
// unit then gets another revision, or the agent would go on as it was started.
func (a agent) noteMending(ctx context.Context, h host.Host) error {
	units, _, err := a.units(h)
	if err != nil {
		return err
	}
	changes, u, err := units[len(units)-1].diff(ctx, h)
	if err != nil && !errors.Is(err, reconcile.ErrUnknown) {
		return err
	}
	if u.MainPID == 0 || !slices.ContainsFunc(changes, func(c reconcile.Change) bool { return !readAnew(c.Field) }) {
		return nil
	}
	notes := readAgentNotes(h)
	notes.Mended++
	return notes.write(h)
}

// readAnew reports whether a field of the agent's unit is one that a running
// agent reads anew, or that says nothing of how it runs.
func readAnew(field string) bool {
	field = strings.TrimPrefix(field, agentUnit+" ")
	return strings.HasPrefix(field, "[X-") || field == "daemon-reload" || field == "enabled"
}

// install puts a unit in its place and has systemd take it in.
func (o ownUnit) install(ctx context.Context, h host.Host) error {
	u, err := h.Unit(ctx, o.name)
	if err != nil {
		return err
	}
	before := ""
	if o.name == agentUnit {
		before = exposure(ctx, h, u)
	}
	if err := o.write(ctx, h, u); err != nil {
		return err
	}
	if err := o.takeIn(ctx, h, u); err != nil {
		return err
	}
	if o.name == agentUnit {
		sayExposure(ctx, h, u, "agent", before)
	}
	return nil
}

// start gets the agent that is on disk to run. One that runs is told to read
// everything anew, and waited for if somebody is there to see.
func (a agent) start(ctx context.Context, h host.Host, revision string) error {
	if err := a.closeLost(ctx, h); err != nil {
		return err
	}
	u, err := h.Unit(ctx, agentUnit)
	if err != nil {
		return err
	}
	switch u.ActiveState {
	case "active", "reloading":
		// One that starts brings it along.
		if err := h.Systemd().Start(ctx, relaySocket); err != nil {
			return err
		}
		err = h.Systemd().ReloadUnit(ctx, agentUnit)
	default:
		if a.unattended {
			return nil
		}
		reconcile.Progress(ctx)("starting " + agentUnit)
		if err = h.Systemd().ResetFailed(ctx, agentUnit); err == nil {
			err = h.Systemd().Start(ctx, agentUnit)
		}
		if err != nil {
			return a.failed(ctx, h, err)
		}
	}
	if a.unattended {
		return err
	}
	// An agent that had just begun to give way does not heed a reload, nor need to.
	return a.await(ctx, h, revision, err)
}

// closeLost stops a relay's socket that lost its file: systemd takes it to be
// listening, and opens it again only once it was stopped.
func (a agent) closeLost(ctx context.Context, h host.Host) error {
	there, err := exists(h, relayPath)
	if err != nil || there {
		return err
	}
	if u, err := h.Unit(ctx, relaySocket); err != nil || u.ActiveState != "active" {
		return err
	}
	return h.Systemd().Stop(ctx, relaySocket)
}

// await waits until the agent is the one on disk. reloaded is what came of
// asking it.
func (a agent) await(ctx context.Context, h host.Host, revision string, reloaded error) error {
	bound, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	for {
		u, err := h.Unit(ctx, agentUnit)
		if err != nil {
			return err
		}
		left, err := a.diffRunning(ctx, h, u, revision)
		if err == nil && len(left) == 0 {
			return nil
		}
		select {
		case <-bound.Done():
			if err == nil {
				err = reloaded
			}
			return a.late(ctx, left, err)
		case <-time.After(lookInterval):
		}
	}
}

// late says that the agent is not yet the one on disk.
func (a agent) late(ctx context.Context, left []reconcile.Change, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s is %s, not %s", left[0].Field, left[0].Have, left[0].Want)
	}
	return fmt.Errorf("the agent is not the one on disk after %s: %w; it gives way when the pass that it makes is over: see systemctl status %s, and apply again", a.patience, err, agentUnit)
}

// failed says why the agent does not run, in its own last words.
func (a agent) failed(ctx context.Context, r host.Reader, cause error) error {
	said := "it said nothing"
	if u, err := r.Unit(ctx, agentUnit); err == nil {
		if lines := lastWords(ctx, r, u, 6); len(lines) > 0 {
			said = "it said: " + strings.Join(lines, " | ")
		}
	}
	return fmt.Errorf("cannot start the agent: %w; %s; see journalctl -u %s", cause, said, agentUnit)
}
