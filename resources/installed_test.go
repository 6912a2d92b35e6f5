package resources

import (
	"os"
	"slices"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
)

func TestInstalledNeedsNoSpec(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a unit file that belongs to root takes root")
	}
	m, s := newLaneHost(t), laneSpec()
	m.WriteFile("/etc/passwd", s.User.Name+":x:998:997::/var/lib/gha-runner:/usr/sbin/nologin\n")
	if got := Installed(m); got != nil {
		t.Errorf("before the first apply: %+v", got)
	}
	s.InstallDir = "/srv/100% mine"
	text, err := newLaunch(s).unit(m, "r")
	if err != nil {
		t.Fatal(err)
	}
	m.WriteFile(unitDir+"/"+laneUnit, text)
	m.WriteFile(unitDir+"/actions.runner.octo.by-hand.service", "[Service]\nWorkingDirectory=/srv/by-hand\n")
	want := []jobs.Runner{Runner(m, s)}
	if got := Installed(m); !slices.Equal(got, want) || want[0].Dir != s.InstallDir || want[0].UID <= 0 {
		t.Errorf("by its unit: %+v, want %+v", got, want)
	}
	// A masked unit, and then one that is gone.
	if err := os.Remove(m.Path(unitDir + "/" + laneUnit)); err != nil {
		t.Fatal(err)
	}
	compiled, err := (&expect.Expected{Schema: expect.Schema, Runner: expect.Runner{User: s.User.Name, Unit: laneUnit, Dir: s.InstallDir}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.WriteFile(expect.Kept, string(compiled))
	if err := os.Symlink("/dev/null", m.Path(unitDir+"/"+laneUnit)); err != nil {
		t.Fatal(err)
	}
	if got := Installed(m); !slices.Equal(got, want) {
		t.Errorf("by what was compiled: %+v, want %+v", got, want)
	}
}
