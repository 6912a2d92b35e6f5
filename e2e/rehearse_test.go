//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A rehearsal is `benchctl rehearse` on this very machine.
type rehearsal struct {
	*exec.Cmd
	mu   sync.Mutex
	said bytes.Buffer
}

// Write hears what it says, and lets others read meanwhile.
func (r *rehearsal) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(p)
}

func (r *rehearsal) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

// newRehearsal prepares one of a spec in a file.
func newRehearsal(t *testing.T, file string, args ...string) *rehearsal {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	r := &rehearsal{Cmd: exec.Command(path, append([]string{"rehearse", "-f", file}, args...)...)}
	r.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/root"}
	r.Stdout, r.Stderr = r, r
	return r
}

// ends waits for the end of a rehearsal and wants an exit code.
func (r *rehearsal) ends(t *testing.T, code int) string {
	t.Helper()
	err := r.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := r.ProcessState.ExitCode(); got != code {
		t.Fatalf("it ended with %d, want %d\n%s", got, code, r.text())
	}
	return r.text()
}

// begin starts a rehearsal.
func (r *rehearsal) begin(t *testing.T) *rehearsal {
	t.Helper()
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Process.Kill() })
	return r
}

// awaits waits until a rehearsal says something.
func (r *rehearsal) awaits(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for !strings.Contains(r.text(), text) {
		select {
		case <-ctx.Done():
			t.Fatalf("it never said %q\n%s", text, r.text())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// specFile writes a spec for a rehearsal.
func specFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runner.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// leavesNoTrace compares this machine before and after: mounts, files of /etc
// and of dpkg, control groups and what lies about in /run and /tmp.
func leavesNoTrace(t *testing.T) (check func(r *rehearsal)) {
	t.Helper()
	before := traces(t)
	return func(r *rehearsal) {
		t.Helper()
		after := traces(t)
		for path, was := range before {
			if after[path] != was {
				t.Errorf("%s is %q after the rehearsal, and was %q", path, after[path], was)
			}
		}
		for path, is := range after {
			if _, was := before[path]; !was {
				t.Errorf("%s (%s) came with the rehearsal", path, is)
			}
		}
		// With their control groups, all of its processes are gone.
		for _, pattern := range []string{"/sys/fs/cgroup/benchctl-lab-%d-*", "/sys/fs/cgroup/*/benchctl-lab-%d-*", "/run/benchctl-lab-%d-*", "/var/tmp/benchctl-rehearsal-%d-*"} {
			if left, _ := filepath.Glob(fmt.Sprintf(pattern, r.Process.Pid)); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		}
	}
}

func traces(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		all["mount "+strings.Fields(line)[4]] = ""
	}
	for _, pattern := range []string{"/tmp/benchctl-rehearsal*", "/var/lib/benchctl", "/var/lib/gha-runner"} {
		found, _ := filepath.Glob(pattern)
		for _, path := range found {
			all[path] = ""
		}
	}
	for _, dir := range []string{"/etc", "/var/lib/dpkg"} {
		if err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !strings.HasPrefix(path, "/etc/benchctl-e2e-") { // a test's, perhaps of another process
				all[path], err = traceOf(path, entry)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// traceOf is a file's type, mode and contents.
func traceOf(path string, entry fs.DirEntry) (string, error) {
	info, err := entry.Info()
	if err != nil || !info.Mode().IsRegular() {
		return info.Mode().String(), err
	}
	data, err := os.ReadFile(path)
	return fmt.Sprintf("%v %x", info.Mode(), sha256.Sum256(data)), err
}

// canary is this process's own: another may rehearse at the same time.
var canary = fmt.Sprintf("CANARY-%d", os.Getpid())

// plant puts secrets on this machine for the time of a test: a token in /etc,
// and another runner's registration in /opt.
func plant(t *testing.T) (token, runner string) {
	t.Helper()
	token = fmt.Sprintf("/etc/benchctl-e2e-%d", os.Getpid())
	runner = fmt.Sprintf("/opt/benchctl-e2e-%d/runner", os.Getpid())
	t.Cleanup(func() {
		if err := errors.Join(os.Remove(token), os.RemoveAll(filepath.Dir(runner))); err != nil {
			t.Error(err)
		}
	})
	if err := os.MkdirAll(runner+"/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{
		token: 0o600, runner + "/.runner": 0o644, runner + "/.credentials": 0o644, runner + "/.credentials_rsaparams": 0o600, runner + "/run.sh": 0o755,
	} {
		if err := os.WriteFile(path, []byte(canary+"\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	return token, runner
}

// looks is what a person types into a rehearsal's shell. Every line of what it
// finds begins with "look".
const looks = `
say() { echo "look $*"; }
say token "$(cat TOKEN 2>&1 | grep -c CANARY)"
say runner "$(cd RUNNER && ls -A | tr '\n' ' ')"
say anywhere "$(grep -rlsI CANARY /etc /opt /root /home /srv /var/lib /usr/local | tr '\n' ' ')"
say hashes "$(cut -d: -f2 /etc/shadow /etc/gshadow | grep -c '\$[0-9a-z]*\$.')"
for name in github.com api.github.com; do say "$name" "$(getent hosts $name | cut -d' ' -f1 | sort -u | tr '\n' ' ')"; done
for name in debian.org example.com; do say "$name" "$(getent hosts $name)"; done
say routes "$(tail -n +2 /proc/net/route | wc -l)"
timeout 5 bash -c 'exec 3<>/dev/tcp/1.1.1.1/443' 2>/dev/null; say public $?
ask() { exec 3<>/dev/tcp/127.0.0.1/3142; printf "$1 HTTP/1.0\r\n\r\n" >&3; head -1 <&3 | tr -d '\r'; exec 3>&-; }
say proxy "$(ask 'GET http://example.com/')"
say tunnel "$(ask 'CONNECT github.com:443')"
say services "$(systemctl list-units --type=service --state=running --no-legend --plain | cut -d' ' -f1 | tr '\n' ' ')"
say seccomp "$(grep Seccomp: /proc/self/status)"
`

// TestRehearse is the README's first command, and a look around in the copy.
func TestRehearse(t *testing.T) {
	token, runner := plant(t)
	check := leavesNoTrace(t)
	r := newRehearsal(t, "../examples/skainet.yaml", "--shell")
	r.Stdin = strings.NewReader(strings.NewReplacer("TOKEN", token, "RUNNER", runner, "CANARY", canary).Replace(looks))
	out := r.begin(t).ends(t, 0)
	check(r)
	t.Log(out)

	rest := out
	for _, want := range []string{
		"STAND-IN: GitHub, and the runner 2.336.0", "The copy is up (",
		"# What differs on this machine", "11 to change", "# Make it so", "service: starting actions.runner.", "agent: starting benchctl.service", "11 changed",
		"# Now nothing differs", "13 in step", "13 in step", "# While a job runs", "Deferred: a job is running", "The job ended: Succeeded.",
		"# Drift: Somebody loosens", "NoNewPrivileges  no -> yes", "13 in step", "# Drift: A power daemon", "policy0  powersave -> performance", "13 in step",
		"# Drift: A script empties", ".path  /usr/bin -> ", "13 in step",
		"# The agent mends", "hooks changed: /usr/local/lib/benchctl/job-completed.sh: absent -> present, drifted since ", "13 in step",
		"Everything went as it should.", "The copy is gone",
	} {
		var found bool
		if _, rest, found = strings.Cut(rest, want); !found {
			t.Errorf("%q is not there, or not in its place", want)
		}
	}
	if n := len(regexp.MustCompile(`(?m)^\([0-9.]+ s\)$`).FindAllString(out, -1)); n != 16 {
		t.Errorf("%d times it said how long something took, want 16", n)
	}
	for name, want := range map[string]string{
		"token": "0", "runner": "bin run.sh", "anywhere": runner + "/run.sh", "hashes": "0",
		"github.com": "127.0.0.1", "api.github.com": "127.0.0.1", "debian.org": "", "example.com": "",
		"routes": "0", "public": "1", "proxy": "HTTP/1.0 403 Forbidden", "tunnel": "HTTP/1.0 403 Forbidden", "seccomp": "Seccomp: 2",
	} {
		if got := strings.Join(strings.Fields(look(t, out, name)), " "); got != want {
			t.Errorf("in the copy, %s is %q, want %q", name, got, want)
		}
	}
	expected := regexp.MustCompile(`^(dbus(-broker)?|systemd-journald|actions\.runner\..*|benchctl(-relay)?|run-.*)\.service$`)
	for _, unit := range strings.Fields(look(t, out, "services")) {
		if !expected.MatchString(unit) {
			t.Errorf("%s of this machine runs in the copy", unit)
		}
	}
}

// look is what the shell found.
func look(t *testing.T, out, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^look ` + regexp.QuoteMeta(name) + `(.*)$`).FindStringSubmatch(out)
	if m == nil {
		t.Errorf("the shell did not look at %s", name)
		return ""
	}
	return m[1]
}

// The real runner is fetched, tried and thrown away; the copy runs the
// stand-in's all the same.
func TestRehearseRealDownloads(t *testing.T) {
	check := leavesNoTrace(t)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	hub, err := standin.Start(standin.Options{}) // on this machine's loopback, in the place of a mirror
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	archive, err := standin.RunnerArchive(standin.ArchiveOptions{Version: "2.335.0", Binary: path, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.PublishRunner("2.335.0", archive); err != nil {
		t.Fatal(err)
	}
	url := hub.URL() + "/actions/runner/releases/download/v2.335.0/actions-runner-linux-x64-2.335.0.tar.gz"
	real := func(sum string) string {
		return specFile(t, strings.Replace(plainSpec, `version: "`+runnerPin+`"`, `version: "2.335.0"
  archive: `+url+`
  sha256: `+sum, 1))
	}
	out := newRehearsal(t, real(archive.SHA256), "--real-downloads").begin(t).ends(t, 0)
	t.Log(out)
	for _, want := range []string{"REAL: runner 2.335.0 from " + url, "sha256 " + archive.SHA256 + " as it must be", "STAND-IN: GitHub, and the runner 2.335.0",
		"the copy runs the stand-in's", "Everything went as it should."} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not there\n%s", want, out)
		}
	}
	r := newRehearsal(t, real(strings.Repeat("0", 64)), "--real-downloads").begin(t)
	if out := r.ends(t, 1); !strings.Contains(out, "it has sha256 "+archive.SHA256) || strings.Contains(out, "# Make it so") {
		t.Errorf("a wrong runner was not refused\n%s", out)
	}
	check(r)
}

// The agent runs in the copy, with credentials that open the stand-in alone.
func TestRehearseTheAgent(t *testing.T) {
	check := leavesNoTrace(t)
	text := plainSpec + "schedule: '* * * * *'\ngithub: {tokenFile: /etc/benchctl/token}\n"
	r := newRehearsal(t, specFile(t, text), "--shell")
	r.Stdin = strings.NewReader(`systemctl show -P ActiveState -P StatusText benchctl.service`)
	out := r.begin(t).ends(t, 0)
	check(r)
	for _, want := range []string{"STAND-IN: the credentials", "SIMULATED: the agent runs", "agent: starting benchctl.service", "Everything went as it should.", "\nactive\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not there\n%s", want, out)
		}
	}
}

// An account that is there already is used as it is.
func TestRehearseWithAnExistingAccount(t *testing.T) {
	check := leavesNoTrace(t)
	r := newRehearsal(t, specFile(t, strings.NewReplacer(
		"user: gha-runner", "user: {name: backup, existing: true, home: /var/backups}", "governor: performance\n", "").Replace(plainSpec)))
	out := r.begin(t).ends(t, 0)
	check(r)
	if !strings.Contains(out, "# Drift: Somebody edits a hook") || strings.Contains(out, "usermod") {
		t.Errorf("the account is not left alone\n%s", out)
	}
}

func TestRehearseAFaultySpec(t *testing.T) {
	check := leavesNoTrace(t)
	r := newRehearsal(t, specFile(t, strings.Replace(plainSpec, "performance", "nonsense", 1)))
	out := r.begin(t).ends(t, 1)
	check(r)
	for _, want := range []string{"policy0 offers only", "benchctl diff ended with 1; 2 was to be expected.", "The copy is gone"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not there\n%s", want, out)
		}
	}
}

func TestRehearseIsInterrupted(t *testing.T) {
	for name, at := range map[string]string{"booting": "Booting the copy", "in the apply": "# Make it so", "in a download": "config: registering"} {
		t.Run(name, func(t *testing.T) {
			check := leavesNoTrace(t)
			r := newRehearsal(t, specFile(t, plainSpec)).begin(t)
			r.awaits(t, at)
			if err := r.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			out := r.ends(t, 1)
			check(r)
			if !strings.Contains(out, "benchctl: the rehearsal was interrupted") {
				t.Errorf("it does not say why it ended\n%s", out)
			}
		})
	}
}

// A job comes first: no rehearsal begins beside one, and one that is under way
// ends.
func TestRehearseGivesWayToAJob(t *testing.T) {
	home := fmt.Sprintf("/var/lib/benchctl-e2e-%d", os.Getpid())
	worker := home + "/actions-runner/bin.1/Runner.Worker"
	t.Cleanup(func() {
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	if err := os.MkdirAll(filepath.Dir(worker), 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, "/bin/sleep", worker)
	file := specFile(t, strings.Replace(plainSpec, "user: gha-runner", "user: {name: gha-runner, home: "+home+"}", 1))
	check := leavesNoTrace(t)

	r := newRehearsal(t, file).begin(t)
	r.awaits(t, "# Make it so")
	job := exec.Command(worker, "600")
	if err := job.Start(); err != nil {
		t.Fatal(err)
	}
	defer job.Wait()
	defer job.Process.Kill()
	if out := r.ends(t, 3); !strings.Contains(out, "benchctl: deferred: a job is running (Runner.Worker, process ") || !strings.Contains(out, "gave way") {
		t.Errorf("it does not say why it ended\n%s", out)
	}
	check(r)

	r = newRehearsal(t, file).begin(t)
	if out := r.ends(t, 3); strings.Contains(out, "copy") || !strings.Contains(out, "deferred: a job is running") {
		t.Errorf("a rehearsal began beside a job\n%s", out)
	}
	check(r)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
}

// Where it cannot work, it says why and what to do.
func TestRehearseRefuses(t *testing.T) {
	t.Run("without root", func(t *testing.T) {
		file := specFile(t, plainSpec)
		if err := os.Chmod(filepath.Dir(filepath.Dir(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		r := newRehearsal(t, file)
		r.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		wantRefusal(t, r.begin(t).ends(t, 1), "cannot rehearse: booting a copy of this machine takes root; run it with sudo")
	})
	t.Run("without systemd-nspawn", func(t *testing.T) {
		path := t.TempDir()
		for _, program := range []string{"unshare", "nsenter"} {
			if err := os.Symlink("/usr/bin/"+program, filepath.Join(path, program)); err != nil {
				t.Fatal(err)
			}
		}
		r := newRehearsal(t, specFile(t, plainSpec))
		r.Env = []string{"PATH=" + path}
		wantRefusal(t, r.begin(t).ends(t, 1), "run apt-get install systemd-container")
	})
	t.Run("in a container", func(t *testing.T) {
		w := newWorld(t, lab.Debian12)
		w.spec(plainSpec)
		wantRefusal(t, w.benchctl(1, "rehearse").Stderr, "cannot rehearse inside a container (systemd-nspawn): ")
	})
}

func wantRefusal(t *testing.T, said, want string) {
	t.Helper()
	if !strings.Contains(said, want) || strings.Count(said, "\n") != 1 {
		t.Errorf("it says %q, want one line with %q", said, want)
	}
}
