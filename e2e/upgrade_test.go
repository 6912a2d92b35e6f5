//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// A version that cannot be had leaves the runner up, and one that can be had
// takes its place.
func TestANewVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.benchctl(0, "apply")
	invocation := w.unitState("InvocationID")

	const next = "2.337.0"
	w.publish("2.335.0", "")
	newer := at(next)
	for _, bad := range []struct{ what, spec string }{
		{"a version that there is not", newer},
		{"a wrong digest", strings.Replace(plainSpec, "version: \""+runnerPin, "sha256: "+strings.Repeat("0", 64)+"\n  version: \"2.335.0", 1)},
		{"a Java that there is not", strings.Replace(plainSpec, "governor:", "jdk: 99\ngovernor:", 1)},
	} {
		w.spec(bad.spec)
		w.benchctl(1, "apply", "--yes")
		if got := w.unitState("InvocationID"); got != invocation || w.unitState("ActiveState") != "active" {
			t.Errorf("%s stopped the service", bad.what)
		}
	}
	w.publish(next, "")
	w.spec(newer)
	w.benchctl(0, "apply", "--yes")
	w.benchctl(0, "diff")
	w.runsVersion(next)
	// The hooks are not the runner's to lose, and know the new revision.
	w.wantJob(w.job(""), "Succeeded", []string{"  in step      service    revision *"}, nil)

	// The version before is still there: back again nothing is fetched.
	w.hub.ForgetRequests()
	w.spec(plainSpec)
	w.benchctl(0, "apply", "--yes")
	w.benchctl(0, "diff", "--only", "tarball")
	w.runsVersion(runnerPin)
	if got := w.downloads(); len(got) != 0 {
		t.Errorf("the version before was fetched again: %v", got)
	}
}

// at is plainSpec with another version.
func at(version string) string { return strings.Replace(plainSpec, runnerPin, version, 1) }

// runsVersion wants that version installed, and its Listener online.
func (w *world) runsVersion(version string) {
	w.t.Helper()
	if got := w.look("readlink " + boxDir + "/bin"); got != "bin."+version {
		w.t.Errorf("bin leads to %s, want %s", got, version)
	}
	r, _ := w.hub.Runner(standin.Repo(repository), runnerName)
	if online := w.hub.Online(r.Scope, r.Name); !online || r.Version != version {
		w.t.Errorf("GitHub sees %s, online: %v; want %s", r.Version, online, version)
	}
}

