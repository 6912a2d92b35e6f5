package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const alreadyConfigured = "Cannot configure the runner because it is already configured. " +
	"To reconfigure the runner, run 'config.cmd remove' or './config.sh remove' first."

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
