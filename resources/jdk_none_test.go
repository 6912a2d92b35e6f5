package resources

import (
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A spec that no longer asks for a JDK takes back the repository that an
// earlier one brought in, and nothing else.
func TestNoJDKTakesItsRepositoryBack(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	resource := jdkOf(&spec.Spec{}, NewApt())[0]
	if changes, err := resource.Diff(t.Context(), m); len(changes) > 0 || err != nil {
		t.Errorf("a host that never had one: %v, %v", changes, err)
	}
	m.WriteFile(jdkSources, "Types: deb\nURIs: https://packages.example/deb\n")
	m.WriteFile(jdkKeyring, "key")
	changes, err := resource.Diff(t.Context(), m)
	if err != nil || say(changes) != "repository: https://packages.example/deb -> none" {
		t.Errorf("diff says %q, %v", say(changes), err)
	}
	if err := resource.Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if changes, err := resource.Diff(t.Context(), m); len(changes) > 0 || err != nil || m.Text(jdkKeyring) != "" {
		t.Errorf("after apply: %v, %v", changes, err)
	}
}
