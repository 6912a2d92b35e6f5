package adopt_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/adopt"
	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// machine is a host with a runner in /opt, where nobody but root can swap it.
const machine = `
-- etc/passwd --
root:x:0:0::/root:/bin/bash
ana:x:1000:1000::/home/ana:/bin/bash
-- etc/group --
ana:x:1000:
-- var/lib/dpkg/status --
-- etc/os-release --
ID=debian
VERSION_ID="12"
-- etc/systemd/system/actions.runner.octo.box.service --
[Service]
ExecStart=/opt/actions-runner/runsvc.sh
User=ana
WorkingDirectory=/opt/actions-runner
-- opt/actions-runner/.credentials --
{}
-- opt/actions-runner/.credentials_rsaparams --
{}
-- opt/actions-runner/.runner --
{"agentId": 7, "agentName": "box", "poolName": "Default", "gitHubUrl": "https://github.com/octo", "disableUpdate": true}
-- opt/actions-runner/bin/Runner.Listener.deps.json --
"Runner.Listener/2.336.0"
`

// A hub knows one runner.
type hub struct{ runner actions.Runner }

func (h hub) Runner(_ context.Context, id int64) (actions.Runner, error) {
	if id != h.runner.ID {
		return actions.Runner{}, errors.New("cannot look at runner 7: not found")
	}
	return h.runner, nil
}

func (hub) Groups(context.Context, time.Duration) ([]actions.Group, error) {
	return []actions.Group{{ID: 1, Name: "Default"}, {ID: 2, Name: "bench hosts"}}, nil
}

var labelled = hub{actions.Runner{ID: 7, Name: "Box", GroupID: 2, Labels: []actions.Label{{Name: "self-hosted", Type: "read-only"}, {Name: "Linux", Type: "read-only"}, {Name: "skainet"}, {Name: "2.10"}}}}

// A host is a machine for one test.
type host struct {
	*hosttest.Machine
	t *testing.T
}

func newHost(t *testing.T) host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("whose a file is takes root")
	}
	return host{hosttest.New(t, machine), t}
}

// replace alters a file.
func (h host) replace(path, old, new string) {
	h.t.Helper()
	text := h.Text(path)
	if !strings.Contains(text, old) {
		h.t.Fatalf("%s has no %q", path, old)
	}
	h.WriteFile(path, strings.ReplaceAll(text, old, new))
}

const (
	unitFile = "/etc/systemd/system/actions.runner.octo.box.service"
	settings = "/opt/actions-runner/.runner"
)

// draft imports and wants a spec that can be used.
func (h host) draft(gh adopt.GitHub) (*adopt.Draft, *spec.Spec) {
	h.t.Helper()
	dir, err := adopt.Choose(h, "")
	if err != nil {
		h.t.Fatal(err)
	}
	found, err := resources.Look(h, dir)
	if err != nil {
		h.t.Fatal(err)
	}
	d, err := adopt.Write(found, adopt.Ask(h.t.Context(), gh, found, "nobody was asked"), "bench7", "runner.yaml")
	if err != nil {
		h.t.Fatal(err)
	}
	s, err := spec.Load("runner.yaml", []byte(d.Text))
	if s == nil {
		h.t.Fatalf("%v\n%s", err, d.Text)
	}
	return d, s
}

// says wants lines of a spec, and those that begin with ! not to be there.
func says(t *testing.T, d *adopt.Draft, lines ...string) {
	t.Helper()
	for _, line := range lines {
		bare, absent := strings.CutPrefix(line, "!")
		if strings.Contains(d.Text, bare) == absent {
			t.Errorf("want %q in\n%s", line, d.Text)
		}
	}
}

func TestARunnerThatStaysWhereItIs(t *testing.T) {
	t.Parallel()
	d, s := newHost(t).draft(labelled)
	if s.InstallDir != "/opt/actions-runner" || !s.User.Existing || s.User.Name != "ana" || s.User.Home != "/home/ana" || s.Runner.AutoUpdate {
		t.Errorf("the spec is %+v", s)
	}
	if got := strings.Join(s.Runner.Labels, " "); got != "self-hosted Linux skainet 2.10" || s.Runner.Group != "bench hosts" || s.Runner.Name != "box" {
		t.Errorf("labels %q, group %q, name %q", got, s.Runner.Group, s.Runner.Name)
	}
	says(t, d, "installDir: /opt/actions-runner  # found there", "# user: gha-runner\n# installDir: /var/lib/gha-runner/actions-runner\n",
		"# governor: this host has no cpufreq", "# jdk: jobs find no java", "!autoUpdate", "!pts:")
	if len(d.Notes) != 0 {
		t.Errorf("notes %q", d.Notes)
	}
}

