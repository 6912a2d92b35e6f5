package resources

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// TestTarballAgainstItsUser tries, as the runner's user, what a job could.
func TestTarballAgainstItsUser(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	if err := m.Mkdir("/var/lib/gha", host.Perm{Mode: homeMode, GID: runnerUID}); err != nil {
		t.Fatal(err)
	}
	mustApply(t, m, tb)
	for _, name := range []string{".path", ".env", ".service"} {
		m.WriteFile(runnerDir+"/"+name, "root's\n")
	}
	// The directory that holds a test's directories is closed to others.
	if err := os.Chmod(filepath.Dir(m.Root), 0o755); err != nil {
		t.Fatal(err)
	}
	try := func(script string) error {
		sh := exec.Command("/bin/sh", "-ec", script)
		sh.Dir = m.Path(runnerDir)
		sh.Env = []string{"PATH=/usr/bin:/bin"}
		sh.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: runnerUID, Gid: runnerUID}}
		return sh.Run()
	}
	if try("test -x bin/Runner.Listener") != nil {
		t.Skipf("uid %d cannot reach %s, so it cannot try anything", runnerUID, os.TempDir())
	}
	for _, allowed := range []string{
		"echo {} > .runner", "mv .runner .runner_migrated", "mkdir -p _work/_temp", "echo log > _diag/Runner.log", "ls bin/",
		"cat run.sh > /dev/null", "ln -s bin svc.sh && rm svc.sh",
	} {
		if err := try(allowed); err != nil {
			t.Errorf("%q: %v", allowed, err)
		}
	}
	for _, forbidden := range []string{
		"mv bin x", "rm bin", "ln -sfn /tmp bin", "mv bin.2.336.0 x", "mv externals x", "mv ../runner ../x", "rm -f .env", "echo x >> .path",
		"mv .service x", "echo x >> run.sh", "mv config.sh x", "echo x > bin/Runner.Listener", "rm -f bin/System.dll", "touch bin/new.dll",
		"chmod 777 .", "rm -f " + manifestName, "echo x >> " + manifestName, "mv runsvc.sh x", "rm -rf externals.2.336.0",
	} {
		if try(forbidden) == nil {
			t.Errorf("%q worked", forbidden)
		}
	}
	if left := mustDiff(t, m, tb); len(left) > 0 {
		t.Errorf("afterwards %+v differs", left)
	}
}

// A diff says the same before the account is there as the apply that makes it.
func TestTarballPlacesAreNamedAlike(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	with := say(mustDiff(t, m, tb))
	m.WriteFile("/etc/passwd", "root:x:0:0::/root:/bin/sh\n")
	m.WriteFile("/etc/group", "root:x:0:\n")
	if without := say(mustDiff(t, m, tb)); without != with || !strings.Contains(with, "installDir: absent -> root:gha 1770; _diag: absent -> gha:gha; ") {
		t.Errorf("without the account: %s\nwith it: %s", without, with)
	}
}
