//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const (
	boxHome = "/var/lib/gha-runner"
	boxDir  = boxHome + "/actions-runner"
	boxWork = boxDir + "/_work"
)

// A tried is something that a job may want to do.
type tried struct {
	name, script string
	// needs are those of which one allows it. nil: it is always allowed; never:
	// not even `containers` allows it.
	needs []string
	// shaky: what `containers` does to it is the host's affair.
	shaky bool
	// unless is a script that says, as root, why this machine cannot tell; it
	// says nothing where it can.
	unless string
}

var never = []string{}

// inTheUnit is what every job is tried on, as the runner's user in its unit.
var inTheUnit = []tried{
	{name: "CoreCLR", script: "DOTNET_CLI_HOME=" + boxWork + " dotnet exec /opt/probes/Probe.dll " + boxWork},
	{name: "Node", script: "node /opt/probes/probe.js " + boxWork},
	{name: "JDK", script: "java -cp /opt/probes Probe " + boxWork},
	{name: "taskset", script: "taskset -c 0 true"},
	{name: "nice and ionice", script: "nice -n 5 ionice -c 3 true"},
	{name: "chrt -b", script: "chrt -b 0 true"},
	{name: "writing where it must", script: "touch " + boxWork + "/x " + boxDir + "/_diag/x " + boxDir + "/x /tmp/x /var/tmp/x /dev/shm/x && rm " + boxDir + "/x"},
	{name: "a pty", script: "script -qec true /dev/null"},
	{name: "names of users", script: "getent passwd gha-runner"},
	{name: "the perf log", script: `echo x >>"$RUNNER_PERFLOG/Runner.perf"`},
	{name: "the gate's file", script: "cat /run/benchctl/expected.json"},
	{name: "the governor", script: "test ! -e /sys/devices/system/cpu/cpufreq/policy0 || cat /sys/devices/system/cpu/cpufreq/policy0/scaling_governor"},

	{name: "perf_event_open", script: "/opt/probes/syscalls perf_event_open", needs: []string{"perf", "containers"}},
	{name: "ptrace", script: "strace -o /dev/null -f true", needs: []string{"ptrace", "containers"}},
	{name: "setarch -R", script: "setarch -R true", needs: []string{"setarch", "containers"}},
	{name: "chrt -f", script: "chrt -f 10 true", needs: []string{"realtime"},
		unless: "prlimit --rtprio=99:99 true 2>&1 || true"},
	{name: "a user namespace", script: "unshare -Ur true", needs: []string{"containers"}},
	{name: "a setuid program", script: `test "$(/usr/local/bin/rootid -u)" = 0`, needs: []string{"containers"}},

	{name: "the token", script: "cat /etc/benchctl/token", needs: never},
	{name: "the state", script: "ls /var/lib/benchctl", needs: never},
	{name: "mv bin", script: "mv " + boxDir + "/bin " + boxDir + "/x", needs: never},
	{name: "mv bin.V", script: "mv " + boxDir + "/bin.2.336.0 " + boxDir + "/x", needs: never},
	{name: "mv installDir", script: "mv " + boxDir + " " + boxHome + "/x", needs: never},
	{name: "mv home", script: "mv " + boxHome + " /var/lib/x", needs: never},
	{name: "rm .env", script: "rm -f " + boxDir + "/.env", needs: never},
	{name: "append to .path", script: "echo /evil >>" + boxDir + "/.path", needs: never},
	{name: "replace runsvc.sh", script: "cp /bin/true " + boxDir + "/x && mv -f " + boxDir + "/x " + boxDir + "/runsvc.sh", needs: never},
	{name: "write a program file", script: "echo x >>" + boxDir + "/bin/Runner.Listener", needs: never},
	{name: "write a hook", script: "echo x >>/usr/local/lib/benchctl/job-started.sh", needs: never},
	{name: "remove the perf log", script: "rm -f $RUNNER_PERFLOG/Runner.perf", needs: never},
	{name: "write /etc", script: "touch /etc/x", needs: never},
	{name: "list the bus", script: "busctl --system list", needs: never},
	{name: "stop a unit", script: "systemctl stop systemd-journald.service", needs: never},
	{name: "systemd-run", script: "systemd-run --wait true", needs: never},
	{name: "systemd-run --user", script: "systemd-run --user --wait true", needs: never},
	{name: "the clock", script: "/opt/probes/syscalls settime", needs: never},
	{name: "the host's name", script: "/opt/probes/syscalls sethostname", needs: never},
	{name: "bpf", script: "/opt/probes/syscalls bpf", needs: never},
	{name: "raw packets", script: "/opt/probes/syscalls packet", needs: never},
	{name: "a kernel knob", script: "echo 0 >/proc/sys/kernel/perf_event_paranoid", needs: never},
	{name: "/dev/kmsg", script: "echo x >/dev/kmsg", needs: never},
	{name: "foreign processes", script: "test -e /proc/1/cmdline", needs: never, shaky: true},
	{name: "a setuid file", script: "cp /bin/true " + boxWork + "/s && chmod u+s " + boxWork + "/s", needs: never, shaky: true},
	{name: "io_uring", script: "/opt/probes/syscalls io_uring", needs: never, shaky: true},
	{name: "userfaultfd", script: "/opt/probes/syscalls userfaultfd", needs: never, shaky: true},
	{name: "keys", script: "/opt/probes/syscalls keyctl", needs: never, shaky: true},
	{name: "vsock", script: "/opt/probes/syscalls vsock", needs: never, shaky: true},
}

