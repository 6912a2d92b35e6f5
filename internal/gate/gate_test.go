package gate

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
)

const (
	governor1 = "/sys/devices/system/cpu/cpufreq/policy1/scaling_governor"
	expected  = "/run/benchctl/expected.json"
	jdk21     = "/usr/lib/jvm/java-21-openjdk-amd64"
)

// A box is a host with a job on it, whose hook runs the gate.
type box struct {
	*hosttest.Machine
	env  map[string]string
	host host.Reader // the machine, unless a test puts something before it
}

// newBox is the quiet host, with what other machines of testdata add to it.
func newBox(t testing.TB, others ...string) *box {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the expectation has to be root's, and so has who makes one")
	}
	var archive strings.Builder
	for _, name := range append([]string{"quiet"}, others...) {
		text, err := os.ReadFile("testdata/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		archive.Write(text)
	}
	b := &box{Machine: hosttest.New(t, archive.String()), env: map[string]string{
		"BENCHCTL_REVISION": "0123456789abcdef",
		"JAVA_HOME":         jdk21,
		"PATH":              jdk21 + "/bin:/usr/local/bin:/usr/bin:/bin",
		"RUNNER_TEMP":       t.TempDir(),
	}}
	b.host = b.Machine
	for _, java := range []string{jdk21, "/usr/lib/jvm/java-17-openjdk-amd64"} {
		b.must(t, os.Chmod(b.Path(java+"/bin/java"), 0o755))
	}
	return b
}

func (b *box) must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// edit replaces text in a file of the host.
func (b *box) edit(t testing.TB, file, old, new string) {
	t.Helper()
	text := b.Text(file)
	if !strings.Contains(text, old) {
		t.Fatalf("%s has no %q", file, old)
	}
	b.WriteFile(file, strings.ReplaceAll(text, old, new))
}

func (b *box) gate() Gate {
	return Gate{Host: b.host, Getenv: func(name string) string { return b.env[name] }}
}

func (b *box) look(m Moment) Report { return b.gate().Look(context.Background(), m) }

// said is what the gate found, but for what is in step.
func said(r Report) (lines []string) {
	for _, f := range r.Findings {
		if f.Verdict != InStep {
			lines = append(lines, fmt.Sprintf("%s %s: %s", f.Check, f.Verdict, f.Text))
		}
	}
	return lines
}

