package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A Rotation is the registration with other credentials, and everything else as
// it was: name, group, labels, work directory.
//
// Where benchctl may write at GitHub, which is seen by its getting a token while
// the service is still up, the old entry is deleted and a new one made: whatever
// anybody got hold of ends with the entry. Else config.sh puts a new key on the
// entry that is there. What the new registration needs is written down before
// the old one goes (see record), so that any apply goes on where this was cut
// off; and where GitHub has not registered anything yet, the old credentials are
// put back.
type Rotation struct {
	*Config
	Old, New int64 // the registration's ids at GitHub; 0: not yet

	token   actions.Secret
	inPlace bool   // the entry is not deleted first
	group   string // where the runner is; "": the scope has none, or nobody knows
}

var (
	_ reconcile.Resource = (*Rotation)(nil)
	_ reconcile.Preparer = (*Rotation)(nil)
)

// NewRotation is the rotation of the credentials of a spec's runner.
func NewRotation(s *spec.Spec, o Options) *Rotation { return &Rotation{Config: configOf(s, o)} }

// Diff says that credentials are to be made, or why they cannot be; afterwards,
// how the new registration is not what the old one was.
func (ro *Rotation) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	if ro.New != 0 {
		return ro.Config.Diff(ctx, r)
	}
	v, err := ro.look(ctx, r)
	if err == nil {
		err = ro.refusal(r, v)
	}
	if err != nil {
		return nil, err
	}
	return []reconcile.Change{{
		Field: "credentials", Have: fmt.Sprint("of registration ", int64(v.local.ID)), Want: "new ones", Effects: []reconcile.Effect{reconcile.Reregister},
	}}, nil
}

// refusal says why there is nothing to rotate, or no way to.
func (ro *Rotation) refusal(r host.Reader, v *view) error {
	const cannot = "cannot rotate the credentials: "
	isOurs := func(u foundUnit) bool { return u.keys["RunnerTemplate"] != "" }
	switch ours := slices.ContainsFunc(unitsOf(r, ro.InstallDir), isOurs); {
	case ro.Offline:
		return errors.New(cannot + "--offline forbids talking to GitHub; run again without it")
	case ro.Ephemeral:
		return errors.New(cannot + "an ephemeral runner has new ones for each job; there is nothing to do")
	case !ours && v.local == nil:
		return fmt.Errorf(cannot+"no runner was set up in %s; run benchctl apply, which makes them", ro.InstallDir)
	case !ours:
		return fmt.Errorf(cannot+"the runner in %s was not set up by benchctl; have it adopted first, with benchctl import and benchctl apply", ro.InstallDir)
	case v.failed != nil:
		return fmt.Errorf(cannot+"%w; nothing was touched", v.failed)
	case ro.Token == "" && ro.GitHub == nil:
		return fmt.Errorf(cannot+"there are none for GitHub's API; set GITHUB_TOKEN, or GH_RUNNER_TOKEN with the token from %s/new", ro.page())
	}
	if changes := ro.changes(v); anew(changes) {
		return fmt.Errorf(cannot+"%s; run benchctl apply, which registers the runner anew, with new ones", wordy(changes))
	}
	if ro.GitHub == nil && !v.record.Ours {
		return fmt.Errorf(cannot+"nothing of root's shows that the runner %s at GitHub is this host's; set GITHUB_TOKEN, which lets benchctl see it", ro.Name)
	}
	return nil
}

// Prepare gets everything from GitHub that the new registration needs.
func (ro *Rotation) Prepare(ctx context.Context, r host.Host) error {
	v, err := ro.look(ctx, r)
	if err == nil {
		err = ro.mint(ctx)
	}
	if err != nil || ro.URL.Scope == spec.Repository || ro.Config.Group != "" {
		return err
	}
	if v.remote == nil { // without credentials for the API
		ro.group = v.record.Group
		if ro.group == "" {
			reconcile.Progress(ctx)("the runner's group cannot be seen without credentials for GitHub's API; it will be in the default one")
		}
		return nil
	}
	groups, err := ro.GitHub.Groups(ctx, 0)
	for _, g := range groups {
		if g.ID == v.remote.GroupID {
			ro.group = g.Name
		}
	}
	return err
}

// mint has a token made. One that was pasted is for credentials that may not
// have one made, and then must not cost the entry that is there: it may have
// expired.
func (ro *Rotation) mint(ctx context.Context) error {
	if ro.token != "" {
		return nil
	}
	if ro.GitHub != nil {
		token, err := ro.GitHub.RegistrationToken(ctx)
		if err == nil || ro.Config.Token == "" {
			ro.token = token
			return err
		}
	}
	ro.token, ro.inPlace = ro.Config.Token, true
	return nil
}

// Apply registers the runner anew. The service is down.
func (ro *Rotation) Apply(ctx context.Context, h host.Host) error {
	if err := ro.awaitEarlier(ctx, h); err != nil {
		return intact{err}
	}
	v, err := ro.look(ctx, h)
	if err == nil {
		err = ro.refusal(h, v)
	}
	if err == nil && ro.token == "" {
		err = ro.Prepare(ctx, h)
	}
	if err != nil {
		return intact{err}
	}
	ro.Old = int64(v.local.ID)
	anew := *ro.Config
	anew.Token = ro.token
	if ro.group != "" {
		anew.Group = ro.group
	}
	err = anew.register(ctx, h, v, ro.inPlace)
	local, fault := readLocal(h, ro.InstallDir)
	switch {
	case err == nil:
		ro.New = int64(local.ID)
		return nil
	case fault == nil && local != nil && int64(local.ID) == ro.Old:
		return intact{fmt.Errorf("%w; the old credentials are in place and unchanged", err)}
	}
	return fmt.Errorf("%w; the old credentials are gone: run benchctl apply, which goes on from here", err)
}

// intact is a change that failed and took nothing away, so that the service may
// go on.
type intact struct{ error }

// Is lets the engine know.
func (intact) Is(target error) bool { return target == reconcile.ErrWithheld }

// Unwrap returns what went wrong.
func (e intact) Unwrap() error { return e.error }

// InPlace reports whether the entry at GitHub is the one that there was, with
// another key.
func (ro *Rotation) InPlace() bool { return ro.New == ro.Old }