func TestWhatGitHubDoesNotSay(t *testing.T) {
	t.Parallel()
	for name, gh := range map[string]adopt.GitHub{
		"nobody was asked":                    nil,
		"cannot look at runner 7: not found":  hub{},
		"runner 7 is called other, not box":   hub{actions.Runner{ID: 7, Name: "other"}},
		"runner 7 is called \x1b[2J, not box": hub{actions.Runner{ID: 7, Name: "\x1b[2J"}},
	} {
		d, s := newHost(t).draft(gh)
		if s.Runner.Labels != nil || s.Runner.Group != "" {
			t.Errorf("%s: labels %q, group %q", name, s.Runner.Labels, s.Runner.Group)
		}
		says(t, d, "# labels: not known", "takes every other one away", strings.ReplaceAll(name, "\x1b", "?"), "!\x1b")
		if len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "write them into the spec") {
			t.Errorf("%s: notes %q", name, d.Notes)
		}
	}
}

// Whose account a job should not have, the spec does not have either.
func TestAnAccountThatIsNone(t *testing.T) {
	t.Parallel()
	for user, why := range map[string]string{
		"root":     "found: root, as whom no job must run",
		"nobody7":  "found: nobody7, an account that there is none of",
		"Ana.Bell": "found: Ana.Bell, which is no account for a runner",
	} {
		h := newHost(t)
		h.WriteFile("/etc/passwd", h.Text("/etc/passwd")+"Ana.Bell:x:1001:1001::/home/bell:/bin/sh\n")
		h.replace(unitFile, "User=ana", "User="+user)
		d, s := h.draft(labelled)
		if s.User.Name != "gha-runner" || s.User.Existing || s.InstallDir != "/var/lib/gha-runner/actions-runner" {
			t.Errorf("%s: the spec has %+v in %s", user, s.User, s.InstallDir)
		}
		says(t, d, why, "apply moves it")
	}
}

func TestWhatIsOddAboutARunner(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		odd  func(host)
		says []string
	}{
		"ephemeral": {func(h host) { h.replace(settings, `"disableUpdate"`, `"ephemeral": true, "disableUpdate"`) },
			[]string{"  ephemeral: true", "\nschedule: \"*/10 * * * *\"", "\ngithub: {tokenFile: /etc/benchctl/token}", "!# schedule"}},
		"a work directory elsewhere": {func(h host) { h.replace(settings, `"disableUpdate"`, `"workFolder": "/srv/work", "disableUpdate"`) },
			[]string{"  workDir: /srv/work"}},
		"a name that no spec has": {func(h host) { h.replace(settings, `"box"`, `"my box"`) },
			[]string{`  # left out: name: "my box" is not a name for a runner`}},
		"a name like a secret": {func(h host) { h.replace(settings, `"box"`, `"ghp_`+strings.Repeat("a", 36)+`"`) },
			[]string{"# left out: this looks like a GitHub token", "!ghp_a"}},
		"a version that is too old": {func(h host) { h.replace("/opt/actions-runner/bin/Runner.Listener.deps.json", "2.336.0", "2.328.0") },
			[]string{`version: "2.328.0"`, "# GitHub registers no runner older than 2.329.0"}},
		"no version": {func(h host) { h.WriteFile("/opt/actions-runner/bin/Runner.Listener.deps.json", "{") },
			[]string{`version: "latest"  # not found`}},
		"a drop-in": {func(h host) {
			h.WriteFile(unitFile+".d/cpu.conf", "[Service]\nCPUAffinity=2-5\nEnvironment=\"HTTPS_PROXY=http://p:3128\" X=1\n")
		},
			[]string{"# found: drop-ins of the unit, which apply moves aside: " + unitFile + ".d/cpu.conf", `    HTTPS_PROXY: "http://p:3128"`, "!X:"}},
		"a Java of nobody's": {func(h host) {
			h.WriteFile("/opt/jdk/bin/java", "")
			h.WriteFile("/opt/jdk/release", "JAVA_VERSION=\"21.0.1\"\n")
			h.WriteFile("/opt/actions-runner/.path", "relative:/opt/jdk/bin:/usr/bin\n")
		}, []string{"jdk: {version: 21, vendor: temurin}  # found: /opt/jdk, which no package brought"}}, // Debian 12 has 17
		"a Java that says nothing": {func(h host) {
			h.WriteFile("/opt/jdk/bin/java", "")
			h.WriteFile("/opt/actions-runner/.env", "JAVA_HOME=/opt/jdk\n")
		}, []string{"# jdk: jobs find a java in /opt/jdk, which does not say its version", "!JAVA_HOME"}},
		"an environment behind a link": {func(h host) {
			if err := os.Symlink("/etc/shadow", h.Path("/opt/actions-runner/.env")); err != nil {
				h.t.Fatal(err)
			}
		}, []string{"# not seen: the jobs' environment: cannot read .env: it is a link"}},
		"a group of many": {func(h host) { h.replace("/etc/group", "ana:x:1000:", "users:x:1000:") },
			[]string{"# Its group users is not its own"}},
		"no dpkg": {func(h host) {
			if err := os.Remove(h.Path("/var/lib/dpkg/status")); err != nil {
				h.t.Fatal(err)
			}
		}, []string{"# not seen: the Phoronix Test Suite and the JDK's package: cannot see the installed packages"}},
		"variables of all kinds": {func(h host) {
			h.WriteFile("/opt/actions-runner/.env", "B=2\nA=x: #y\nDB_PASSWORD=canary\nACTIONS_RUNNER_HOOK_JOB_STARTED=/x.sh\nP=ftp://u:canary@h\nODD-NAME=1\nAWS_SECRET_ACCESS_KEY=canary\nnonsense\n")
		}, []string{"# left out: AWS_SECRET_ACCESS_KEY: it is named like a secret", `    A: "x: #y"`, `    B: "2"`, "# left out: DB_PASSWORD: ", "# left out: P: it holds a password", "# left out: ODD-NAME: ", "!canary", "!HOOK", "!nonsense"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			c.odd(h)
			d, _ := h.draft(nil)
			says(t, d, c.says...)
		})
	}
}

