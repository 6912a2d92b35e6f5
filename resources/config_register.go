package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// localFiles are what makes a runner configured; `config.sh remove --local`
// deletes them and nothing else.
var localFiles = []string{".runner", ".runner_migrated", ".credentials", ".credentials_migrated", ".credentials_rsaparams"}

// register makes the registration anew. The token is had first, so that
// nothing is taken down for want of it; what is ours is written down before
// GitHub hears of it (see record). In place, the entry at GitHub is not deleted
// first: config.sh replaces it, or leaves it as it is.
func (c *Config) register(ctx context.Context, h host.Host, v *view, inPlace bool) error {
	account, err := h.Account(c.User)
	if err != nil {
		return fmt.Errorf("cannot register the runner as user %s: %w", c.User, err)
	}
	if err := c.untilForgotten(ctx, v); err != nil {
		return err
	}
	replace := c.TakeOver || c.ours(v)
	seen := c.GitHub != nil && v.blind == nil
	justInTime := c.Ephemeral && seen
	var token actions.Secret // not asked for where most likely none is needed
	if !justInTime || v.namesake != nil || v.remote != nil {
		if token, err = c.token(ctx); err != nil {
			return err
		}
	}
	rec := record{URL: c.URL.Text, Name: c.Name, Former: v.record.Former, OneJob: c.Ephemeral,
		Ours: replace || seen && v.namesake == nil}
	rec.Group, rec.Labels = c.inherited(v)
	if err := rec.write(h); err != nil {
		return err
	}
	if inPlace {
		kept := *v
		v, kept.remote = &kept, nil
	}
	putBack := c.keep(h)
	if err := c.retire(ctx, h, v, &account); err != nil {
		return errors.Join(err, v.record.undone(h))
	}
	if err := c.sweep(ctx, h); err != nil {
		return err
	}
	if justInTime {
		switch err := c.justInTime(ctx, h, v, &account, rec); {
		case err == nil:
			return c.leave(ctx, h)
		case !errors.Is(err, errNoJIT):
			return err
		default:
			reconcile.Progress(ctx)(err.Error() + "; a registration token has to do")
		}
	}
	// Without a namesake the switch would do nothing now, but take over the
	// runner of a host that registers in this very moment.
	if seen && (v.namesake == nil || v.remote == v.namesake) {
		replace = false
	}
	return c.byToken(ctx, h, v, &account, token, rec, replace, putBack)
}

// byToken has config.sh register the runner, with a token that is had now unless
// it was before. What was there is put back if config.sh had not begun.
func (c *Config) byToken(ctx context.Context, h host.Host, v *view, account *host.Account, token actions.Secret, rec record, replace bool, putBack func() error) error {
	if token == "" {
		var err error
		if token, err = c.token(ctx); err != nil {
			return err
		}
	}
	reconcile.Progress(ctx)("registering " + c.Name + " at " + c.URL.Text)
	if err := c.configure(ctx, h, account, token, rec, replace); err != nil {
		if errors.As(err, new(earlyError)) && v.remote == nil {
			return errors.Join(err, putBack(), v.record.undone(h))
		}
		return err
	}
	local, err := readLocal(h, c.InstallDir)
	if err != nil || local == nil {
		return fmt.Errorf("cannot find the registration that config.sh says it made in %s (%v); run again", c.InstallDir, err)
	}
	rec.ID, rec.Ours, rec.Former, rec.Labels = int64(local.ID), true, "", nil
	return errors.Join(rec.write(h), c.leave(ctx, h))
}

// inherited is what a new registration has from the one before it where the spec
// leaves that to others: its group, as far as that is known, and the labels that
// others may set. A registration that was cut off has written both down.
func (c *Config) inherited(v *view) (group string, labels []string) {
	group = c.Group
	if v.record.ID == 0 {
		labels = v.record.Labels
	}
	if group == "" && v.record.ID == 0 {
		group = v.record.Group
	}
	if v.remote == nil {
		return group, labels
	}
	for _, name := range c.AllowLabels {
		there := slices.ContainsFunc(v.remote.Labels, func(l actions.Label) bool { return strings.EqualFold(l.Name, name) && !l.ReadOnly() })
		if there && !contains(c.Labels, name) && !contains(labels, name) {
			labels = append(labels, name)
		}
	}
	return group, labels
}