// allowed reports whether a job with these needs may do it.
func (c tried) allowed(needs []string) bool {
	return c.needs == nil || slices.ContainsFunc(c.needs, func(n string) bool { return slices.Contains(needs, n) })
}

func TestSandboxHoldsAndLetsWork(t *testing.T) {
	box := newBox(t)
	sets := [][]string{{}, {"perf"}, {"ptrace"}, {"setarch"}, {"realtime"}, {"taskset"}, {"containers"},
		{"perf", "ptrace", "setarch", "realtime", "containers"}}
	for _, needs := range sets {
		t.Run(strings.Join(append([]string{"needs"}, needs...), "+"), func(t *testing.T) {
			unit := box.install(t, needs)
			got := box.try(t, unit)
			for _, c := range inTheUnit {
				if c.shaky && slices.Contains(needs, "containers") {
					continue
				}
				status, tried := got[c.name]
				if !tried {
					t.Errorf("%s was not tried", c.name)
				} else if why := box.cannotTell(t, c); why != "" && c.allowed(needs) {
					t.Logf("%s was NOT TESTED: %s", c.name, why)
				} else if want := c.allowed(needs); (status == "0") != want {
					t.Errorf("%s: status %s, allowed should be %v: %s", c.name, status, want, box.said(t, c.name))
				}
			}
			t.Logf("needs %v: exposure %.1f", needs, box.exposure(t, unit))
		})
	}
}

// TestRunnerUserOutsideTheUnit tries law 11 without any sandbox: file
// permissions alone have to hold.
func TestRunnerUserOutsideTheUnit(t *testing.T) {
	box := newBox(t)
	box.install(t, nil)
	for _, c := range inTheUnit {
		if !strings.Contains(c.script, boxHome) && c.name != "the token" && c.name != "the state" && c.name != "write a hook" ||
			c.allowed(nil) || c.shaky || strings.Contains(c.script, "$RUNNER_PERFLOG") {
			continue
		}
		r, err := box.RunAs(t.Context(), "gha-runner", "sh", "-c", c.script)
		if err != nil {
			t.Fatal(err)
		}
		if r.Status == 0 {
			t.Errorf("%s succeeded outside the unit", c.name)
		}
	}
}

// TestUnitOnEveryRelease loads the unit where it has to live: nothing in it may
// be unknown to that systemd, and the exposure keeps its bar.
func TestUnitOnEveryRelease(t *testing.T) {
	const bar = 2.5 // with needs: [perf]
	for _, release := range lab.Releases() {
		t.Run(release.Name, func(t *testing.T) {
			t.Parallel()
			box := bareBox(t, release)
			for _, needs := range [][]string{{"perf"}, {"perf", "ptrace", "setarch", "realtime"}, {"containers"}} {
				unit := box.install(t, needs)
				if said := box.sh(t, "systemd-analyze verify "+unit+" 2>&1 | grep -F "+unit+" || true"); said != "" {
					t.Errorf("needs %v: systemd objects: %s", needs, said)
				}
				box.sh(t, "systemctl start "+unit+" || { journalctl --no-pager -n 20 -u "+unit+" >&2; exit 1; }; systemctl stop "+unit)
				exposure := box.exposure(t, unit)
				t.Logf("needs %v: exposure %.1f", needs, exposure)
				if slices.Equal(needs, []string{"perf"}) && exposure > bar {
					t.Errorf("exposure %.1f is above %.1f", exposure, bar)
				}
			}
		})
	}
}