// A runner that benchctl set up is no different, but for its account, which is to
// stay benchctl's. A spec that was lost comes back like that.
func TestARunnerOfBenchctls(t *testing.T) {
	t.Parallel()
	for home, want := range map[string]string{
		"/var/lib/bench": "user: bench  # found: User= of actions.runner.octo.box.service\n\nrunner:",
		"/srv/bench":     "user: {name: bench, home: /srv/bench}",
	} {
		h := newHost(t)
		h.WriteFile("/etc/passwd", "bench:x:900:900::"+home+":/usr/sbin/nologin\n")
		h.replace(unitFile, "User=ana", "User=bench")
		h.replace(unitFile, "/opt/", home+"/")
		at := h.Path(home)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.Rename(h.Path("/opt"), at), os.Chown(at, 0, 900), os.Chmod(at, os.ModeSticky|0o770)); err != nil {
			t.Fatal(err)
		}
		d, s := h.draft(labelled)
		if s.User.Existing || s.InstallDir != home+"/actions-runner" {
			t.Errorf("the spec has %+v in %s", s.User, s.InstallDir)
		}
		says(t, d, want, "!Recommended, once")
	}
}

func TestARunnerThatNoUnitStarts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if err := errors.Join(os.Remove(h.Path(unitFile)), os.Chown(h.Path(settings), 1000, 1000), os.Chown(h.Path("/opt"), 1000, 0)); err != nil {
		t.Fatal(err)
	}
	d, s := h.draft(nil)
	if s.User.Name != "ana" || s.InstallDir != "/var/lib/ana/actions-runner" {
		t.Errorf("the spec has %+v in %s", s.User, s.InstallDir)
	}
	says(t, d, "whose .runner is; no unit starts it", "# (./svc.sh install ana), or apply registers it anew", "!apply moves it")
}

// Jobs name directories, and a stray runner is found by its directory.
func TestADirectoryThatSpeaksYAML(t *testing.T) {
	t.Parallel()
	dir := "/var/lib/ana/actions-runner\ngithub: {tokenFile: /root/other}\nmetrics: /etc/x.prom"
	for name, s := range map[string]*resources.Survey{
		"an account of its own": {Own: true, User: "ana", Home: "/var/lib/ana"},
		"one that there was":    {User: "ana", Home: "/home/ana"},
	} {
		s.Dir, s.Registration = dir, resources.Registration{ID: 1, URL: "https://github.com/o/r", Name: "box", WorkDir: "_work"}
		d, err := adopt.Write(s, adopt.View{}, "bench7", "runner.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := spec.Load("runner.yaml", []byte(d.Text)); got == nil || got.GitHub != (spec.GitHub{}) || got.Metrics != "" {
			t.Errorf("%s: %v\n%s", name, err, d.Text)
		}
	}
}

// Whoever has a home names directories that import finds.
func TestDirectoriesThatSpeakToTheTerminal(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if err := os.Remove(h.Path(unitFile)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"actions-runner", "actions-runner\x1b[31m\nbenchctl: done"} {
		h.WriteFile("/home/ana/"+dir+"/.runner", "{}")
	}
	_, err := adopt.Choose(h, "")
	if err == nil || !strings.Contains(err.Error(), "/home/ana/actions-runner and ") || strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Errorf("%q", err)
	}
}

// FuzzWrite: whatever `.runner` holds, what is written is a spec that can be used,
// or there is a sentence.
func FuzzWrite(f *testing.F) {
	f.Add("https://github.com/o/r", "box", "_work", "A=1\n", "linux")
	f.Add("https://github.com/o", "b\nx: y", "/srv/x", "A=#\nB=\x00", "a, b]")
	f.Fuzz(func(t *testing.T, url, name, work, env, label string) {
		vars := map[string]string{}
		for line := range strings.Lines(env) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			vars[key] = value
		}
		found := &resources.Survey{Dir: "/opt/" + work, User: name, Home: work, Unsafe: env, Env: vars, Version: label,
			Registration: resources.Registration{ID: 1, URL: url, Name: name, WorkDir: work, AutoUpdate: true}}
		d, err := adopt.Write(found, adopt.View{Seen: true, Labels: []string{label, name}, Group: work}, name, "runner.yaml")
		if err != nil {
			return
		}
		if s, err := spec.Load("runner.yaml", []byte(d.Text)); s == nil {
			t.Errorf("%v\n%s", err, d.Text)
		}
	})
}
