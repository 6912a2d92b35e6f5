package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const alreadyConfigured = "Cannot configure the runner because it is already configured. " +
	"To reconfigure the runner, run 'config.cmd remove' or './config.sh remove' first."

// A target is where a runner is registered, taken from its URL.
type target struct {
	url    string
	api    string // base of the API, ending in a slash
	entity string // repos/O/R, orgs/O or enterprises/E
	hosted bool   // github.com, as opposed to a GHES host
}

func parseTarget(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return target{}, fmt.Errorf("Invalid configuration provided for url. Terminating unattended configuration.")
	}
	t := target{url: strings.TrimSuffix(raw, "/"), hosted: u.Hostname() == "github.com"}
	t.api = u.Scheme + "://" + u.Host + "/api/v3/"
	if t.hosted {
		t.api = u.Scheme + "://api." + u.Host + "/"
	}
	switch parts := strings.Split(strings.Trim(u.Path, "/"), "/"); {
	case len(parts) == 1 && parts[0] != "":
		t.entity = "orgs/" + parts[0]
	case len(parts) == 2 && parts[0] == "enterprises":
		t.entity = strings.Join(parts, "/")
	case len(parts) == 2:
		t.entity = "repos/" + strings.Join(parts, "/")
	default:
		return target{}, fmt.Errorf("'%s' should point to an org or repository.", raw)
	}
	return t, nil
}

// configure registers the runner and writes its local configuration in the
// real order: key, server, credentials, settings. A crash in between leaves
// just what it would leave there.
func configure(ctx context.Context, root string, in inputs, t *trace) error {
	if in.flags["generateserviceconfig"] {
		return regenerate(root)
	}
	if configured(root) {
		return errors.New(alreadyConfigured)
	}
	where, err := parseTarget(in.values["url"])
	if err != nil {
		return err
	}
	if in.values["token"] == "" {
		return errors.New("Invalid configuration provided for token. Terminating unattended configuration.")
	}
	labels, err := labelsOf(in)
	if err != nil {
		return err
	}
	c, err := authorize(ctx, where, in.values["token"], "register", t)
	if err != nil {
		return err
	}
	t.say("√ Connected to GitHub")
	group, err := pickGroup(ctx, c, where, in.values["runnergroup"])
	if err != nil {
		return err
	}
	return register(ctx, root, in, t, c, where, group, labels)
}

func regenerate(root string) error {
	settings, err := readSettings(root)
	if err != nil {
		return errors.New("Not configured. Run config.(sh/cmd) to configure the runner.")
	}
	return writeServiceScript(root, settings)
}

// labelsOf lists the default labels and the given ones. One that is too long
// drops all the given ones without a word, as the real validator does.
func labelsOf(in inputs) ([]Label, error) {
	given := in.values["labels"]
	if in.flags["no-default-labels"] && given == "" {
		return nil, errors.New("Disabling default labels via --no-default-labels without specifying --labels is not supported")
	}
	var labels []Label
	if !in.flags["no-default-labels"] {
		arch := map[string]string{"amd64": "X64", "arm64": "ARM64", "arm": "ARM"}[runtime.GOARCH]
		for _, name := range []string{"self-hosted", "Linux", arch} {
			labels = append(labels, Label{name, "System"})
		}
	}
	defaults := len(labels)
	for name := range strings.SplitSeq(given, ",") {
		if len(name) > 256 {
			return labels[:defaults], nil
		}
		if name != "" {
			labels = append(labels, Label{name, "User"})
		}
	}
	return labels, nil
}