// A box is a lab host with a runner's tree and accounts, as the kinds user and
// tarball leave them, in which the runner is a script.
type box struct{ labHost }

// A labHost is a container or a virtual machine.
type labHost interface {
	Run(ctx context.Context, argv ...string) (lab.Result, error)
	RunAs(ctx context.Context, user string, argv ...string) (lab.Result, error)
	Put(path string, data []byte, mode os.FileMode) error
}

func newBox(t *testing.T) box {
	t.Helper()
	b := bareBox(t, lab.Ubuntu2404, "dotnet-sdk-8.0", "nodejs", "openjdk-21-jdk-headless", "strace", "util-linux")
	for _, name := range []string{"Probe.java", "probe.js", "Probe.cs"} {
		text, err := os.ReadFile("testdata/probes/" + name)
		if err != nil {
			t.Fatal(err)
		}
		b.put(t, "/opt/probes/"+name, string(text), 0o644)
	}
	b.put(t, "/opt/probes/Probe.runtimeconfig.json", `{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App","version":"8.0.0"}}}`, 0o644)
	b.put(t, "/opt/probes/syscalls", goBuild(t, "./testdata/probes/syscalls"), 0o755)
	b.sh(t, `cd /opt/probes && javac Probe.java &&
		dotnet exec /usr/lib/dotnet/sdk/8.*/Roslyn/bincore/csc.dll -nologo -out:Probe.dll $(printf -- '-r:%s ' /usr/lib/dotnet/shared/Microsoft.NETCore.App/8.*/[SMmn]*.dll | tr ' ' '\n' | grep -v Native | tr '\n' ' ') Probe.cs`)
	return b
}

