package resources

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/spec"
)

func TestUnitNameFollowsTheRunner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url  spec.URL
		name string
		want string
	}{
		{spec.URL{Scope: spec.Repository, Owner: "octo", Repo: "repo.x"}, "box-bench", "actions.runner.octo-repo.x.box-bench.service"},
		{spec.URL{Scope: spec.Organization, Owner: "octo"}, "box", "actions.runner.octo.box.service"},
		{spec.URL{Scope: spec.Enterprise, Owner: "mega corp"}, "box", "actions.runner.enterprises-mega-corp.box.service"},
	} {
		if got := unitName(c.url, c.name); got != c.want {
			t.Errorf("unitName(%+v, %q) = %q, want %q", c.url, c.name, got, c.want)
		}
	}
}

func TestLongUnitNamesAreCutAlikeEachTime(t *testing.T) {
	t.Parallel()
	long := spec.URL{Scope: spec.Repository, Owner: strings.Repeat("o", 39), Repo: strings.Repeat("r", 100)}
	runner := strings.Repeat("n", 64)
	name := unitName(long, runner)
	if len(name) > longestUnit || name != unitName(long, runner) {
		t.Errorf("%d characters, then %q and %q", len(name), name, unitName(long, runner))
	}
	other := long
	other.Repo = strings.Repeat("r", 99) + "s"
	if unitName(other, runner) == name {
		t.Error("two repositories share a unit name")
	}
}

func TestRunnerNameOutlivesTheHostname(t *testing.T) {
	t.Parallel()
	m, s := newLaneHost(t), laneSpec()
	if got := runnerName(m, s); got != "box-bench" {
		t.Fatalf("the name is %q", got)
	}
	text, err := newLaunch(s).unit(m, "r")
	if err != nil {
		t.Fatal(err)
	}
	m.WriteFile(unitDir+"/"+laneUnit, text)
	m.WriteFile("/proc/sys/kernel/hostname", "renamed\n")
	if got := runnerName(m, s); got != "box-bench" {
		t.Errorf("after the host was renamed, the runner is %q", got)
	}
	s.Runner.Name = "{hostname}-other"
	if got := runnerName(m, s); got != "renamed-other" {
		t.Errorf("after the spec asked for another name, the runner is %q", got)
	}
	s.Runner.Name = "fixed"
	if got := runnerName(m, s); got != "fixed" {
		t.Errorf("a name without {hostname} gives %q", got)
	}
}

func TestRunnerNameFitsGitHub(t *testing.T) {
	t.Parallel()
	m, s := newLaneHost(t), laneSpec()
	m.WriteFile("/proc/sys/kernel/hostname", strings.Repeat("h", 63)+"\n")
	if got := runnerName(m, s); !nameShape.MatchString(got) {
		t.Errorf("the name is %q", got)
	}
	// What someone else's unit says is no name of ours.
	m.WriteFile(unitDir+"/actions.runner.x.y.service", "[Service]\nWorkingDirectory="+laneDir+"\n[X-Benchctl]\nRunner=../../x\nRunnerTemplate={hostname}-bench\n")
	if got := runnerName(m, s); !strings.HasPrefix(got, "hhh") {
		t.Errorf("a hostile record gives %q", got)
	}
}

// Two runners share the knobs, the packages and the hooks, and law 5 knows of
// the jobs of one.
func TestOneRunnerForOneHost(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a unit file that belongs to root takes root")
	}
	m, s := newLaneHost(t), laneSpec()
	text, err := newLaunch(s).unit(m, "r")
	if err != nil {
		t.Fatal(err)
	}
	m.WriteFile(unitDir+"/"+laneUnit, text)
	m.WriteFile(unitDir+"/actions.runner.octo.by-hand.service", "[Service]\nWorkingDirectory=/srv/by-hand\n")
	if err := Rival(m, s); err != nil {
		t.Errorf("its own unit, and one of nobody's: %v", err)
	}
	renamed, moved, other := laneSpec(), laneSpec(), laneSpec()
	renamed.Runner.Name = "another"
	moved.InstallDir = "/srv/elsewhere"
	other.Runner.Name, other.InstallDir = "another", "/srv/elsewhere"
	if err := errors.Join(Rival(m, renamed), Rival(m, moved)); err != nil {
		t.Errorf("one runner with another name or in another place: %v", err)
	}
	err = Rival(m, other)
	if err == nil || !strings.Contains(err.Error(), "box-bench in "+s.InstallDir) || !strings.Contains(err.Error(), "benchctl remove") {
		t.Errorf("another runner: %v", err)
	}
}
