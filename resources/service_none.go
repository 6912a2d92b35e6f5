package resources

import (
	"context"
	"fmt"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// noService is a runner's unit that has to go, with all that there is because of
// it. The engine stops the service for it, if it was not down already.
type noService struct{ *Setup }

var _ reconcile.Dependent = noService{}

func (noService) ID() reconcile.ID { return reconcile.ID{Kind: "service"} }

func (noService) Needs() []string { return []string{"config"} }

// Diff looks for the unit and its files.
func (s noService) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	files, err := s.files(r)
	if err != nil || s.Unit == "" {
		return going(files, restarts), err
	}
	u, err := r.Unit(ctx, s.Unit)
	if err != nil {
		return nil, err
	}
	var changes []reconcile.Change
	if active(u) {
		changes = append(changes, reconcile.Change{Field: s.Unit, Have: u.ActiveState, Want: "stopped", Effects: restarts})
	}
	return append(changes, going(files, restarts)...), nil
}

func active(u host.Unit) bool { return u.ActiveState != "inactive" && u.ActiveState != "failed" }

// files are those of the unit: what starts it at boot before the unit itself,
// by which a removal that was killed finds the rest.
func (s noService) files(r host.Reader) ([]string, error) {
	all := []string{jobs.PerfDir(""), "/etc/needrestart/conf.d/benchctl.conf"}
	if s.Unit != "" {
		links, err := r.Glob(unitDir + "/*.wants/" + s.Unit)
		if err != nil {
			return nil, err
		}
		all = append(append(all, links...), unitDir+"/"+s.Unit)
	}
	if s.Dir != "" {
		text, err := r.ReadBelow(s.Dir, ".service")
		if err == nil && string(text) == s.Unit+"\n" {
			all = append(all, s.Dir+"/.service")
		}
	}
	return found(all...)(r)
}

// Apply removes the files and has systemd forget the unit.
func (s noService) Apply(ctx context.Context, h host.Host) error {
	files, err := s.files(h)
	if err != nil {
		return err
	}
	if err := removeAll(h, files); err != nil {
		return err
	}
	if err := h.Systemd().Reload(ctx); err != nil {
		return fmt.Errorf("cannot have systemd forget %s: %w", s.Unit, err)
	}
	if s.Unit == "" {
		return nil
	}
	return h.Systemd().ResetFailed(ctx, s.Unit)
}
