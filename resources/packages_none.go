package resources

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// noPackages are the packages that benchctl installed and that have to go, but
// for those that something else on the host needs by now.
type noPackages struct {
	names  []string
	apt    *Apt
	needed []string // by others, as Apply found
}

var _ reconcile.Dependent = (*noPackages)(nil)

func (*noPackages) ID() reconcile.ID { return reconcile.ID{Kind: "packages"} }

// Needs lists those that use the packages.
func (*noPackages) Needs() []string { return []string{"config", "service"} }

// Diff lists those that are there. Which of them others need only apt can tell.
func (p *noPackages) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	left, err := p.left(r)
	if err != nil || len(left) == 0 {
		return nil, err
	}
	return []reconcile.Change{{Field: "installed by benchctl", Have: strings.Join(left, " "), Want: "removed, but what others need", Effects: restarts}}, nil
}

func (p *noPackages) left(r host.Reader) ([]string, error) {
	there, err := p.apt.there(r, p.names)
	return slices.DeleteFunc(there, func(name string) bool { return slices.Contains(p.needed, name) }), err
}

// there are the packages of a list of which the host has anything.
func (a *Apt) there(r host.Reader, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	d, err := a.dpkg.read(r)
	if err != nil {
		return nil, err
	}
	var there []string
	for _, name := range names {
		if state := d.Package(name).State; state != "" && state != "not-installed" {
			there = append(there, name)
		}
	}
	return there, nil
}

// Apply finds out what can go without anything else, and removes that with its
// configuration.
func (p *noPackages) Apply(ctx context.Context, h host.Host) error {
	if err := p.apt.settle(ctx, h); err != nil {
		return err
	}
	left, err := p.left(h)
	if err != nil {
		return err
	}
	spared, err := p.apt.spare(ctx, h, left)
	if err != nil {
		return err
	}
	if len(spared) > 0 {
		if err := p.apt.purge(ctx, h, spared); err != nil {
			return err
		}
	}
	for _, name := range left {
		if !slices.Contains(spared, name) {
			p.needed = append(p.needed, name)
		}
	}
	if len(p.needed) > 0 {
		reconcile.Progress(ctx)("other packages need " + strings.Join(p.needed, ", ") + ": they stay")
	}
	return nil
}

// spare are the packages of a list that nothing outside of it needs. apt judges:
// what would take anything else with it stays, and with it what it needs itself.
func (a *Apt) spare(ctx context.Context, h host.Host, names []string) ([]string, error) {
	for len(names) > 0 {
		others, err := a.wouldTake(ctx, h, names, names)
		if err != nil || len(others) == 0 {
			return names, err
		}
		var spared []string
		for _, name := range names {
			taken, err := a.wouldTake(ctx, h, []string{name}, names)
			if err != nil {
				return nil, err
			}
			if len(taken) == 0 {
				spared = append(spared, name)
			}
		}
		if len(spared) == len(names) {
			return nil, fmt.Errorf("cannot remove the packages that benchctl installed: apt would also remove %s; see apt-get -s purge %s", strings.Join(others, ", "), strings.Join(names, " "))
		}
		names = spared
	}
	return nil, nil
}

// wouldTake are the packages outside of own that would change with the removal
// of some.
func (a *Apt) wouldTake(ctx context.Context, h host.Host, names, own []string) ([]string, error) {
	args := append([]string{"purge"}, names...)
	plan, err := a.simulate(ctx, h, args)
	if err != nil {
		return nil, aptError(args, err)
	}
	var others []string
	for _, step := range plan.steps {
		if !step.Removing || !slices.Contains(own, step.Name) {
			others = append(others, step.Name)
		}
	}
	return others, nil
}

func (a *Apt) purge(ctx context.Context, h host.Host, names []string) error {
	reconcile.Progress(ctx)(fmt.Sprintf("removing %d packages", len(names)))
	argv := append([]string{"apt-get"}, aptOptions...)
	return a.unit(ctx, h, append(append(argv, "purge"), names...))
}