func wantSaid(t *testing.T, r Report, want ...string) {
	t.Helper()
	if got := said(r); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the gate said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// lock has a process hold a file for writing, on a device in hex.
func (b *box) lock(t testing.TB, pid int, device, file string) {
	t.Helper()
	info, err := b.Lstat(file)
	b.must(t, err)
	b.WriteFile("/proc/locks", b.Text("/proc/locks")+fmt.Sprintf("7: POSIX  ADVISORY  WRITE %d %s:%d 0 EOF\n", pid, device, info.Inode))
}

func TestAQuietHostIsInStep(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	r := b.look(Started)
	wantSaid(t, r)
	var text strings.Builder
	r.Log(&text, Fail)
	_, rows, _ := strings.Cut(text.String(), "\n")
	const want = `  in step      service                            revision 0123456789abcdef
  in step      cpufreq                            performance on all 2
  in step      sysctl/kernel.perf_event_paranoid  1
  in step      jdk                                Java 21.0.5 of Debian, first on PATH
  in step      load                               0.08 on 2 CPUs, at most 0.50
  in step      packages                           no package manager at work
  in step      processes                          none left by earlier jobs
`
	if rows != want {
		t.Errorf("the log is\n%s\nwant\n%s", rows, want)
	}
	r = b.look(Completed)
	wantSaid(t, r)
	if len(r.Findings) != 5 {
		t.Errorf("at the end, the gate looked at %d things: %+v", len(r.Findings), r.Findings)
	}
	if b.Writes != nil {
		t.Errorf("the gate changed the host: %q", b.Writes)
	}
}

func TestStartedNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		machine string
		change  func(*testing.T, *box)
		want    string
	}{
		"one policy": {change: func(t *testing.T, b *box) { b.WriteFile(governor1, "powersave\n") },
			want: "cpufreq differs: policy1/scaling_governor is powersave, not performance"},
		"no cpufreq": {change: func(t *testing.T, b *box) { b.must(t, os.RemoveAll(b.Path("/sys/devices/system/cpu/cpufreq"))) },
			want: "cpufreq differs: this host has no /sys/devices/system/cpu/cpufreq/policy*/scaling_governor, which has to be performance"},
		"a number above the limit": {change: func(t *testing.T, b *box) { b.WriteFile("/proc/sys/kernel/perf_event_paranoid", "4\n") },
			want: "sysctl/kernel.perf_event_paranoid differs: kernel/perf_event_paranoid is 4, not 1"},
		"an optional governor that drifted": {change: func(t *testing.T, b *box) {
			b.edit(t, expected, `"scaling_available_governors"`, `"scaling_available_governors", "optional": true`)
			b.WriteFile(governor1, "powersave\n")
		}, want: "cpufreq differs: policy1/scaling_governor is powersave, not performance"},
		"an optional governor that the driver lacks": {change: func(t *testing.T, b *box) {
			b.edit(t, expected, `"scaling_available_governors"`, `"scaling_available_governors", "optional": true`)
			b.WriteFile(governor1, "powersave\n")
			b.WriteFile(path.Dir(governor1)+"/scaling_available_governors", "powersave\n")
		}, want: "cpufreq unsupported: policy1/scaling_governor is powersave, not performance, which the spec lets pass"},

		"another revision": {change: func(t *testing.T, b *box) { b.env["BENCHCTL_REVISION"] = "fedcba98" },
			want: "service differs: the runner was started with revision fedcba98, not 0123456789abcdef"},
		"started by hand": {change: func(t *testing.T, b *box) { delete(b.env, "BENCHCTL_REVISION") },
			want: "service differs: the runner was not started by actions.runner.o-r.bench7.service, which sets BENCHCTL_REVISION"},

		"another Java first": {change: func(t *testing.T, b *box) { b.env["PATH"] = "/usr/lib/jvm/java-17-openjdk-amd64/bin:" + b.env["PATH"] },
			want: "jdk differs: the first java on PATH is /usr/lib/jvm/java-17-openjdk-amd64/bin/java, not " + jdk21 + "/bin/java"},
		"no Java on PATH": {change: func(t *testing.T, b *box) { b.env["PATH"] = "/usr/bin" },
			want: "jdk differs: the first java on PATH is absent, not " + jdk21 + "/bin/java"},
		"another JAVA_HOME": {change: func(t *testing.T, b *box) { b.env["JAVA_HOME"] = "/opt/jdk##[error]" },
			want: "jdk differs: JAVA_HOME is /opt/jdk# #[error], not " + jdk21},
		"another Java in its place": {change: func(t *testing.T, b *box) { b.edit(t, jdk21+"/release", "21.0.5", "22.0.1") },
			want: "jdk differs: " + jdk21 + " is Java 22.0.1, not 21"},
		"no release file": {change: func(t *testing.T, b *box) { b.must(t, os.Remove(b.Path(jdk21+"/release"))) },
			want: "jdk unknown: cannot be seen: open " + jdk21 + "/release: no such file or directory"},

		"load": {change: func(t *testing.T, b *box) { b.WriteFile("/proc/loadavg", "1.93 0.9 0.4 3/234 952\n") },
			want: "load differs: 1.93 on 2 CPUs, at most 0.50"},
		"apt": {change: func(t *testing.T, b *box) { b.lock(t, 4211, "fe:01", "/var/lib/dpkg/lock-frontend") },
			want: "packages differs: packages are being changed: process 4211 holds /var/lib/dpkg/lock-frontend"},
		"a list that is fetched": {change: func(t *testing.T, b *box) { b.lock(t, 4212, "fe:01", "/var/lib/apt/lists/lock") },
			want: "packages differs: packages are being changed: process 4212 holds /var/lib/apt/lists/lock"},
		"the same inode on another file system": {change: func(t *testing.T, b *box) { b.lock(t, 310, "00:1a", "/var/lib/dpkg/lock") }},

		"leftovers": {machine: "gradle", change: func(t *testing.T, b *box) {
			b.WriteFile("/proc/700/cmdline", "/usr/bin/java\x00GradleDaemon\x00")
			b.WriteFile("/proc/700/environ", "HOME=/\x00GITHUB_RUN_ID=4211\x00")
		}, want: "processes differs: left by earlier jobs: java (pid 700, of run 4211), a ) S 1 (b (pid 710), a process that hides (pid 720)"},
		"a leftover in a group of its own": {change: func(t *testing.T, b *box) {
			b.WriteFile("/sys/fs/cgroup/system.slice/actions.runner.o-r.bench7.service/libpod-1.scope/cgroup.procs", "700\n")
			b.WriteFile("/proc/700/stat", "700 (conmon) S 1 700 700 0 -1")
		}, want: "processes differs: left by earlier jobs: conmon (pid 700)"},
		"not in the unit": {change: func(t *testing.T, b *box) { b.WriteFile("/proc/self/cgroup", "0::/user.slice/session-1.scope\n") },
			want: "processes unknown: cannot be seen: this is no process of actions.runner.o-r.bench7.service"},
		"no job": {change: func(t *testing.T, b *box) { b.edit(t, "/proc/900/stat", "Runner.Worker", "bash") },
			want: "processes unknown: cannot be seen: no Runner.Worker started this gate"},
		"the older hierarchy": {change: func(t *testing.T, b *box) {
			b.WriteFile("/proc/self/cgroup", "5:cpu:/\n1:name=systemd:/system.slice/actions.runner.o-r.bench7.service\n0::/\n")
			b.must(t, os.MkdirAll(b.Path("/sys/fs/cgroup/systemd"), 0o755))
			b.must(t, os.Rename(b.Path("/sys/fs/cgroup/system.slice"), b.Path("/sys/fs/cgroup/systemd/system.slice")))
		}},

		"on battery": {machine: "laptop", want: "power differs: on battery (BAT0, 87 %)"},
		"plugged into the other socket": {machine: "laptop", change: func(t *testing.T, b *box) {
			b.WriteFile("/sys/class/power_supply/ucsi-source-psy-USBC000:001/online", "1\n")
		}},
		"unplugged, and the battery will not say": {machine: "laptop", change: func(t *testing.T, b *box) {
			b.WriteFile("/sys/class/power_supply/BAT0/status", "Unknown\n")
		}, want: "power differs: on battery: no power from AC, ucsi-source-psy-USBC000:001"},

		"no expectation": {change: func(t *testing.T, b *box) { b.must(t, os.Remove(b.Path(expected))) },
			want: "expectation unknown: nobody vouched for this host since it booted: there is no /run/benchctl/expected.json; run benchctl apply"},
		"an expectation that anybody could write": {change: func(t *testing.T, b *box) { b.must(t, os.Chmod(b.Path(expected), 0o666)) },
			want: "expectation unknown: cannot trust /run/benchctl/expected.json: it is not a plain file that only root can write; run benchctl apply"},
		"no place for the record": {change: func(t *testing.T, b *box) { b.env["RUNNER_TEMP"] = "/nowhere" },
			want: "record noted: nobody can tell at the end what changed during this job: open /nowhere: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var others []string
			if c.machine != "" {
				others = append(others, c.machine)
			}
			b := newBox(t, others...)
			if c.change != nil {
				c.change(t, b)
			}
			got := strings.ReplaceAll(strings.Join(said(b.look(Started)), "\n"), b.Root, "")
			if got != c.want {
				t.Errorf("the gate said\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// A PATH through Debian's alternatives leads to the same Java.
func TestJavaBehindLinks(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.must(t, os.MkdirAll(b.Path("/etc/alternatives"), 0o755))
	b.must(t, os.MkdirAll(b.Path("/usr/bin"), 0o755))
	b.must(t, os.Symlink("/etc/alternatives/java", b.Path("/usr/bin/java")))
	b.must(t, os.Symlink("/usr/lib/jvm/default/bin/java", b.Path("/etc/alternatives/java")))
	b.must(t, os.Symlink("../jvm/java-21-openjdk-amd64", b.Path("/usr/lib/jvm/default")))
	b.env["PATH"], b.env["JAVA_HOME"] = "relative:/usr/bin", "/usr/lib/jvm/default/"
	wantSaid(t, b.look(Started))
	b.must(t, os.Remove(b.Path("/etc/alternatives/java")))
	b.must(t, os.Symlink("/usr/bin/java", b.Path("/etc/alternatives/java"))) // a ring
	wantSaid(t, b.look(Started), "jdk differs: the first java on PATH is absent, not "+jdk21+"/bin/java")
}

// moving is a host whose CPUs do something between two looks at /proc/stat.
type moving struct {
	host.Reader
	looks int
	stats []string
}

func (m *moving) ReadFile(path string) ([]byte, error) {
	if path != "/proc/stat" {
		return m.Reader.ReadFile(path)
	}
	m.looks++
	return []byte(m.stats[m.looks-1]), nil
}

// A high load makes the gate look at what the CPUs do now.
func TestHighLoadIsLookedAtTwice(t *testing.T) {
	t.Parallel()
	stat := func(user, idle int) string {
		return fmt.Sprintf("cpu  %d 0 0 %d 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0\ncpu1 1 0 0 1 0 0 0 0\nintr 1\n", user, idle)
	}
	for name, c := range map[string]struct {
		after   string
		verdict Verdict
		text    string
	}{
		"what an earlier job left in the average": {stat(101, 139), InStep, "1.90 on 2 CPUs in the last minute, but now only 0.05 of them are busy"},
		"a neighbour at work":                     {stat(120, 120), Differs, "something else keeps 1.00 of 2 CPUs busy, at most 0.50 (load 1.90)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.WriteFile("/proc/loadavg", "1.90 0.9 0.4 3/234 952\n")
			b.host = &moving{Reader: b.Machine, stats: []string{stat(100, 100), c.after}}
			for _, f := range b.look(Started).Findings {
				if f.Check == "load" && (f.Verdict != c.verdict || f.Text != c.text) {
					t.Errorf("the load: %s, %s", f.Verdict, f.Text)
				}
			}
		})
	}
}

// stuck is a host whose firmware never answers for the battery.
type stuck struct {
	host.Reader
	forever chan struct{}
}

func (s *stuck) ReadFile(path string) ([]byte, error) {
	if strings.HasPrefix(path, "/sys/class/power_supply") {
		<-s.forever
	}
	return s.Reader.ReadFile(path)
}

func TestACheckThatHangsIsUnknown(t *testing.T) {
	t.Parallel()
	b := newBox(t, "laptop")
	s := &stuck{b.Machine, make(chan struct{})}
	defer close(s.forever)
	b.host = s
	b.WriteFile(governor1, "powersave\n")
	wantSaid(t, b.look(Started),
		"cpufreq differs: policy1/scaling_governor is powersave, not performance",
		"power unknown: did not answer within 1s")
}

func TestCompletedTellsWhatHappened(t *testing.T) {
	t.Parallel()
	const throttle0 = "/sys/devices/system/cpu/cpu0/thermal_throttle/"
	for name, c := range map[string]struct {
		before, during func(*testing.T, *box)
		want           []string
	}{
		"drift": {during: func(t *testing.T, b *box) { b.WriteFile(governor1, "powersave\n") },
			want: []string{"cpufreq differs: changed during the job: policy1/scaling_governor from performance to powersave; policy1/scaling_governor is powersave, not performance"}},
		"drift from before": {before: func(t *testing.T, b *box) { b.WriteFile(governor1, "powersave\n") },
			want: []string{"cpufreq differs: policy1/scaling_governor is powersave, not performance"}},
		"drift set right": {
			before: func(t *testing.T, b *box) { b.WriteFile(governor1, "powersave\n") },
			during: func(t *testing.T, b *box) { b.WriteFile(governor1, "performance\n") },
			want:   []string{"cpufreq noted: changed during the job: policy1/scaling_governor from powersave to performance; performance on all 2"}},
		"heat": {during: func(t *testing.T, b *box) {
			b.WriteFile(throttle0+"core_throttle_count", "53\n")
			b.WriteFile(throttle0+"core_throttle_total_time_ms", "1640\n")
			b.WriteFile(throttle0+"package_throttle_count", "123\n")
			b.WriteFile("/sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", "123\n")
		}, want: []string{"throttling noted: slowed for heat during the job, on 2 CPUs: core 12 times and 340ms; package 3 times"}},
		"a CPU that counts no heat": {before: func(t *testing.T, b *box) {
			b.must(t, os.RemoveAll(b.Path("/sys/devices/system/cpu/cpu0")))
			b.must(t, os.RemoveAll(b.Path("/sys/devices/system/cpu/cpu1")))
		}, want: []string{"throttling unsupported: this CPU counts no throttling (there is no /sys/devices/system/cpu/cpu[0-9]*/thermal_throttle)"}},
		"a lower limit": {during: func(t *testing.T, b *box) {
			b.WriteFile("/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "2800000\n")
		}, want: []string{"frequency noted: a limit moved during the job: policy0/scaling_max_freq from 4200000 to 2800000 kHz"}},
		"an upgrade": {during: func(t *testing.T, b *box) {
			later := time.Date(2126, 11, 23, 6, 14, 2, 0, time.UTC)
			b.must(t, os.Chtimes(b.Path(dpkgStatus), later, later))
		}, want: []string{"packages differs: packages were changed during the job, at 06:14:02 UTC"}},
		"a daemon that stays": {during: func(t *testing.T, b *box) {
			procs := "/sys/fs/cgroup/system.slice/actions.runner.o-r.bench7.service/cgroup.procs"
			b.WriteFile(procs, b.Text(procs)+"700\n701\n")
			for pid, env := range map[int]string{700: "RUNNER_TRACKING_ID=\x00GITHUB_RUN_ID=12\x00", 701: "RUNNER_TRACKING_ID=github_1\x00"} {
				b.WriteFile(fmt.Sprintf("/proc/%d/stat", pid), fmt.Sprintf("%d (java) S 1 700 700 0 -1", pid))
				b.WriteFile(fmt.Sprintf("/proc/%d/environ", pid), env)
			}
		}, want: []string{"processes noted: will outlive the job: java (pid 700, of run 12)"}},

		"the record is gone": {during: func(t *testing.T, b *box) { b.must(t, os.Remove(b.record())) },
			want: []string{"record noted: cannot tell what changed during this job: openat benchctl-gate.json: no such file or directory"}},
		"the record is garbage": {during: func(t *testing.T, b *box) { b.must(t, os.WriteFile(b.record(), []byte(`{"schema": 7`), 0o600)) },
			want: []string{"record noted: cannot tell what changed during this job: benchctl-gate.json is not what the gate wrote"}},
		"the record is endless": {during: func(t *testing.T, b *box) { b.must(t, os.Truncate(b.record(), 8<<30)) },
			want: []string{"record noted: cannot tell what changed during this job: benchctl-gate.json is no plain file of reasonable size"}},
		"the record leads elsewhere": {during: func(t *testing.T, b *box) {
			b.must(t, os.Remove(b.record()))
			b.must(t, os.Symlink("/etc/passwd", b.record()))
		}, want: []string{"record noted: cannot tell what changed during this job: openat benchctl-gate.json: path escapes from parent"}},
		"the record is a fifo": {during: func(t *testing.T, b *box) {
			b.must(t, os.Remove(b.record()))
			b.must(t, syscall.Mkfifo(b.record(), 0o600))
		}, want: []string{"record noted: cannot tell what changed during this job: benchctl-gate.json is no plain file of reasonable size"}},
		"the record tells stories": {during: func(t *testing.T, b *box) {
			b.must(t, os.WriteFile(b.record(), []byte(`{"schema": "benchctl/gate/v1", "started": "2126-01-01T00:00:00Z", "values": {
				"/etc/shadow": "x", "`+governor1+`": "a\n::error::##[error]b", "/sys/devices/system/cpu/cpufreq/policy0/../../scaling_max_freq": "1"}}`), 0o600))
		}, want: []string{"cpufreq noted: changed during the job: policy1/scaling_governor from a?::error::# #[error]b to performance; performance on all 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			if c.before != nil {
				c.before(t, b)
			}
			b.look(Started)
			if c.during != nil {
				c.during(t, b)
			}
			wantSaid(t, b.look(Completed), c.want...)
		})
	}
}

func (b *box) record() string { return b.env["RUNNER_TEMP"] + "/" + recordName }

// The record replaces what an earlier process put into its place, and follows
// nothing.
func TestRecordFollowsNoLink(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	precious := t.TempDir() + "/precious"
	b.must(t, os.WriteFile(precious, []byte("mine"), 0o600))
	b.must(t, os.Symlink(precious, b.record()))
	wantSaid(t, b.look(Started))
	if text, _ := os.ReadFile(precious); string(text) != "mine" {
		t.Errorf("the link's target is now %q", text)
	}
	if info, err := os.Lstat(b.record()); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the record: %v, %v", info, err)
	}
}

func BenchmarkStarted(b *testing.B) { benchmark(b, Started) }

func BenchmarkCompleted(b *testing.B) { benchmark(b, Completed) }

// benchmark looks at a host of 64 CPUs.
func benchmark(b *testing.B, m Moment) {
	box := newBox(b)
	for cpu := range 64 {
		policy := fmt.Sprintf("/sys/devices/system/cpu/cpufreq/policy%d/", cpu)
		box.WriteFile(policy+"scaling_governor", "performance\n")
		box.WriteFile(policy+"scaling_max_freq", "4200000\n")
		box.WriteFile(policy+"scaling_min_freq", "800000\n")
		for _, name := range []string{"core_throttle_count", "core_throttle_total_time_ms", "package_throttle_count", "package_throttle_total_time_ms"} {
			box.WriteFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/thermal_throttle/%s", cpu, name), "0\n")
		}
	}
	box.look(Started)
	for b.Loop() {
		if r := box.look(m); r.Bad() {
			b.Fatal(said(r))
		}
	}
}