// A version that never listens, in whatever way, gives way to the one before:
// the apply fails and says why, the host is what it was, a job that comes
// meanwhile is not lost, and nobody tries that version again by himself.
func TestAVersionThatNeverListens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.benchctl(0, "apply")
	w.waitJob(w.hub.Enqueue(standin.Job{}), over) // which makes its work directory
	w.fallBehind("systemd-journal")               // and loses nobody's last words
	before := w.kept()
	for i, bad := range []struct {
		defect runner.Defect
		says   string
	}{
		{runner.Exits, `Unhandled exception. System.TypeInitializationException: \x1b[31mno such thing\x1b[0m`},
		{runner.Quits, "is deprecated and cannot receive messages.; runner 2.336.0 is back and listens; set a newer runner.version in the spec"},
		{runner.Hangs, "it does not listen after 8s"},
		{runner.Mute, "it does not listen after 8s"},
		{"", "is deprecated and cannot receive messages."}, // GitHub refuses it
	} {
		version := fmt.Sprintf("2.337.%d", i)
		w.publish(version, bad.defect)
		if bad.defect == "" {
			w.hub.RefuseVersion(version)
		}
		w.spec(at(version))
		begun := time.Now()
		r, job := w.upgradeMeetsAJob(version)
		t.Logf("%q: back after %v", bad.defect, time.Since(begun).Round(100*time.Millisecond))
		for _, want := range []string{bad.says, "tarball  failed", "cannot use runner " + version + ": ", "; runner 2.336.0 is back and listens; "} {
			if r.Status != 1 || !strings.Contains(r.Stdout, want) {
				t.Errorf("%q: apply ended with %d and does not say %q\n%s%s", bad.defect, r.Status, want, r.Stdout, r.Stderr)
			}
		}
		w.runsVersion(runnerPin)
		if j := w.waitJob(job, over); j.Result != "Succeeded" || j.Lost != "" {
			t.Errorf("%q: the job that came meanwhile: %+v", bad.defect, j)
		}
		after := w.kept()
		after["/etc/benchctl/runner.yaml"] = before["/etc/benchctl/runner.yaml"]
		delete(after, "/var/lib/benchctl/upgrade.json")
		if differ := before.Changed(after); len(differ) > 0 {
			t.Errorf("%q: the host differs from what it was:\n%s", bad.defect, strings.Join(differ, "\n"))
		}
	}
	invocation := w.unitState("InvocationID")
	r, _ := w.try(0, []string{"apply", "--unattended", "-o", "json"})
	if r.Status != 1 || !strings.Contains(r.Stdout, "withheld: runner 2.337.4 was tried at ") || w.unitState("InvocationID") != invocation {
		t.Errorf("an unattended apply ended with %d\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
	if r := w.benchctl(2, "diff"); !strings.Contains(r.Stderr, "note: runner 2.337.4 was tried at ") || !strings.Contains(r.Stdout, "version  2.336.0 -> 2.337.4\n") {
		t.Errorf("diff says:\n%s%s", r.Stdout, r.Stderr)
	}
}

// upgradeMeetsAJob applies a version with a defect, and queues a job when that
// one takes its place.
func (w *world) upgradeMeetsAJob(version string) (r lab.Result, job string) {
	w.t.Helper()
	var applied sync.WaitGroup
	applied.Go(func() { r, _ = w.try(0, applyYes, "BENCHCTL_PATIENCE=8s") })
	w.look("until grep -qsF '" + version + "' /var/lib/benchctl/upgrade.json; do sleep 0.05; done")
	job = w.hub.Enqueue(standin.Job{})
	applied.Wait()
	return r, job
}

// An upgrade that is killed on its way, or while it is taken back, ends with the
// next pass where it would have ended, and a job that came meanwhile runs. The
// unit tests kill at every instant; these are the places that matter most.
func TestUpgradeKilledOnTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.benchctl(0, "apply")
	const version, patience = "2.338.0", "BENCHCTL_PATIENCE=6s"
	w.publish(version, runner.Hangs)
	for i, kill := range []string{
		"1 start " + runnerUnit,                    // the new version is in place, and the service down
		"2 stop " + runnerUnit,                     // it runs, and does not listen
		"2 replace /var/lib/benchctl/upgrade.json", // it is down again
		"2 symlink " + boxDir + "/bin",             // in the middle of the old version
	} {
		w.spec(at(version) + fmt.Sprintf("# trial %d\n", i))
		r, _ := w.try(0, applyYes, patience, "BENCHCTL_KILL_BEFORE="+kill)
		if r.Status < 128 {
			t.Errorf("not killed before %s: status %d\n%s%s", kill, r.Status, r.Stdout, r.Stderr)
		}
		job := w.hub.Enqueue(standin.Job{})
		r, _ = w.try(0, []string{"apply", "--unattended", "-o", "json"}, patience)
		if r.Status != 1 || strings.Contains(r.Stdout, `"skipped"`) || strings.Count(r.Stdout, `"status": "failed"`) != 1 {
			t.Errorf("killed before %s, the next pass ended with %d:\n%s%s", kill, r.Status, r.Stdout, r.Stderr)
		}
		if j := w.waitJob(job, over); j.Result != "Succeeded" || j.Lost != "" {
			t.Errorf("killed before %s, the job that came meanwhile: %+v", kill, j)
		}
		w.runsVersion(runnerPin)
		if left := w.look("ls -A " + boxDir + " | grep -e staging -e kept -e " + version + " || true"); left != "" {
			t.Errorf("killed before %s, there is %s", kill, left)
		}
	}
}

// publish makes a version of the runner, sound or with a defect, and puts it on
// GitHub.
func (w *world) publish(version string, defect runner.Defect) {
	w.t.Helper()
	path, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	archive, err := standin.RunnerArchive(standin.ArchiveOptions{
		Version: version, Binary: path, Dir: packages, Defect: defect,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.hub.PublishRunner(version, archive); err != nil {
		w.t.Fatal(err)
	}
}