// bareBox is a box without programs to try.
func bareBox(t *testing.T, release lab.Release, packages ...string) box {
	t.Helper()
	l := &lab.Lab{Log: t.Logf}
	root, err := l.Root(t.Context(), release, packages...)
	needRoot(t, release, err)
	m, err := l.Boot(t.Context(), lab.Options{Lower: []string{root}, Hostname: "box"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	b := box{m}
	b.furnish(t)
	return b
}

// furnish makes the runner's account and tree.
func (b box) furnish(t *testing.T) {
	t.Helper()
	b.sh(t, `useradd --system --user-group --no-create-home --home-dir `+boxHome+` --shell /usr/sbin/nologin gha-runner
		install -d -o root -g gha-runner -m 1770 `+boxHome+` `+boxDir+`
		install -d -o gha-runner -g gha-runner -m 700 `+boxWork+` `+boxDir+`/_diag
		install -d `+boxDir+`/bin.2.336.0 `+boxDir+`/externals.2.336.0 /usr/local/lib/benchctl /run/benchctl /etc/benchctl
		install -d -m 700 /var/lib/benchctl
		ln -s bin.2.336.0 `+boxDir+`/bin && ln -s externals.2.336.0 `+boxDir+`/externals
		touch `+boxDir+`/bin/Runner.Listener `+boxDir+`/.path `+boxDir+`/.env /usr/local/lib/benchctl/job-started.sh
		echo '{}' >/run/benchctl/expected.json
		(umask 077; echo secret >/etc/benchctl/token)
		install -m 4755 /usr/bin/id /usr/local/bin/rootid`)
	b.put(t, "/usr/local/bin/benchctl", readyScript, 0o755)
	b.put(t, boxDir+"/runsvc.sh", runnerScript(), 0o755)
}

// readyScript stands in for `benchctl ready`: it makes the perf log, and touches
// all that the real one has to reach through the unit's own sandbox.
const readyScript = `#!/bin/sh
set -e
umask 022
dir=/var/log/benchctl/$(basename /etc/systemd/system/actions.runner.*.service)
mkdir -p $dir
touch $dir/Runner.perf
chown gha-runner: $dir/Runner.perf
touch /var/lib/benchctl/originals.json /run/benchctl/expected.json
cat /etc/benchctl/token >/dev/null
test -w /proc/1/oom_score_adj
`

// runnerScript tries everything and writes each status down.
func runnerScript() string {
	var script strings.Builder
	script.WriteString("#!/bin/bash\ncd " + boxWork + " && rm -rf tried && mkdir tried\n")
	for i, c := range inTheUnit {
		fmt.Fprintf(&script, "( %s ) >tried/%d.said 2>&1\necho $? >tried/%d\n", c.script, i, i)
	}
	script.WriteString("touch tried/done\nexec sleep infinity\n")
	return script.String()
}

// install puts the unit of a spec with these needs in force and returns its name.
func (b box) install(t *testing.T, needs []string) string {
	t.Helper()
	return b.installService(t, spec.Service{Needs: needs})
}

func (b box) installService(t *testing.T, service spec.Service) string {
	t.Helper()
	m := hosttest.New(t, "-- proc/sys/kernel/hostname --\nbox\n")
	name, text, err := resources.RunnerUnit(m, &spec.Spec{
		User:       spec.User{Name: "gha-runner", Home: boxHome, Shell: "/usr/sbin/nologin"},
		InstallDir: boxDir,
		Runner: spec.Runner{
			URL:  spec.URL{Text: "https://github.com/o/r", Scope: spec.Repository, Owner: "o", Repo: "r"},
			Name: "box", WorkDir: "_work",
		},
		Service: service,
	}, "/usr/local/bin/benchctl")
	if err != nil {
		t.Fatal(err)
	}
	b.put(t, "/etc/systemd/system/"+name, text, 0o644)
	b.sh(t, "systemctl daemon-reload && systemctl stop "+name)
	return name
}

// try starts the unit and returns the status of everything that was tried.
func (b box) try(t *testing.T, unit string) map[string]string {
	t.Helper()
	b.sh(t, "rm -rf "+boxWork+"/tried; systemctl start "+unit+" || { journalctl --no-pager -n 20 -u "+unit+" >&2; exit 1; }")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for {
		if r, err := b.Run(ctx, "test", "-e", boxWork+"/tried/done"); err != nil {
			t.Fatalf("the unit did not come to its end: %v\n%s", err, b.sh(t, "journalctl --no-pager -n 20 -u "+unit))
		} else if r.Status == 0 {
			break
		}
		time.Sleep(300 * time.Millisecond)
	}
	got := map[string]string{}
	for i, c := range inTheUnit {
		got[c.name] = b.sh(t, fmt.Sprintf("cat %s/tried/%d", boxWork, i))
	}
	b.sh(t, "systemctl stop "+unit)
	return got
}

// cannotTell is why this machine allows something to nobody.
func (b box) cannotTell(t *testing.T, c tried) string {
	if c.unless == "" {
		return ""
	}
	return b.sh(t, c.unless)
}

// said is what a try printed.
func (b box) said(t *testing.T, name string) string {
	i := slices.IndexFunc(inTheUnit, func(c tried) bool { return c.name == name })
	return b.sh(t, fmt.Sprintf("cat %s/tried/%d.said", boxWork, i))
}

var exposureLine = regexp.MustCompile(`exposure level for .*: ([0-9.]+) `)

func (b box) exposure(t *testing.T, unit string) float64 {
	t.Helper()
	m := exposureLine.FindStringSubmatch(b.sh(t, "systemd-analyze security --no-pager "+unit))
	if m == nil {
		t.Fatal("systemd-analyze gives no exposure")
	}
	score, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return score
}

// sh runs a script as root; it must succeed.
func (b box) sh(t *testing.T, script string) string {
	t.Helper()
	r, err := b.Run(t.Context(), "sh", "-c", script)
	if err = errors.Join(err, r.Err()); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return strings.TrimSpace(r.Stdout)
}

func (b box) put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := b.Put(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// goBuild returns a static program.
func goBuild(t *testing.T, pkg string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	program, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(program)
}
