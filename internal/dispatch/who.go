package dispatch

import (
	"context"
	"fmt"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// who looks up the runner where it is registered: GitHub chooses by the labels
// that it has itself.
func (d *dispatcher) who(ctx context.Context) error {
	d.labels = d.Labels
	all, err := d.Registry.Runners(ctx, d.Runner)
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		d.unlisted = err
		return nil
	}
	for _, r := range all {
		if strings.EqualFold(r.Name, d.Runner) {
			d.known(r)
			return nil
		}
	}
	if d.Unsure {
		return fmt.Errorf("cannot tell which runner is meant: the spec names it after its host, which is another machine, and GitHub has no %s; run benchctl apply on its host, or name another one with --runner", d.Runner)
	}
	return fmt.Errorf("cannot dispatch to %s: GitHub has no runner of that name; run benchctl apply on its host, or name another one with --runner", d.Runner)
}

func (d *dispatcher) known(r actions.Runner) {
	d.labels = nil
	for _, l := range r.Labels {
		d.labels = append(d.labels, l.Name)
	}
	if !r.Online() {
		d.away = r.Status
	}
}

// caveats are what to know of the runner, said once it is certain that there is
// something to follow.
func (d *dispatcher) caveats() {
	if over := d.report.Run != nil && d.report.Run.Status == completed; d.away != "" && !over {
		d.Said(fmt.Sprintf("%s is %s at GitHub: its jobs wait until it is back", d.Runner, d.away))
	}
	if d.unlisted != nil {
		d.Said(fmt.Sprintf("the labels of %s are taken from the spec: %v", d.Runner, d.unlisted))
	}
	if d.Host == nil {
		d.Said(fmt.Sprintf("this machine is not the host of %s: who takes the job is known from GitHub alone", d.Runner))
	}
}