func (c *Config) token(ctx context.Context) (actions.Secret, error) {
	if c.Token != "" {
		return c.Token, nil
	}
	return c.GitHub.RegistrationToken(ctx)
}

// retire takes the old registration down: at GitHub, when GitHub gives its id
// a name that root's own files know (law 11), and here in any case.
func (c *Config) retire(ctx context.Context, h host.Host, v *view, account *host.Account) error {
	if err := c.retireAtGitHub(ctx, v); err != nil {
		return err
	}
	if len(c.leftHere(h)) == 0 {
		return nil
	}
	cmd := c.command(account, "remove", "--local")
	if _, err := h.Run(ctx, cmd); err != nil && ctx.Err() != nil {
		return err
	}
	// What config.sh could not delete was put in its place, or config.sh
	// does not run. Root may, since the directory is root's.
	for _, path := range c.leftHere(h) {
		if err := h.RemoveAll(path); err != nil {
			return fmt.Errorf("cannot remove the old registration %s: %w", path, err)
		}
	}
	return nil
}

// keep reads the registration that is there, so that it can be put back: a
// pasted token that has expired must not cost one that still works.
func (c *Config) keep(h host.Host) (putBack func() error) {
	type file struct {
		data []byte
		perm host.Perm
	}
	kept := map[string]file{}
	for _, path := range c.leftHere(h) {
		info, err := h.Lstat(path)
		if err != nil {
			continue
		}
		if data, err := h.ReadBelow(c.InstallDir, strings.TrimPrefix(path, c.InstallDir+"/")); err == nil {
			kept[path] = file{data, info.Perm}
		}
	}
	return func() error {
		var errs []error
		for path, f := range kept {
			errs = append(errs, h.Replace(path, f.data, f.perm))
		}
		return errors.Join(errs...)
	}
}

func (c *Config) retireAtGitHub(ctx context.Context, v *view) error {
	if v.remote == nil {
		if v.local != nil && !sameURL(v.local.URL, c.URL.Text) {
			reconcile.Progress(ctx)("leaving the old registration at " + plain(v.local.URL) + ", where GitHub drops it in two weeks; delete it there if it is in the way")
		}
		return nil
	}
	name := v.remote.Name
	if !strings.EqualFold(name, c.Name) && !strings.EqualFold(name, v.record.Former) {
		reconcile.Progress(ctx)(fmt.Sprintf("leaving %s at GitHub: only this host's own file says that it was this host's; delete it on %s if it was", describe(v.remote), c.page()))
		return nil
	}
	if err := c.GitHub.DeleteRunner(ctx, v.remote.ID); err != nil && !errors.Is(err, actions.ErrNotFound) {
		return err
	}
	return nil
}

// leftHere lists what there is of a registration in the runner's directory.
func (c *Config) leftHere(r host.Reader) []string {
	var left []string
	for _, name := range localFiles {
		path := c.InstallDir + "/" + name
		if _, err := r.Lstat(path); err == nil {
			left = append(left, path)
		}
	}
	return left
}

// adjust sets in place what GitHub's API can set, and finishes a record.
func (c *Config) adjust(ctx context.Context, h host.Host, v *view, changes []reconcile.Change) error {
	for _, change := range changes {
		var err error
		switch change.Field {
		case "labels":
			_, _, send := c.labels(v.remote.Labels)
			err = c.GitHub.SetLabels(ctx, v.remote.ID, send)
		case "group":
			err = c.move(ctx, h, v)
		case placeField:
			err = c.takeAlong(ctx, h, v)
		case recordField:
			v.record.ID, v.record.Former, v.record.Labels, v.record.OneJob = v.remote.ID, "", nil, c.Ephemeral
			err = v.record.write(h)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) move(ctx context.Context, h host.Host, v *view) error {
	var names []string
	for _, g := range v.groups {
		if strings.EqualFold(g.Name, c.Group) {
			if err := c.GitHub.MoveRunner(ctx, v.remote.ID, g.ID); err != nil {
				return err
			}
			v.record.ID, v.record.Ours, v.record.Group = v.remote.ID, true, c.Group
			return v.record.write(h)
		}
		names = append(names, plain(g.Name))
	}
	return fmt.Errorf("cannot move the runner into group %s: %s has %s; correct runner.group or make the group",
		c.Group, c.URL.Text, strings.Join(names, ", "))
}
