package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// noAgent is a spec without a schedule: the agent of an earlier one goes, and
// first of all, so that it does not undo what follows.
type noAgent struct{}

var _ reconcile.Resource = noAgent{}

func (noAgent) ID() reconcile.ID { return agentID }

// agentUnits are all units of the agent, in the order in which they are stopped.
var agentUnits = []string{agentUnit, relaySocket, relayUnit, applyUnit}

// agentTraces are the other files that there are because of the agent.
var agentTraces = []string{
	agentNotesFile, "/var/lib/benchctl/last-good.yaml",
	"/run/benchctl/agent.lock", relayPath, copiesDir,
}

// copiesDir has the copies of a spec that is fetched.
const copiesDir = "/var/lib/benchctl/sources"

// Diff looks for whatever an agent leaves.
func (n noAgent) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	var changes []reconcile.Change
	for _, name := range agentUnits {
		state, err := n.state(ctx, r, name)
		if err != nil {
			return nil, err
		}
		if state != "" {
			changes = append(changes, reconcile.Change{Field: name, Have: state, Want: "removed"})
		}
	}
	files, err := n.files(r)
	for _, file := range files {
		changes = append(changes, reconcile.Change{Field: file, Have: "present", Want: "absent"})
	}
	return changes, err
}

// state is what there is of a unit, "" when it is gone. Of all of them the agent
// alone is worth a question to systemd when its file is not there.
func (noAgent) state(ctx context.Context, r host.Reader, name string) (string, error) {
	file, err := exists(r, unitDir+"/"+name)
	if err != nil || !file && name != agentUnit {
		return "", err
	}
	u, err := r.Unit(ctx, name)
	if err != nil || !file && !ours(u) {
		return "", err
	}
	return orNone(u.ActiveState), nil
}

// ours reports whether systemd knows or runs a unit of the agent's, rather than
// one of that name which came with a package.
func ours(u host.Unit) bool {
	if u.FragmentPath != "" {
		return u.FragmentPath == unitDir+"/"+u.Name
	}
	return u.ActiveState != "inactive" && u.ActiveState != "failed"
}

// files are what else there is of the agent: what enables it, its notes, and the
// spec if benchctl copied it there.
func (noAgent) files(r host.Reader) ([]string, error) {
	found, err := r.Glob(unitDir + "/*.wants/" + agentUnit)
	if err != nil {
		return nil, err
	}
	if text, err := r.ReadFile(specFile); err == nil && sum(text) == readAgentNotes(r).Copied {
		found = append(found, specFile)
	}
	copies, err := r.Glob(copiesDir + "/*")
	if err != nil {
		return nil, err
	}
	found = append(found, copies...)
	for _, file := range agentTraces {
		there, err := exists(r, file)
		if err != nil {
			return nil, err
		}
		if there {
			found = append(found, file)
		}
	}
	return found, nil
}

// Apply ends the agent and removes what there is of it.
func (n noAgent) Apply(ctx context.Context, h host.Host) error {
	files, err := n.files(h)
	if err != nil {
		return err
	}
	for _, name := range agentUnits {
		if err := n.stop(ctx, h, name); err != nil {
			return err
		}
		files = append([]string{unitDir + "/" + name}, files...)
	}
	for _, file := range files {
		if err := h.Remove(file); err != nil {
			return fmt.Errorf("cannot remove %s: %w", file, err)
		}
	}
	if err := n.sweep(h); err != nil {
		return err
	}
	if err := h.Systemd().Reload(ctx); err != nil {
		return err
	}
	for _, name := range agentUnits {
		if err := h.Systemd().ResetFailed(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// stop ends a unit that runs. An apply of the agent's own does not end itself.
func (n noAgent) stop(ctx context.Context, h host.Host, name string) error {
	u, err := h.Unit(ctx, name)
	if err != nil || name == applyUnit || u.ActiveState == "inactive" || u.ActiveState == "failed" {
		return err
	}
	reconcile.Progress(ctx)("stopping " + name)
	return h.Systemd().Stop(ctx, name)
}

// sweep removes the directories that have nothing in them any more.
func (noAgent) sweep(h host.Host) error {
	dirs := []string{path.Dir(specFile)}
	for _, name := range agentUnits {
		dirs = append(dirs, unitDir+"/"+name+".d")
	}
	for _, dir := range dirs {
		names, err := h.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) || len(names) > 0 {
			continue
		}
		if err == nil {
			err = h.Remove(dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
