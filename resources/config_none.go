package resources

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// noConfig is a registration that has to go: at GitHub first, since what is
// gone here can no longer say which entry there was its own. The service is
// down by then, so that the entry is not in the middle of a job.
type noConfig struct {
	*Config
	known   bool // there was a registration
	deleted bool // GitHub no longer has it, as far as GitHub was asked
}

var _ reconcile.Resource = (*noConfig)(nil)

func newNoConfig(f *Setup, o RemoveOptions) *noConfig {
	c := &Config{
		URL: f.URL, Name: f.Name, User: f.User, InstallDir: f.Dir,
		Env: configEnv(nil, o.Getenv), Offline: o.Offline,
	}
	if !o.Offline {
		c.GitHub, c.Token = o.GitHub, o.Token
	}
	return &noConfig{Config: c}
}

// Diff looks for the entry at GitHub and for the files here. That GitHub was
// asked and gave no answer is an error: what follows would leave a ghost there.
func (n *noConfig) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	v, left, err := n.lookLeft(ctx, r)
	if err != nil || v == nil {
		return nil, err
	}
	var changes []reconcile.Change
	if entry := n.entry(v); entry != nil {
		changes = append(changes, reconcile.Change{Field: "at GitHub", Have: describe(entry), Want: "deleted", Effects: restarts})
	}
	if len(left) > 0 && n.withToken() {
		changes = append(changes, reconcile.Change{Field: "at GitHub", Have: n.Name, Want: "deleted, with the pasted token", Effects: restarts})
	}
	return append(changes, going(left, restarts)...), nil
}

// lookLeft is a view of the registration and the files that are left of it. The
// view is nil where there was none.
func (n *noConfig) lookLeft(ctx context.Context, r host.Reader) (*view, []string, error) {
	var left []string
	v := &view{record: readRecord(r, n.URL, n.Name)}
	if n.InstallDir != "" {
		left = n.leftHere(r)
		if err := n.lookHere(r, v); err != nil {
			return nil, nil, err
		}
	}
	if n.URL.Text == "" || len(left) == 0 && !recorded(r) {
		return nil, left, nil
	}
	n.known = true
	if n.GitHub == nil {
		return v, left, nil
	}
	n.lookAtGitHub(ctx, v)
	if v.failed != nil {
		return nil, nil, fmt.Errorf("cannot see whether GitHub still has the runner %s: %w; run again, or remove it here alone with --offline", n.Name, v.failed)
	}
	n.deleted = n.entry(v) == nil
	return v, left, nil
}

func (n *noConfig) withToken() bool { return n.GitHub == nil && n.Token != "" }

// entry is GitHub's entry of this host, nil when it has none. It has the name
// that root's own files know (law 11), and an id that is this host's.
func (n *noConfig) entry(v *view) *actions.Runner {
	if e := v.remote; e != nil && (strings.EqualFold(e.Name, n.Name) || strings.EqualFold(e.Name, v.record.Former)) {
		return e
	}
	if v.namesake != nil && n.ours(v) {
		return v.namesake
	}
	return nil
}

// Apply deletes the entry, then the files here.
func (n *noConfig) Apply(ctx context.Context, h host.Host) error {
	v, left, err := n.lookLeft(ctx, h)
	if err != nil {
		return err
	}
	if v != nil {
		if err := n.deleteAtGitHub(ctx, h, v); err != nil {
			return err
		}
	}
	for _, p := range left {
		if err := h.RemoveAll(p); err != nil {
			return fmt.Errorf("cannot remove the registration's %s: %w", p, err)
		}
	}
	if n.deleted { // a removal that is killed and run again has nothing to ask then
		return h.Remove(registrationFile)
	}
	return nil
}

func (n *noConfig) deleteAtGitHub(ctx context.Context, h host.Host, v *view) error {
	switch entry := n.entry(v); {
	case entry != nil:
		reconcile.Progress(ctx)(fmt.Sprintf("deleting %s at GitHub", describe(entry)))
		if err := n.GitHub.DeleteRunner(ctx, entry.ID); err != nil && !errors.Is(err, actions.ErrNotFound) {
			return fmt.Errorf("%w; delete it on %s and run again, or remove it here alone with --offline", err, n.page())
		}
		n.deleted = true
	case n.GitHub != nil:
		reconcile.Progress(ctx)("GitHub has no entry of this host any more")
	case n.withToken() && v.local != nil:
		return n.removeWithToken(ctx, h)
	}
	return nil
}

// removeWithToken has config.sh delete the entry, which takes a removal token
// rather than credentials. It refuses to while `.service` is there.
func (n *noConfig) removeWithToken(ctx context.Context, h host.Host) error {
	account, err := h.Account(n.User)
	if err != nil {
		return fmt.Errorf("cannot delete the runner at GitHub as user %s: %w; delete it on %s and run again without the token", n.User, err, n.page())
	}
	if err := h.Remove(n.InstallDir + "/.service"); err != nil {
		return err
	}
	reconcile.Progress(ctx)("deleting " + n.Name + " at GitHub with the pasted token")
	cmd := n.command(&account, "remove")
	cmd.Env = append(cmd.Env, "ACTIONS_RUNNER_INPUT_TOKEN="+n.Token.Reveal())
	ctx, cancel := context.WithTimeout(ctx, configTimeout)
	defer cancel()
	out, err := h.Run(ctx, cmd)
	if err == nil {
		n.deleted = true
		return nil
	}
	said := scrub(out, n.Token)
	if forgotten.MatchString(said) && !tokenRefused.MatchString(said) {
		reconcile.Progress(ctx)("GitHub has no entry of this host any more")
		n.deleted = true
		return nil
	}
	return n.refusedToken(ctx, said, err)
}

// What config.sh says when the token is not taken, and when the runner is not
// there any more; the former is a 404, too.
var (
	tokenRefused = regexp.MustCompile(`(?i)'POST [^']*runner-registration|\b40[13] \(|Unauthorized from|Forbidden from`)
	forgotten    = regexp.MustCompile(`(?i)\b404 \(Not Found\)|NotFound from 'DELETE|does not exist`)
)

func (n *noConfig) refusedToken(ctx context.Context, said string, err error) error {
	what := fmt.Sprintf("cannot delete %s at %s: ", n.Name, n.URL.Text)
	var status *host.CommandError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%sconfig.sh was cut off (%w); run again", what, ctx.Err())
	case !errors.As(err, &status):
		return fmt.Errorf("%s%w; delete it on %s and run again without the token", what, err, n.page())
	case tokenRefused.MatchString(said):
		return fmt.Errorf("%sGitHub does not accept the token: it is wrong, older than an hour, or not one for removing; get another from the runner's page below %s (Remove), or delete it there and run again without the token", what, n.page())
	}
	return fmt.Errorf("%sconfig.sh ended with status %d and said: %s; delete it on %s and run again without the token",
		what, status.Status, plain(host.LastLine([]byte(said))), n.page())
}

// stays says that GitHub may still have the entry, "" when it has not.
func (n *noConfig) stays() string {
	if !n.known || n.deleted {
		return ""
	}
	return fmt.Sprintf("%s at %s: GitHub was not told, shows it as offline and drops it after 14 days", n.Name, n.URL.Text)
}
