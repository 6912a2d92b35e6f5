package resources

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A view is what one look at a registration found.
type view struct {
	local  *localConfig    // nil: `.runner` is absent or cannot be used
	remote *actions.Runner // GitHub's entry for this host's id
	// namesake is GitHub's entry of the wanted name, this host's or not.
	namesake *actions.Runner
	group    string          // the runner's group; "" when not asked for or not known
	groups   []actions.Group // where the spec names a group
	record   record
	former   bool // what is local is where the runner was before, or is left there, too

	broken string  // why there is no registration that works, or ""
	used   bool    // it had its one job, and another one is due
	litter []place // of the work directory, what has to go before a runner is ephemeral
	gone   bool    // it is absent here, or GitHub says 404 while its list answers
	blind  error   // what could not be seen; wraps ErrUnknown
	failed error   // why, in GitHub's words alone
}

// look makes a view. Its own errors are about this host or the spec alone.
func (c *Config) look(ctx context.Context, r host.Reader) (*view, error) {
	if c.URL.Scope == spec.Repository && c.Group != "" && !strings.EqualFold(c.Group, "Default") {
		return nil, fmt.Errorf("cannot put the runner into group %s: the runners of a repository have no groups; take runner.group out of the spec", c.Group)
	}
	v := &view{record: readRecord(r, c.URL, c.Name)}
	if err := c.lookHere(r, v); err != nil {
		return nil, err
	}
	c.lookAtGitHub(ctx, v)
	c.usedUp(v)
	c.online = v.online(c.GitHub != nil)
	if v.local != nil && v.group == "" {
		v.group = c.groupHere(v)
	}
	return v, nil
}

func (c *Config) lookHere(r host.Reader, v *view) error {
	local, err := readLocal(r, c.InstallDir)
	if c.Former.registered(r) {
		v.former = true
		if err == nil && local == nil {
			local, err = c.Former.local(r)
		}
	}
	switch fault := new(unusable); {
	case errors.As(err, fault):
		v.broken = "unusable here: " + string(*fault)
	case err != nil:
		return fmt.Errorf("cannot read the runner's settings in %s: %w; run benchctl as root", c.InstallDir, err)
	case local == nil:
		v.broken, v.gone = "absent", true
	}
	v.local = local
	v.litter, err = c.litter(r)
	return err
}

// lookAtGitHub asks for the wanted name first: only while that list answers
// does a 404 for the id mean that the registration is gone (law 12).
func (c *Config) lookAtGitHub(ctx context.Context, v *view) {
	if c.GitHub == nil {
		v.blind = c.unasked()
		return
	}
	all, err := c.GitHub.Runners(ctx, c.Name)
	if err != nil {
		v.unseen(err)
		return
	}
	for i := range all {
		if strings.EqualFold(all[i].Name, c.Name) {
			v.namesake = &all[i]
		}
	}
	if v.local != nil && sameURL(v.local.URL, c.URL.Text) {
		c.lookForID(ctx, v)
	}
	if v.broken == "absent" && v.namesake != nil {
		v.broken = "absent here; GitHub has " + describe(v.namesake)
	}
	if v.remote != nil && c.grouped() {
		c.lookForGroup(ctx, v)
	}
}

// online is what GitHub said of this host's runner. One that it does not have is
// not online; but one that had its one job is not expected to be.
func (v *view) online(asked bool) *bool {
	if !asked || v.blind != nil || v.used {
		return nil
	}
	is := v.remote != nil && v.remote.Online()
	return &is
}

func (c *Config) lookForID(ctx context.Context, v *view) {
	id := int64(v.local.ID)
	if v.namesake != nil && v.namesake.ID == id {
		v.remote = v.namesake
		return
	}
	found, err := c.GitHub.Runner(ctx, id)
	switch {
	case errors.Is(err, actions.ErrNotFound):
		v.gone = true
		v.broken = fmt.Sprintf("deleted at GitHub (id %d)", id)
		if v.namesake != nil {
			v.broken = fmt.Sprintf("id %d here, but GitHub has %s", id, describe(v.namesake))
		}
	case err != nil:
		v.unseen(err)
	case strings.EqualFold(found.Name, v.local.Name) || strings.EqualFold(found.Name, c.Name):
		v.remote = &found
	default:
		v.broken = fmt.Sprintf("id %d here, which at GitHub is the runner %s", id, plain(found.Name))
	}
}

// lookForGroup names the runner's group. Groups hardly ever change, and the one
// that the runner is in was asked for already: a pass is content with the names
// of today, unless by these something would differ.
func (c *Config) lookForGroup(ctx context.Context, v *view) {
	age := time.Duration(0)
	if c.Sparing {
		age = groupsAge
	}
	c.askForGroup(ctx, v, age)
	if age > 0 && v.failed == nil && !strings.EqualFold(v.group, c.Group) {
		c.askForGroup(ctx, v, 0)
	}
}

// groupsAge is how old an answer a pass is content with.
const groupsAge = 24 * time.Hour

func (c *Config) askForGroup(ctx context.Context, v *view, age time.Duration) {
	groups, err := c.GitHub.Groups(ctx, age)
	if err != nil {
		v.unseen(err)
		return
	}
	v.groups, v.group = groups, ""
	for _, g := range groups {
		if g.ID == v.remote.GroupID {
			v.group = g.Name
		}
	}
}

// groupHere is the group without GitHub's word: where benchctl last put the
// runner, else where it was registered. `.runner` is not written again when a
// runner is moved.
func (c *Config) groupHere(v *view) string {
	if v.record.ID == int64(v.local.ID) && v.record.Group != "" {
		return v.record.Group
	}
	return v.local.Group
}

// grouped reports whether the spec has a say in the runner's group.
func (c *Config) grouped() bool { return c.Group != "" && c.URL.Scope != spec.Repository }

func (c *Config) groupChange(d *differences, v *view) {
	if !c.grouped() || strings.EqualFold(v.group, c.Group) {
		return
	}
	have := plain(v.group)
	if v.remote != nil && v.groups != nil {
		d.add("group", have, c.Group)
		return
	}
	if c.GitHub == nil {
		d.anew("group", have, c.Group)
	}
}

// unasked says why GitHub was not asked.
func (c *Config) unasked() error {
	if c.Offline {
		return reconcile.Tolerate(fmt.Errorf("%w: labels and registration at GitHub were not looked at; run without --offline", reconcile.ErrUnknown))
	}
	return reconcile.Tolerate(fmt.Errorf("%w: labels and registration at GitHub were not looked at, for want of API credentials; set GITHUB_TOKEN, or github.tokenFile in the spec", reconcile.ErrUnknown))
}

// unseen notes that GitHub was asked and gave no answer.
func (v *view) unseen(err error) {
	v.failed, v.blind = err, fmt.Errorf("%w: %w", reconcile.ErrUnknown, err)
}

func describe(r *actions.Runner) string {
	return fmt.Sprintf("a runner %s with id %d, %s", plain(r.Name), r.ID, plain(r.Status))
}

// sameURL compares addresses as GitHub does: without regard to case.
func sameURL(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}
