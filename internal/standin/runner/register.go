package runner

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

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
