package resources

import (
	"errors"
	"fmt"
	"strings"

	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// obstacle says why registering would be refused, before anything is touched.
func (c *Config) obstacle(v *view, changes []reconcile.Change) error {
	switch {
	case c.Offline:
		return errors.New("cannot register the runner: --offline forbids talking to GitHub; run again without it")
	case c.Unattended && !v.gone:
		return fmt.Errorf("cannot register the runner anew without a person: %s; run `benchctl apply` by hand", wordy(changes))
	case c.Token == "" && c.GitHub == nil:
		return fmt.Errorf("cannot register the runner: there are no credentials; set GITHUB_TOKEN, or GH_RUNNER_TOKEN with the token from %s/new", c.page())
	case c.Token == "" && v.blind != nil:
		return fmt.Errorf("cannot register the runner: %w", v.failed)
	case v.namesake != nil && !c.ours(v) && !c.TakeOver:
		return fmt.Errorf("cannot register %s at %s: GitHub has %s, which this host did not make; give runner.name another value, delete that runner on %s, or replace it with --take-over",
			c.Name, c.URL.Text, describe(v.namesake), c.page())
	}
	return nil
}

// ours reports whether GitHub's entry of the wanted name is this host's. Names
// are unique within a scope, so an id in `.runner` that is the entry's own
// cannot be a lie that matters.
func (c *Config) ours(v *view) bool {
	switch n := v.namesake; {
	case n == nil:
		return v.record.Ours // nobody could look
	case v.local != nil && sameURL(v.local.URL, c.URL.Text) && n.ID == int64(v.local.ID):
		return true
	case v.record.ID != 0:
		return n.ID == v.record.ID
	default:
		return v.record.Ours && !n.Online()
	}
}

// page is where a person sees the scope's runners.
func (c *Config) page() string {
	base := strings.TrimSuffix(c.URL.Text, "/")
	if c.URL.Scope == spec.Organization {
		base = strings.TrimSuffix(base, c.URL.Owner) + "organizations/" + c.URL.Owner
	}
	return base + "/settings/actions/runners"
}

// wordy lists changes in a sentence.
func wordy(changes []reconcile.Change) string {
	var parts []string
	for _, c := range changes {
		parts = append(parts, fmt.Sprintf("%s is %s, not %s", c.Field, c.Have, c.Want))
	}
	return strings.Join(parts, ", ")
}
