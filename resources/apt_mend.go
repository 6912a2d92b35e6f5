package resources

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// brokenChanges lists what dpkg left unfinished. While another package manager
// is at work nothing is unfinished yet: that is unknown, not drift.
func brokenChanges(r host.Reader, d *dpkgState) ([]reconcile.Change, error) {
	if !d.Interrupted && len(d.Broken) == 0 {
		return nil, nil
	}
	if holder, held := aptLockedBy(r); held {
		return nil, fmt.Errorf("%w: %s is changing packages at this moment; look again when it is done", reconcile.ErrUnknown, holder)
	}
	var changes []reconcile.Change
	if d.Interrupted {
		changes = append(changes, packageChange("dpkg", "interrupted", "idle"))
	}
	for _, p := range d.Broken {
		changes = append(changes, packageChange(p.Name, p.condition(), "installed"))
	}
	return changes, nil
}

// settle waits for other package managers and finishes what one of them, or a
// power cut, left undone: nothing can be installed before.
func (a *Apt) settle(ctx context.Context, h host.Host) error {
	if err := a.waitForLock(ctx, h); err != nil {
		return err
	}
	d, err := a.dpkg.read(h)
	if err != nil || !d.Interrupted && len(d.Broken) == 0 {
		return err
	}
	reconcile.Progress(ctx)("finishing what dpkg left undone")
	first := a.unit(ctx, h, []string{"dpkg", "--force-confold", "--force-confdef", "--configure", "-a"})
	second := a.fixBroken(ctx, h)
	return a.stillBroken(h, errors.Join(second, first))
}

// fixBroken unpacks anew what dpkg wants unpacked anew and brings in what is
// missing, under the rule of every install.
func (a *Apt) fixBroken(ctx context.Context, h host.Host) error {
	d, err := a.dpkg.read(h)
	if err != nil || len(d.Broken) == 0 {
		return err
	}
	args := []string{"install", "-f"}
	var own []string
	for _, p := range d.Broken {
		own = append(own, p.Name)
		if p.Reinstall || p.State == "half-installed" {
			args = append(args, p.Name)
		}
	}
	if len(args) > 2 {
		args = append(args, "--reinstall")
	}
	plan, err := a.simulate(ctx, h, args)
	if err != nil {
		return aptError(args, err)
	}
	if err := a.permit(plan, own); err != nil {
		return err
	}
	return a.run(ctx, h, plan, args)
}

// stillBroken returns why, when dpkg is not in order after all.
func (a *Apt) stillBroken(r host.Reader, why error) error {
	d, err := a.dpkg.read(r)
	if err != nil {
		return err
	}
	if !d.Interrupted && len(d.Broken) == 0 {
		return nil
	}
	var names []string
	for _, p := range d.Broken {
		names = append(names, p.Name+" ("+p.condition()+")")
	}
	if why == nil {
		why = errors.New("dpkg reported no reason")
	}
	return fmt.Errorf("cannot finish %s: %w", strings.Join(names, ", "), why)
}
