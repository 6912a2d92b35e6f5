package resources

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// jitLabels are the default labels as config.sh spells them: a just-in-time
// registration has those alone that it is given.
var jitLabels = []string{"self-hosted", "Linux", "X64"}

// errNoJIT says that a just-in-time registration is not to be had, so that a
// token has to do.
var errNoJIT = errors.New("no just-in-time registration")

// justInTime registers the runner for one job by one request, whose answer is the
// registration itself. No token is made, and config.sh does not run.
//
// That answer holds the runner's private key. `run --jitconfig` takes it as an
// argument or from the environment, which stays readable in /proc for as long as
// the service's shell and Node live; all that the Listener does with it is to
// write the files in it into its directory and go on as always. So they are
// written here, for the runner's user alone, and the answer is never anywhere but
// in this process.
func (c *Config) justInTime(ctx context.Context, h host.Host, v *view, account *host.Account, rec record) error {
	// The name has to be free. That the entry is this host's was seen (obstacle).
	if n := v.namesake; n != nil && n != v.remote {
		if err := c.GitHub.DeleteRunner(ctx, n.ID); err != nil && !errors.Is(err, actions.ErrNotFound) {
			return err
		}
	}
	asked, err := c.jitRequest(ctx, rec)
	if err != nil {
		return err
	}
	reconcile.Progress(ctx)("registering " + c.Name + " at " + c.URL.Text + " for one job, just in time")
	made, err := c.GitHub.JIT(ctx, asked)
	if errors.Is(err, actions.ErrForbidden) || errors.Is(err, actions.ErrNotFound) {
		return fmt.Errorf("%w: %w", errNoJIT, err)
	}
	if err != nil {
		return err
	}
	files, err := c.jitFiles(made)
	if err != nil {
		return c.undoJIT(ctx, made, err)
	}
	if err := c.writeLocal(h, files, account); err != nil {
		return fmt.Errorf("cannot write the registration that GitHub made: %w; run again", err)
	}
	rec.ID, rec.Ours, rec.Former, rec.Labels = made.Runner.ID, true, "", nil
	return rec.write(h)
}

// writeLocal writes the files of a registration, `.runner` last: it is what makes
// a runner configured.
func (c *Config) writeLocal(h host.Host, files map[string][]byte, account *host.Account) error {
	theirs := host.Perm{Mode: 0o600, UID: account.UID, GID: account.GID}
	for _, name := range slices.Backward(localFiles) { // `.runner` is the first
		if text, given := files[name]; given {
			if err := h.Replace(c.InstallDir+"/"+name, text, theirs); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Config) jitRequest(ctx context.Context, rec record) (actions.JITRequest, error) {
	asked := actions.JITRequest{Name: c.Name, GroupID: 1, WorkDir: "_work", Labels: slices.Concat(jitLabels, c.customLabels(), rec.Labels)}
	if c.URL.Scope == spec.Repository {
		return asked, nil
	}
	groups, err := c.GitHub.Groups(ctx, groupsAge)
	if err != nil {
		return asked, err
	}
	i := slices.IndexFunc(groups, func(g actions.Group) bool {
		return rec.Group == "" && g.Default || rec.Group != "" && strings.EqualFold(g.Name, rec.Group)
	})
	if i < 0 {
		return asked, fmt.Errorf("cannot register the runner: there is no runner group %s at %s; correct runner.group or make the group", rec.Group, c.URL.Text)
	}
	asked.GroupID = groups[i].ID
	return asked, nil
}

// jitFiles takes a configuration apart, and sets in it what GitHub cannot be
// asked for. One that is not what was asked for is not used.
func (c *Config) jitFiles(made actions.JIT) (map[string][]byte, error) {
	whole, err := base64.StdEncoding.DecodeString(made.Config.Reveal())
	var files map[string][]byte
	if err != nil || json.Unmarshal(whole, &files) != nil {
		return nil, errors.New("it is not in the form that is known")
	}
	for name := range files {
		if !slices.Contains(localFiles, name) {
			return nil, fmt.Errorf("it has a file %s, which is not known", plain(name))
		}
	}
	for _, name := range []string{".runner", ".credentials", ".credentials_rsaparams"} {
		if len(files[name]) == 0 {
			return nil, fmt.Errorf("it has no %s", name)
		}
	}
	files[".runner"], err = withSettings(files[".runner"], map[string]any{"workFolder": c.WorkDir, "disableUpdate": !c.AutoUpdate})
	if err != nil {
		return nil, err
	}
	var l localConfig
	if json.Unmarshal(files[".runner"], &l) != nil || int64(l.ID) != made.Runner.ID ||
		!strings.EqualFold(l.Name, c.Name) || !sameURL(l.URL, c.URL.Text) || !bool(l.Ephemeral) {
		return nil, errors.New("its .runner is not that of the registration that was asked for")
	}
	return files, nil
}

// withSettings sets keys of a `.runner`, in which case makes no difference. The
// runner reads workFolder and disableUpdate from there alone. Source:
// Runner.Listener/MessageListener.cs and BrokerMessageListener.cs of the runner.
func withSettings(text []byte, settings map[string]any) ([]byte, error) {
	var keys map[string]any
	if json.Unmarshal(bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF")), &keys) != nil {
		return nil, errors.New("its .runner is not JSON")
	}
	for name, value := range settings {
		for key := range keys {
			if strings.EqualFold(key, name) {
				delete(keys, key)
			}
		}
		keys[name] = value
	}
	return json.Marshal(keys)
}

// undoJIT takes a registration back whose configuration cannot be used.
func (c *Config) undoJIT(ctx context.Context, made actions.JIT, why error) error {
	if !strings.EqualFold(made.Runner.Name, c.Name) {
		return fmt.Errorf("cannot use the just-in-time registration that GitHub made: it is of %s; delete that on %s", plain(made.Runner.Name), c.page())
	}
	if err := c.GitHub.DeleteRunner(ctx, made.Runner.ID); err != nil && !errors.Is(err, actions.ErrNotFound) {
		return fmt.Errorf("cannot use the just-in-time registration that GitHub made (%w), nor take it back: %w", why, err)
	}
	return fmt.Errorf("%w: cannot use the one that GitHub made: %w", errNoJIT, why)
}
