package cause

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

var (
	berlin, _ = time.LoadLocation("Europe/Berlin")
	since     = time.Date(2026, 11, 23, 14, 30, 0, 0, berlin)
	now       = time.Date(2026, 11, 23, 15, 0, 0, 0, berlin)
)

func clock(hour, minute int) time.Time { return time.Date(2026, 11, 23, hour, minute, 0, 0, berlin) }

func finder(m *hosttest.Machine) *Finder {
	return &Finder{Reader: m, InstallDir: "/srv/runner", Unit: "actions.runner.x.service", Now: now, Local: berlin}
}

func TestWhatSetsKnobs(t *testing.T) {
	t.Parallel()
	unit := func(state string, at time.Time) host.Unit {
		return host.Unit{LoadState: "loaded", ActiveState: state, SubState: "running", ActiveSince: at.UTC()}
	}
	booted := func(at time.Time) string { return fmt.Sprintf("cpu  1 2 3\nbtime %d\nprocesses 7\n", at.Unix()) }
	for name, tt := range map[string]struct {
		kind  string // cpufreq
		units map[string]host.Unit
		stat  string
		want  string
	}{
		"nothing shows": {stat: booted(clock(8, 0))},
		"a rival started": {units: map[string]host.Unit{"power-profiles-daemon.service": unit("active", clock(14, 32))}, stat: booted(clock(8, 0)),
			want: "power-profiles-daemon started 14:32"},
		"the last of two": {units: map[string]host.Unit{"tlp.service": unit("active", clock(14, 40)), "tuned.service": unit("active", clock(14, 33))},
			want: "tlp started 14:40"},
		"one that ended again":                  {units: map[string]host.Unit{"cpufrequtils.service": unit("inactive", clock(14, 32))}, want: "cpufrequtils started 14:32"},
		"one that started after benchctl began": {units: map[string]host.Unit{"tuned.service": unit("inactive", clock(15, 1))}},
		"a boot":                                {stat: booted(clock(14, 45)), want: "this host booted 14:45"},
		"a boot, and a rival since":             {stat: booted(clock(14, 45)), units: map[string]host.Unit{"tuned.service": unit("active", clock(14, 46))}, want: "tuned started 14:46"},
		"one that runs all the time":            {units: map[string]host.Unit{"tuned.service": unit("active", clock(9, 12).AddDate(0, 0, -1))}, want: "tuned runs since 2026-11-22 09:12"},
		"a sysctl":                              {kind: "sysctl", units: map[string]host.Unit{"systemd-sysctl.service": unit("active", clock(14, 50))}, want: "systemd-sysctl started 14:50"},
		"no rival of that knob":                 {kind: "sysctl", units: map[string]host.Unit{"tlp.service": unit("active", clock(14, 50))}},
		"no number":                             {stat: "btime soon\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := hosttest.New(t, "")
			m.Units = tt.units
			if tt.stat != "" {
				m.WriteFile("/proc/stat", tt.stat)
			}
			kind := "cpufreq"
			if tt.kind != "" {
				kind = tt.kind
			}
			if got := finder(m).Find(t.Context(), kind, reconcile.Change{Field: "policy1"}, since); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

const dpkgLines = `2026-11-23 14:20:00 remove git:amd64 1:2.47.3-0 <none>
2026-11-23 14:20:05 install git:amd64 1:2.47.3-0 1:2.47.3-0
2026-11-23 14:31:00 startup packages remove
2026-11-23 14:31:01 remove git:amd64 1:2.47.3-0 <none>
2026-11-23 14:31:02 status half-configured git:amd64 1:2.47.3-0
2026-11-23 14:31:03 remove git-man:all 1:2.47.3-0 <none>
2026-11-23 14:40:00 purge git:amd64 1:2.47.3-0 <none>
2026-11-23 14:41:00 upgrade openjdk-21-jdk-headless:amd64 21.0.5-1 21.0.6-1
2026-11-23 14:42:00 configure openjdk-21-jdk-headless:amd64 21.0.6-1 <none>
2026-11-23 14:43:00 install libicu76:amd64 <none> 76.1-4
2026-11-23 14:44:00 remove libssl3t64:amd64 3.5.1-1 <none>
2026-11-23 15:01:00 install git:amd64 <none> 1:2.47.3-0
nonsense
2026-11-23 99:99:99 purge phoronix-test-suite:all 1 <none>
`

const aptLines = `
Start-Date: 2026-11-23  14:31:00
Commandline: apt-get -o Acquire::http::Proxy=http://me:canary@proxy purge git
Requested-By: moritz (1000)
Remove: git:amd64 (1:2.47.3-0)
End-Date: 2026-11-23  14:31:05

Start-Date: 2026-11-23  14:41:00
Commandline: /usr/bin/unattended-upgrade
Upgrade: openjdk-21-jdk-headless:amd64 (21.0.5-1, 21.0.6-1)
End-Date: 2026-11-23  14:42:01

Start-Date: 2026-11-23  14:44:00
End-Date: nonsense
`

func TestWhatDpkgDid(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind, field, have, want string
		says                    string
	}{
		"a package is gone":                    {"packages", "git", "absent", "git", "dpkg purged git 14:31, by apt-get for moritz"},
		"one that the release calls otherwise": {"packages", "libssl", "absent", "libssl3t64", "dpkg removed libssl3t64 14:44"},
		"an upgrade that broke it":             {"jdk", "/usr/lib/jvm/java-21-openjdk-amd64", "no java", "21", "dpkg upgraded openjdk-21-jdk-headless to 21.0.6-1 14:41, by unattended-upgrade"},
		"what only came cannot be why it went": {"packages", "libicu76", "absent", "libicu76", ""},
		"nor what went why it is there":        {"packages", "git", "installed", "none", ""},
		"a log that cannot be understood":      {"pts", "version", "absent", "10.8.6", ""},
		"a file":                               {"packages", "sources", "absent", "present", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := hosttest.New(t, "")
			m.WriteFile(dpkgLog, dpkgLines)
			m.WriteFile(aptLog, aptLines)
			got := finder(m).Find(t.Context(), tt.kind, reconcile.Change{Field: tt.field, Have: tt.have, Want: tt.want}, since)
			if got != tt.says {
				t.Errorf("got %q, want %q", got, tt.says)
			}
		})
	}
}

var gitIsGone = reconcile.Change{Field: "git", Have: "absent", Want: "git"}

// A log is rotated once a month, and may be as long as it likes.
func TestLogsThatWereRotatedOrAreLong(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	m.WriteFile(dpkgLog+".1", "2026-11-23 14:31:01 purge git:amd64 1:2.47.3-0 <none>\n")
	if got := finder(m).Find(t.Context(), "packages", gitIsGone, since); got != "dpkg purged git 14:31" {
		t.Errorf("got %q", got)
	}
	m.WriteFile(dpkgLog, "2026-11-23 14:45:00 install other:amd64 <none> 1\n")
	if got := finder(m).Find(t.Context(), "packages", gitIsGone, since); got != "dpkg purged git 14:31" {
		t.Errorf("got %q", got)
	}
	filler := strings.Repeat("2026-11-23 14:10:00 status installed filler:amd64 1.0\n", 3*mostLog/50)
	m.WriteFile(dpkgLog, "2026-11-23 14:31:00 purge git:amd64 1 <none>\n"+filler+"2026-11-23 14:46:00 purge git:amd64 1 <none>\n")
	m.WriteFile(dpkgLog+".1", "")
	if got := finder(m).Find(t.Context(), "packages", gitIsGone, since); got != "dpkg purged git 14:46" {
		t.Errorf("got %q", got)
	}
	for i, damage := range []func(){
		func() { m.WriteFile(dpkgLog, "\x00\x01\x02") },
		func() { os.Remove(m.Path(dpkgLog)) },
		func() { m.WriteFile(dpkgLog+"/x", "") },
	} {
		damage()
		if got := finder(m).Find(t.Context(), "packages", gitIsGone, since); got != "" {
			t.Errorf("%d: got %q", i, got)
		}
	}
}

// What others wrote cannot speak to a terminal.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	m.WriteFile(dpkgLog, "2026-11-23 14:31:01 purge g\x1b[31mit:amd64 1 <none>\n")
	m.WriteFile(aptLog, "Start-Date: 2026-11-23  14:31:00\nCommandline: /usr/bin/a\x1bpt x\nRequested-By: mo\u202eritz (1)\nEnd-Date: 2026-11-23  14:31:02\n")
	c := reconcile.Change{Field: "g\x1b[31mit", Have: "absent", Want: "x"}
	if got := finder(m).Find(t.Context(), "packages", c, since); got != "dpkg purged g?[31mit 14:31, by a?pt for mo?ritz" {
		t.Errorf("got %q", got)
	}
}

