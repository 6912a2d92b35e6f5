package resources

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// noTrees are the runner's directories that have to go: where it is installed
// and where jobs worked. What is mounted in one keeps it there.
type noTrees struct{ *Setup }

var _ reconcile.Dependent = noTrees{}

func (noTrees) ID() reconcile.ID { return reconcile.ID{Kind: "tarball"} }

func (noTrees) Needs() []string { return []string{"config", "service"} }

// trees are the directories of the runner, the home of its account among them
// if benchctl made that. An installation that it looks after is its own, whoever
// made the directory.
func (f *Setup) trees(r host.Reader) []string {
	all := f.brought.Trees
	if f.Dir != "" && isOurs(r, f.brought, f.Dir) {
		all = with(all, f.Dir)
	}
	return all
}

func (t noTrees) find(r host.Reader) ([]string, error) { return left(r, t.trees(r)) }

// left are the directories that are there, and what an earlier removal of one
// was killed over.
func left(r host.Reader, dirs []string) ([]string, error) {
	var there []string
	for _, dir := range outermost(dirs) {
		if isDir(r, dir) {
			there = append(there, dir)
		}
		gone, err := r.Glob(path.Dir(dir) + "/" + host.GonePrefix + "*")
		if err != nil {
			return nil, err
		}
		there = with(there, gone...)
	}
	return there, nil
}

func (t noTrees) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	dirs, err := t.find(r)
	return going(dirs, restarts), err
}

// Apply removes what a job may have filled with anything.
func (t noTrees) Apply(ctx context.Context, h host.Host) error {
	dirs, err := t.find(h)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		reconcile.Progress(ctx)("removing " + dir)
		if err := h.RemoveBelow(ctx, path.Dir(dir), path.Base(dir)); err != nil {
			return fmt.Errorf("cannot remove %s: %w; see what is in it and run again", dir, err)
		}
	}
	return nil
}

// noUser is the account that benchctl made and that has to go. One that was
// there before is nobody's to remove.
type noUser struct{ *Setup }

var _ reconcile.Dependent = noUser{}

func (noUser) ID() reconcile.ID { return reconcile.ID{Kind: "user"} }

func (noUser) Needs() []string { return []string{"tarball", "service", "packages"} }

func (u noUser) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	if !u.accountThere(r) {
		return nil, nil
	}
	return []reconcile.Change{{Field: "account", Have: u.brought.Account, Want: "removed", Effects: restarts}}, nil
}

// accountThere reports whether the account that benchctl made is there, and not
// one that somebody has made for a person since, under its name.
func (f *Setup) accountThere(r host.Reader) bool {
	if f.brought.Account == "" {
		return false
	}
	a, err := r.Account(f.brought.Account)
	return err == nil && a.Local && a.UID != 0 && a.UID < firstPerson
}

// Apply removes the account, and its group if userdel(8) did not.
func (u noUser) Apply(ctx context.Context, h host.Host) error {
	name := u.brought.Account
	if err := accountTool(ctx, h, []string{"userdel", name}); err != nil {
		return fmt.Errorf("cannot remove the account %s: %w; see what still runs as it (ps -u %[1]s) and run again", name, err)
	}
	g, exists, err := groupNamed(h, name)
	if err != nil || !exists || len(g.members) > 0 {
		return err
	}
	if err := accountTool(ctx, h, []string{"groupdel", name}); err != nil {
		return fmt.Errorf("cannot remove the group %s: %w", name, err)
	}
	return nil
}

// parents are the directories that benchctl made on the way to something, the
// deepest first, as far as nothing is in them.
func (f *Setup) parents(r host.Reader) []string {
	var empty []string
	for _, dir := range slices.Backward(f.brought.Parents) {
		names, err := r.ReadDir(dir)
		if err != nil || !isDir(r, dir) {
			continue
		}
		if len(slices.DeleteFunc(names, func(name string) bool { return slices.Contains(empty, dir+"/"+name) })) == 0 {
			empty = append(empty, dir)
		}
	}
	return empty
}
