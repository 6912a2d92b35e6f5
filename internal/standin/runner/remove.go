package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// remove takes the registration back, or with --local only deletes the local
// configuration. A registration that is gone at the server is a failure which
// keeps the files.
func remove(ctx context.Context, root string, in inputs, t *trace) error {
	if in.flags["local"] {
		for _, name := range localFiles {
			if exists(filepath.Join(root, name)) {
				t.say("√ Removed %s", name)
			}
		}
		wipe(root)
		return nil
	}
	if exists(filepath.Join(root, ".service")) {
		t.fail("Failed: Removing service")
		return errors.New("Uninstall service first")
	}
	settings, err := readSettings(root)
	if err != nil {
		t.say("Cannot connect to server, because config files are missing. Skipping removing runner from the server.")
		wipe(root)
		return nil
	}
	if err := removeFromServer(ctx, in, t, settings); err != nil {
		t.fail("Failed: Removing runner from the server")
		return err
	}
	t.say("√ Runner removed successfully")
	os.Remove(filepath.Join(root, keyFile))
	for _, name := range []string{credentialsFile, settingsFile} {
		os.Remove(filepath.Join(root, name))
		t.say("√ Removed %s", name)
	}
	wipe(root)
	return nil
}

func removeFromServer(ctx context.Context, in inputs, t *trace, settings Settings) error {
	where, err := parseTarget(settings.GitHubURL)
	if err != nil {
		return err
	}
	c, err := authorize(ctx, where, in.values["token"], "remove", t)
	if err != nil {
		return err
	}
	address := fmt.Sprintf("%s%s/actions/runners/%d", where.api, where.entity, settings.AgentID)
	_, err = c.call(ctx, "DELETE", address, nil, nil)
	return err
}