// Files say when they were changed. What is tested here is done now, so that
// the times of interest are around it.
func TestWhenFilesChanged(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	for _, file := range []string{"/etc/passwd", "/etc/group", "/etc/systemd/system/actions.runner.x.service", "/srv/runner/.path", "/srv/runner/bin.2.336.0/x", "/usr/local/lib/benchctl/job-started.sh"} {
		m.WriteFile(file, "x")
	}
	info, err := m.Lstat("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	f := finder(m)
	f.Now = info.Ctime.Add(time.Minute)
	before, after := info.Ctime.Add(-time.Minute), info.Ctime.Add(time.Second)
	for name, tt := range map[string]struct {
		kind, field, have string
		file              string
	}{
		"an account":        {"user", "shell", "/bin/bash", "/etc/passwd"},
		"its groups":        {"user", "groups", "adm", "/etc/group"},
		"a unit":            {"service", "[Service] ProtectSystem", "no", "/etc/systemd/system/actions.runner.x.service"},
		"a drop-in":         {"service", "drop-in", "/etc/passwd", "/etc/passwd"},
		"a path":            {"hooks", "/usr/local/lib/benchctl/job-started.sh", "other text", "/usr/local/lib/benchctl/job-started.sh"},
		"its owner":         {"hooks", "/usr/local/lib/benchctl/job-started.sh owner and mode", "0:0 0777", "/usr/local/lib/benchctl/job-started.sh"},
		"below the runner":  {"tarball", "bin.2.336.0/x owner and mode", "0:0 0777", "/srv/runner/bin.2.336.0/x"},
		"its environment":   {"env", ".path", "/evil", "/srv/runner/.path"},
		"out of the runner": {"env", "../../../etc/passwd", "x", ""},
		"what is gone":      {"env", ".env FOO", "absent", ""},
		"no file at all":    {"config", "labels", "self-hosted", ""},
		"no file of that":   {"user", "home directory", "0:0 0777", ""},
		"of no kind":        {"packages", "dpkg", "interrupted", ""},
	} {
		c := reconcile.Change{Field: tt.field, Have: tt.have}
		want := ""
		if tt.file != "" {
			info, err := m.Lstat(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			want = tt.file + " changed " + f.at(info.Ctime)
		}
		if got := f.Find(t.Context(), tt.kind, c, before); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if got := f.Find(t.Context(), tt.kind, c, after.Add(time.Minute)); got != "" {
			t.Errorf("%s: what was in step later has the cause %q", name, got)
		}
	}
	f.Now = before
	if got := f.Find(t.Context(), "user", reconcile.Change{Field: "shell"}, before.Add(-time.Hour)); got != "" {
		t.Errorf("what benchctl did itself is the cause: %q", got)
	}
}

// Where systemd does not answer, nothing is known of rivals, and nobody waits.
func TestWithoutSystemd(t *testing.T) {
	t.Parallel()
	m := &deaf{Machine: hosttest.New(t, "")}
	f := &Finder{Reader: m, Now: now, Local: berlin}
	if got := f.Find(t.Context(), "cpufreq", reconcile.Change{}, since); got != "" || m.asked != 1 {
		t.Errorf("got %q after asking %d times", got, m.asked)
	}
}

type deaf struct {
	*hosttest.Machine
	asked int
}

func (d *deaf) Unit(context.Context, string) (host.Unit, error) {
	d.asked++
	return host.Unit{}, errors.New("no answer")
}