// authorize exchanges a registration or removal token for a client that may
// act. A 404 is final; anything else is tried three times.
func authorize(ctx context.Context, where target, token, event string, t *trace) (*client, error) {
	c := &client{auth: "RemoteAuth " + token}
	for try := 1; ; try++ {
		var grant Grant
		_, err := c.call(ctx, "POST", where.api+"actions/runner-registration", GrantRequest{where.url, event}, &grant)
		if err == nil {
			return &client{auth: "Bearer " + grant.Token}, nil
		}
		var refused *statusError
		t.say("%v", err)
		if errors.As(err, &refused) {
			t.say("%s", refused.Body)
			err = fmt.Errorf("Response status code does not indicate success: %d (%s).",
				refused.Status, http.StatusText(refused.Status))
		}
		if try == 3 || (refused != nil && refused.Status == 404) {
			return nil, err
		}
		if !sleep(ctx, time.Duration(100+rand.IntN(400))*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
}

type group struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Default bool   `json:"default"`
}

func pickGroup(ctx context.Context, c *client, where target, name string) (group, error) {
	var list struct {
		Groups []group `json:"runner_groups"`
	}
	if _, err := c.call(ctx, "GET", where.api+where.entity+"/actions/runner-groups", nil, &list); err != nil {
		return group{}, err
	}
	for _, g := range list.Groups {
		if (name == "" && g.Default) || (name != "" && strings.EqualFold(g.Name, name)) {
			return g, nil
		}
	}
	return group{}, fmt.Errorf("Could not find any self-hosted runner group named %q.", name)
}

func register(ctx context.Context, root string, in inputs, t *trace, c *client, where target, g group, labels []Label) error {
	name := in.values["name"]
	if name == "" {
		name, _ = os.Hostname()
	}
	key, err := loadKey(filepath.Join(root, keyFile))
	if err != nil {
		return err
	}
	known, err := findRunner(ctx, c, where, name)
	if err != nil {
		return err
	}
	if known != 0 && !in.flags["replace"] {
		return fmt.Errorf("A runner exists with the same name %s.", name)
	}
	var done Registered
	_, err = c.call(ctx, "POST", where.api+"actions/runners/register", RegisterRequest{
		URL: where.url, GroupID: g.ID, Name: name, Version: version(root), Labels: labels,
		UpdatesDisabled: in.flags["disableupdate"], Ephemeral: in.flags["ephemeral"],
		PublicKey: publicPEM(key), RunnerID: known, Replace: known != 0,
	}, &done)
	if err != nil {
		return err
	}
	if known != 0 {
		t.say("√ Successfully replaced the runner")
	} else {
		t.say("√ Runner successfully added")
	}
	t.say("√ Runner connection is good")
	return save(root, in, t, where, g, done)
}

func findRunner(ctx context.Context, c *client, where target, name string) (int64, error) {
	var list struct {
		Runners []struct {
			ID   int64  `json:"id"`
			Name string `json:"name"`
		} `json:"runners"`
	}
	address := where.api + where.entity + "/actions/runners?name=" + url.QueryEscape(name)
	if _, err := c.call(ctx, "GET", address, nil, &list); err != nil {
		return 0, err
	}
	for _, r := range list.Runners {
		if strings.EqualFold(r.Name, name) {
			return r.ID, nil
		}
	}
	return 0, nil
}

func save(root string, in inputs, t *trace, where target, g group, done Registered) error {
	credentials := Credentials{Scheme: "OAuth", Data: map[string]string{
		"clientId": done.Authorization.ClientID, "authorizationUrl": done.Authorization.AuthorizationURL,
		"requireFipsCryptography": "True",
	}}
	if err := writeJSON(filepath.Join(root, credentialsFile), credentials, 0o644); err != nil {
		return err
	}
	work := in.values["work"]
	if work == "" {
		work = "_work"
	}
	settings := Settings{
		AgentID: done.ID, AgentName: done.Name, PoolID: g.ID, PoolName: g.Name,
		DisableUpdate: in.flags["disableupdate"], Ephemeral: in.flags["ephemeral"],
		ServerURL: done.Authorization.ServerURL, GitHubURL: where.url, WorkFolder: work,
		UseV2Flow: true, ServerURLV2: done.Authorization.ServerURL,
	}
	if !where.hosted {
		settings.IsHosted = new(bool)
	}
	if err := writeJSON(filepath.Join(root, settingsFile), settings, 0o644); err != nil {
		return err
	}
	t.say("√ Settings Saved.")
	return writeServiceScript(root, settings)
}

// sleep waits for d and says whether it was allowed to.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
