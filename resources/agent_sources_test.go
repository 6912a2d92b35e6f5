package resources

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// fleet is a spec of which some is fetched, and some is this host's.
var fleet = []string{"github.com/octo/bench-hosts/base.yaml@main", "https://specs.example:8443/lane.yaml?ref=50%25", "/etc/benchctl/box 7.yaml"}

// An agent that fetches its spec is told where from, gets there, and keeps no
// copy in the usual place. What the operator had there is kept aside.
func TestAgentThatFetches(t *testing.T) {
	t.Parallel()
	m, a := newAgentHost(t, asItIs)
	m.WriteFile(fleet[2], "gate: fail\n")
	before, _ := a.revision(m)
	a.sources = fleet
	var fields []string
	for _, c := range diffOf(t, m, a) {
		fields = append(fields, c.Field)
		if !c.Asked {
			t.Errorf("%s would be called drift, though a person named other files", c.Field)
		}
	}
	for _, want := range []string{specFile, agentUnit + " [Service] ExecStart", agentUnit + " [X-Benchctl] Source", applyUnit + " [Service] ExecStart", relayUnit + " [Service] ExecStart"} {
		if !slices.Contains(fields, want) {
			t.Errorf("the diff %q lacks %s", fields, want)
		}
	}
	settle(t, m, a)
	const files = ` -f github.com/octo/bench-hosts/base.yaml@main -f "https://specs.example:8443/lane.yaml?ref=50%%25" -f "/etc/benchctl/box 7.yaml"` + "\n"
	for unit, verb := range map[string]string{agentUnit: " agent", applyUnit: " apply --unattended"} {
		if !strings.Contains(m.Text(unitDir+"/"+unit), "ExecStart="+installedBinary+verb+files) {
			t.Errorf("%s is\n%s", unit, m.Text(unitDir+"/"+unit))
		}
	}
	if !strings.Contains(m.Text(unitDir+"/"+relayUnit), " specs.example:8443") {
		t.Errorf("the relay is\n%s", m.Text(unitDir+"/"+relayUnit))
	}
	if got := AgentSources(m); !slices.Equal(got, fleet) {
		t.Errorf("the sources are %q", got)
	}
	if a.named(m) {
		t.Error("the agent is taken to read other files than it does")
	}
	if after, _ := a.revision(m); after == before {
		t.Error("an agent with other files would go on with the old ones")
	}
	if kept := m.Text(asideDir + specFile); kept != "version: 1\n" {
		t.Errorf("the operator's spec is %q", kept)
	}
}

// What benchctl itself had copied to the usual place goes without a trace, and
// comes when the spec is this host's own again.
func TestAgentThatFetchesLeavesNoCopy(t *testing.T) {
	t.Parallel()
	m, a := newAgentHost(t, asItIs)
	a.spec.File, a.spec.Text = "/root/mine.yaml", []byte("version: 1\nuser: a\n")
	settle(t, m, a)
	there := a
	there.sources = fleet[:1]
	settle(t, m, there)
	settle(t, m, a)
	settle(t, m, there)
	if _, err := m.Lstat(specFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
	if _, err := m.Lstat(asideDir + specFile + ".1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a copy was kept aside: %v", err)
	}
	// A pass leaves alone what somebody is about to apply.
	m.WriteFile(specFile, "version: 1\n")
	there.unattended = true
	if changes := diffOf(t, m, there); changes != nil {
		t.Errorf("a pass wants %+v", changes)
	}
}

// Whoever writes a file that the agent reads is root.
func TestAgentReadsWhatIsRoots(t *testing.T) {
	t.Parallel()
	m, a := newAgentHost(t, asItIs)
	a.sources = fleet
	m.WriteFile(fleet[2], "gate: fail\n")
	wants := func(want string) {
		t.Helper()
		if _, err := a.Diff(t.Context(), m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v", err)
		}
	}
	if err := os.Chown(m.Path(fleet[2]), 1000, 1000); err != nil {
		t.Fatal(err)
	}
	wants("cannot have the agent read /etc/benchctl/box 7.yaml: /etc/benchctl/box 7.yaml belongs to uid 1000")
	a.sources = []string{fleet[0], "/home/ana/box.yaml"}
	m.WriteFile("/home/ana/box.yaml", "gate: fail\n")
	if err := os.Chown(m.Path("/home/ana"), 1000, 1000); err != nil {
		t.Fatal(err)
	}
	wants("/home/ana belongs to uid 1000, who could swap what lies there; give it to root")
	a.sources = []string{"https://specs.example/a\nExecStart=/bin/true"}
	wants("the name holds control characters")
}

// With the agent go the copies of what it fetched.
func TestNoAgentLeavesNoCopies(t *testing.T) {
	t.Parallel()
	needRootForOwners(t)
	m := newLaneHost(t)
	laneSystemd(m)
	m.WriteFile(copiesDir+"/0123.json", "{}")
	copied := func(c reconcile.Change) bool { return c.Field == copiesDir+"/0123.json" && c.Want == "absent" }
	if changes := diffOf(t, m, noAgent{}); !slices.ContainsFunc(changes, copied) {
		t.Errorf("changes %+v", changes)
	}
	settle(t, m, noAgent{})
}
