package resources

import (
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A pasted token that GitHub refuses does not cost the registration that was
// there: config.sh fails before anything is registered, and the old files are
// put back as they were.
func TestAnExpiredTokenCostsNothing(t *testing.T) {
	t.Parallel()
	for said, back := range map[string]bool{
		"Http response code: NotFound from 'POST https://api.github.com/actions/runner-registration'": true,
		"Name or service not known":           true,
		"A runner exists with the same name.": false,
		"something else":                      false,
	} {
		b := inStep(t)
		b.Config.GitHub, b.Token, b.Name = nil, configCanary, "box-renamed"
		before := b.Text(configDir + "/.runner")
		real := b.OnRun
		b.OnRun = func(cmd host.Command) (host.Output, error) {
			if slices.Contains(cmd.Argv, "remove") {
				return real(cmd)
			}
			return fails(cmd, said)
		}
		if err := b.Apply(t.Context(), b.Machine); err == nil || strings.Contains(err.Error(), configCanary) {
			t.Fatalf("%q: %v", said, err)
		}
		if after := b.Text(configDir + "/.runner"); (after == before) != back {
			t.Errorf("%q: the registration is back: %v, want %v", said, after == before, back)
		}
	}
}
