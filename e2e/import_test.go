//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// TestImport adopts a runner that was set up as GitHub's page and the operator's
// scripts have it, in the operator's home and under the operator's account, and
// later gives it an account of its own. GitHub sees one and the same runner all
// the while, and no job is lost.
func TestImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.byScript()
	first := w.registered()
	key := w.look("sha256sum </home/ana/actions-runner/.credentials_rsaparams")

	w.benchctl(0, "import", "--write", "/etc/benchctl/runner.yaml")
	found := w.look("cat /etc/benchctl/runner.yaml")
	for _, line := range []string{
		"user: {name: ana, existing: true, home: /home/ana}  # found: User= of " + runnerUnit,
		"url: https://github.com/" + repository, `version: "` + runnerPin + `"`, "autoUpdate: true",
		"labels: [self-hosted, Linux, X64, ", "skainet-bench-linux-x86", "name: " + runnerName, `GOMAXPROCS: "6"`,
	} {
		if !strings.Contains(found, line) {
			t.Errorf("import wrote no %q:\n%s", line, found)
		}
	}
	before := w.differs(t.Context())
	if !slices.Contains(before, "config place of the registration: /home/ana/actions-runner -> /var/lib/ana/actions-runner") {
		t.Errorf("diff says %q", before)
	}
	if again := w.benchctl(1, "import", "--write", "/etc/benchctl/runner.yaml"); !strings.Contains(again.Stderr, "it is there already") {
		t.Errorf("import says %s", again.Stderr)
	}

	// During a job nothing is touched; afterwards the very same runner goes on.
	job := w.lasts(standin.Job{})
	if r := w.apply(3); r.Results[0].Status != reconcile.Deferred {
		t.Errorf("during a job: %+v", r.Results[0])
	}
	job.endsWhenWaitedFor()
	r := w.apply(0, "--wait")
	if j, _ := w.hub.Job(job.id); !j.Over() || j.Lost != "" || j.Result != "Succeeded" {
		t.Errorf("the job: %+v", j)
	}
	t.Logf("adopted: changed %q", changed(r))
	w.adopted(first, key, "/var/lib/ana/actions-runner", "/home/ana/actions-runner", "ana")

	// What import recommends: an account of its own, by one apply.
	text := strings.Replace(found, "user: {name: ana, existing: true, home: /home/ana}", "user: gha-runner", 1)
	text = strings.Replace(text, "installDir: /var/lib/ana/actions-runner", "installDir: "+boxDir, 1)
	w.spec(text)
	job = w.lasts(standin.Job{})
	w.apply(3)
	job.endsWhenWaitedFor()
	w.apply(0, "--wait")
	if j, _ := w.hub.Job(job.id); !j.Over() || j.Lost != "" || j.Result != "Succeeded" {
		t.Errorf("the job: %+v", j)
	}
	w.adopted(first, key, boxDir, "/var/lib/ana/actions-runner", "gha-runner")
}

// TestImportWhereItLies adopts one that lies where only root can swap it, with a
// unit that somebody wrote by hand: it stays there, and one unit starts it.
func TestImportWhereItLies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.byScript()
	w.sh(`cd /home/ana/actions-runner && ./svc.sh stop && ./svc.sh uninstall && mv /home/ana/actions-runner /opt/
		sed 's|{{User}}|ana|; s|{{Description}}|by hand|; s|{{RunnerRoot}}|/opt/actions-runner|' /opt/actions-runner/bin/actions.runner.service.template >/etc/systemd/system/bench.service
		systemctl daemon-reload && systemctl enable --now bench.service`)
	w.runJob("true")
	first := w.registered()
	w.benchctl(0, "import", "--write", "/etc/benchctl/runner.yaml")
	if before := w.differs(t.Context()); !slices.Contains(before, "service other unit of this runner: bench.service -> none") {
		t.Errorf("diff says %q", before)
	}
	job := w.lasts(standin.Job{})
	w.apply(3)
	job.endsWhenWaitedFor()
	w.apply(0, "--wait")
	if j, _ := w.hub.Job(job.id); !j.Over() || j.Lost != "" || j.Result != "Succeeded" {
		t.Errorf("the job: %+v", j)
	}
	w.inStep("adopting the runner where it lies")
	if now := w.registered(); now.ID != first.ID {
		t.Errorf("GitHub has %+v, had %+v", now, first)
	}
	units := w.look("cd /etc/systemd/system && ls | grep -E 'runner|bench[.]'; ls multi-user.target.wants | grep -E 'runner|bench[.]'; cat /opt/actions-runner/.service")
	if want := strings.TrimSpace(strings.Repeat(runnerUnit+"\n", 3)); units != want {
		t.Errorf("the units are %s", units)
	}
	w.runJob("true")
}

// byScript sets a runner up as the operator's script does: unpacked in a home,
// config.sh with the token on its command line, svc.sh.
func (w *world) byScript() {
	w.t.Helper()
	path, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	archive, err := standin.RunnerArchive(standin.ArchiveOptions{Version: runnerPin, Binary: path, Dir: packages})
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := os.ReadFile(archive.Path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("/tmp/runner.tar.gz", string(data), 0o644)
	w.sh(`useradd --create-home --shell /bin/bash ana
		runuser -u ana -- sh -ec 'mkdir ~/actions-runner && cd ~/actions-runner && tar xzf /tmp/runner.tar.gz &&
			GOMAXPROCS=6 ./config.sh --unattended --replace --url https://github.com/` + repository + ` --token ` +
		w.hub.RegistrationToken(standin.Repo(repository)) + ` --name ` + runnerName + ` --labels self-hosted,linux,x86_64,skainet-bench-linux-x86 &&
			echo GOMAXPROCS=6 >>.env'
		cd /home/ana/actions-runner && ./svc.sh install ana && ./svc.sh start`)
	w.runJob("true")
}

// adopted wants the registration that there was in a new place, nothing of it in
// the old one, one unit, and a runner that works.
func (w *world) adopted(first standin.Runner, key, dir, old, user string) {
	w.t.Helper()
	w.inStep("adopting the runner in " + old)
	if r := w.benchctl(0, "apply", "-o", "json"); len(changed(w.parse(r))) > 0 {
		w.t.Errorf("a second apply changes %q", changed(w.parse(r)))
	}
	if now := w.registered(); now.ID != first.ID || !slices.Equal(labels(now), labels(first)) {
		w.t.Errorf("GitHub has %+v, had %+v", now, first)
	}
	if now := w.look("sha256sum <" + dir + "/.credentials_rsaparams"); now != key {
		w.t.Error("the key is another one")
	}
	if left := w.look("ls -A " + old + " | grep -E '^[.](runner|credentials)' || true; ls " + old + "/_work >/dev/null"); left != "" {
		w.t.Errorf("in the old place there is still %s", left)
	}
	if units := w.look("ls /etc/systemd/system/ | grep actions.runner; cat " + dir + "/.service"); units != runnerUnit+"\n"+runnerUnit {
		w.t.Errorf("the units are %s", units)
	}
	if dirs := w.look("systemctl show -P WorkingDirectory -P User " + runnerUnit); dirs != dir+"\n"+user && dirs != user+"\n"+dir {
		w.t.Errorf("the unit has %s", dirs)
	}
	w.runJob("true")
}
