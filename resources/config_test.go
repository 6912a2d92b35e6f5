package resources

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const (
	configDir    = "/var/lib/gha-runner/actions-runner"
	configCanary = "AAAACANARYCANARYCANARYCANARYA"
)

// A bench is a Config with the machine and the GitHub that it lives between.
type bench struct {
	*Config
	*hosttest.Machine
	gh  *fakeGitHub
	env []string // of the last command
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{gh: &fakeGitHub{page: "https://github.com/octo/bench", groups: []actions.Group{{ID: 1, Name: "Default", Default: true}, {ID: 2, Name: "bench"}}}}
	b.Machine = hosttest.New(t, "-- etc/passwd --\ngha-runner:x:900:900::/var/lib/gha-runner:/usr/sbin/nologin\n-- etc/group --\ngha-runner:x:900:\n")
	b.Machine.WriteFile(configDir+"/", "")
	b.OnRun = b.run
	b.Config = &Config{
		URL:    spec.URL{Text: "https://github.com/octo/bench", Scope: spec.Repository, Owner: "octo", Repo: "bench"},
		Name:   "box-bench",
		Labels: []string{"self-hosted", "linux", "x86_64", "skainet"}, WorkDir: "_work",
		User: "gha-runner", InstallDir: configDir, Env: []string{"PATH=/usr/bin:/bin"},
		GitHub: b.gh, Applying: true,
	}
	return b
}

// organize moves a bench from its repository to an organisation.
func (b *bench) organize() {
	b.URL = spec.URL{Text: "https://github.com/octo", Scope: spec.Organization, Owner: "octo"}
}

// run does what config.sh does.
func (b *bench) run(cmd host.Command) (host.Output, error) {
	b.env = cmd.Env
	args := cmd.Argv[1:]
	if args[0] == "remove" {
		for _, name := range localFiles {
			os.Remove(b.Path(configDir + "/" + name))
		}
		return host.Output{}, nil
	}
	value := func(name string) string {
		if i := slices.Index(args, name); i >= 0 {
			return args[i+1]
		}
		return ""
	}
	name := value("--name")
	for i, r := range b.gh.runners {
		if !strings.EqualFold(r.Name, name) {
			continue
		}
		if !slices.Contains(args, "--replace") {
			return fails(cmd, "A runner exists with the same name "+name+".")
		}
		b.gh.runners = slices.Delete(b.gh.runners, i, i+1)
		break
	}
	labels := defaults()
	if custom := value("--labels"); custom != "" {
		labels = defaults(strings.Split(custom, ",")...)
	}
	group := int64(1)
	if value("--runnergroup") == "bench" {
		group = 2
	}
	b.gh.runners = append(b.gh.runners, actions.Runner{ID: 77, Name: name, Status: "offline", GroupID: group, Labels: labels})
	b.configured(77, name, value("--url"), fmt.Sprintf(`"ephemeral":%v,"disableUpdate":%v,"workFolder":%q`,
		slices.Contains(args, "--ephemeral"), slices.Contains(args, "--disableupdate"), value("--work")))
	return host.Output{}, nil
}

func fails(cmd host.Command, said string) (host.Output, error) {
	out := host.Output{Stderr: []byte(said + "\n")}
	return out, &host.CommandError{Argv: cmd.Argv, Status: 1, Output: out}
}

// configured writes what config.sh leaves behind.
func (b *bench) configured(id int64, name, url, more string) {
	b.WriteFile(configDir+"/.runner", fmt.Sprintf("\xEF\xBB\xBF{\"agentId\":%d,\"agentName\":%q,\"poolName\":\"Default\",\"gitHubUrl\":%q,%s}", id, name, url, more))
	b.WriteFile(configDir+"/.credentials", "{}")
	b.WriteFile(configDir+"/.credentials_rsaparams", "{}")
}

// inStep is a bench that needs nothing.
func inStep(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.configured(7, "box-bench", "https://github.com/octo/bench", `"disableUpdate":true,"workFolder":"_work"`)
	b.gh.runners = []actions.Runner{{ID: 7, Name: "box-bench", Status: "offline", GroupID: 1, Labels: defaults("x86_64", "skainet")}}
	return b
}

func (b *bench) diff(t *testing.T) string {
	t.Helper()
	changes, err := b.Diff(t.Context(), b.Machine)
	if err != nil {
		t.Fatal(err)
	}
	return lines(changes)
}

func lines(changes []reconcile.Change) string {
	var all []string
	for _, c := range changes {
		line := fmt.Sprintf("%s: %s -> %s", c.Field, c.Have, c.Want)
		if len(c.Effects) > 0 {
			line += fmt.Sprintf(" %s", c.Effects)
		}
		all = append(all, line)
	}
	return strings.Join(all, "\n")
}

func (b *bench) apply(t *testing.T) {
	t.Helper()
	if err := b.Apply(t.Context(), b.Machine); err != nil {
		t.Fatal(err)
	}
	if rest := b.diff(t); rest != "" {
		t.Errorf("still differs: %s", rest)
	}
}

func TestConfigInStepAsksOnce(t *testing.T) {
	t.Parallel()
	b := inStep(t)
	before := b.Tree()
	if got := b.diff(t); got != "" {
		t.Error(got)
	}
	if want := []string{"list box-bench"}; !slices.Equal(b.gh.calls, want) {
		t.Errorf("asked GitHub %q, want %q", b.gh.calls, want)
	}
	if differ := hosttest.SameTree(before, b.Tree()); len(differ) > 0 {
		t.Errorf("Diff changed %q", differ)
	}
}

func TestConfigRegistersABareHost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if got, want := b.diff(t), "registration: absent -> box-bench at https://github.com/octo/bench [re-register]"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	b.apply(t)
	want := []string{configDir + "/config.sh", "--unattended", "--url", "https://github.com/octo/bench", "--name", "box-bench",
		"--work", "_work", "--labels", "x86_64,skainet", "--disableupdate"}
	if len(b.Ran) != 1 || !slices.Equal(b.Ran[0], want) {
		t.Errorf("ran %q\nwant %q", b.Ran, want)
	}
	wantEnv := []string{"HOME=/var/lib/gha-runner", "USER=gha-runner", "LANG=C.UTF-8", "PATH=/usr/bin:/bin", "ACTIONS_RUNNER_INPUT_TOKEN=" + configCanary}
	if !slices.Equal(b.env, wantEnv) {
		t.Errorf("with environment %q", b.env)
	}
}

func TestConfigNeverShowsTheToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.OnRun = func(cmd host.Command) (host.Output, error) { return fails(cmd, "what is "+configCanary+"?") }
	var said []string
	ctx := reconcile.WithProgress(t.Context(), func(line string) { said = append(said, line) })
	err := b.Apply(ctx, b.Machine)
	if err == nil || !strings.Contains(err.Error(), "config.sh ended with status 1 and said: what is [secret]?") {
		t.Errorf("the error is %v", err)
	}
	var kept *host.CommandError
	if errors.As(err, &kept) {
		t.Error("the error holds the command's raw output")
	}
	everything := fmt.Sprintf("%q %q %+v %#v %v", b.Ran, said, b.Config, err, b.Tree())
	if strings.Contains(everything, configCanary) {
		t.Errorf("the token is in %s", everything)
	}
}

func TestConfigDrift(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*bench)
		want  string
	}{
		"url": {func(b *bench) {
			b.configured(7, "box-bench", "https://github.com/octo/old", `"disableUpdate":true`)
			b.gh.runners = nil
		}, "url: https://github.com/octo/old -> https://github.com/octo/bench [re-register]"},
		"name": {func(b *bench) {
			b.offlineRecord(7)
			b.Name = "new-name"
		}, "name: box-bench -> new-name [re-register]"},
		"ephemeral":  {func(b *bench) { b.Ephemeral = true }, "ephemeral: false -> true [re-register]"},
		"autoUpdate": {func(b *bench) { b.AutoUpdate = true }, "autoUpdate: false -> true [re-register]"},
		"workDir":    {func(b *bench) { b.WorkDir = "/data/work" }, "workDir: _work -> /data/work [re-register]"},
		"a label gone": {func(b *bench) { b.gh.runners[0].Labels = defaults("skainet") },
			"labels: self-hosted, linux, skainet, X64 -> self-hosted, linux, x86_64, skainet, X64"},
		"a label too many": {func(b *bench) { b.gh.runners[0].Labels = defaults("zed", "x86_64", "skainet") },
			"labels: self-hosted, linux, x86_64, skainet, X64, zed -> self-hosted, linux, x86_64, skainet, X64"},
		"deleted at GitHub": {func(b *bench) { b.gh.runners = nil },
			"registration: deleted at GitHub (id 7) -> box-bench at https://github.com/octo/bench [re-register]"},
		".runner deleted": {func(b *bench) { os.Remove(b.Path(configDir + "/.runner")); b.offlineRecord(7) },
			"registration: absent here; GitHub has a runner box-bench with id 7, offline -> box-bench at https://github.com/octo/bench [re-register]"},
		".runner is a link": {func(b *bench) {
			os.Remove(b.Path(configDir + "/.runner"))
			os.Symlink("/etc/passwd", b.Path(configDir+"/.runner"))
			b.offlineRecord(7)
		}, "registration: unusable here: .runner is no plain file of reasonable size -> box-bench at https://github.com/octo/bench [re-register]"},
		".runner is nonsense": {func(b *bench) { b.WriteFile(configDir+"/.runner", "[}"); b.offlineRecord(7) },
			"registration: unusable here: .runner is not the JSON that config.sh writes -> box-bench at https://github.com/octo/bench [re-register]"},
		"no key": {func(b *bench) { os.Remove(b.Path(configDir + "/.credentials_rsaparams")) },
			"registration: unusable here: .credentials_rsaparams is missing -> box-bench at https://github.com/octo/bench [re-register]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := inStep(t)
			c.spoil(b)
			if got := b.diff(t); got != c.want {
				t.Fatalf("got  %q\nwant %q", got, c.want)
			}
			b.apply(t)
			if n := len(b.gh.runners); n != 1 {
				t.Errorf("GitHub has %d runners now: %v", n, b.gh.runners)
			}
		})
	}
}

// offlineRecord is what a finished registration leaves in root's own state.
func (b *bench) offlineRecord(id int64) {
	rec := record{URL: b.URL.Text, Name: b.Name, ID: id, Ours: true}
	if err := rec.write(b.Machine); err != nil {
		panic(err)
	}
}

func TestConfigReadsWhateverWroteIt(t *testing.T) {
	t.Parallel()
	b := inStep(t)
	b.WriteFile(configDir+"/.runner_migrated", `{"AgentId":"7","AgentName":"BOX-bench","GitHubUrl":"https://github.com/Octo/Bench/","DisableUpdate":"True","Ephemeral":"False"}`)
	b.WriteFile(configDir+"/.runner", "not even JSON")
	if got := b.diff(t); got != "" {
		t.Error(got)
	}
}

func TestConfigLabels(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at   []actions.Label
		in   bool
		send string
	}{
		"in another case":           {defaults("X86_64", "SkaiNET"), true, "x86_64,skainet"},
		"in another order":          {defaults("skainet", "x86_64"), true, "x86_64,skainet"},
		"allowed ones may be there": {defaults("skainet", "x86_64", "Extra"), true, "Extra,x86_64,skainet"},
		"others may not":            {defaults("skainet", "x86_64", "other"), false, "x86_64,skainet"},
		"registered without defaults": {[]actions.Label{{Name: "x86_64", Type: "custom"}, {Name: "skainet", Type: "custom"}},
			false, "self-hosted,linux,x86_64,skainet"},
	} {
		conf := &Config{Labels: []string{"self-hosted", "linux", "x86_64", "skainet"}, AllowLabels: []string{"extra"}}
		have, want, send := conf.labels(c.at)
		if (have == want) != c.in || strings.Join(send, ",") != c.send {
			t.Errorf("%s: have %q, want %q, send %q", name, have, want, send)
		}
	}
}

func TestConfigGroupMovesInPlace(t *testing.T) {
	t.Parallel()
	b := inStep(t)
	b.organize()
	b.configured(7, "box-bench", b.URL.Text, `"disableUpdate":true`)
	b.Group = "Bench"
	if got := b.diff(t); got != "group: Default -> Bench" {
		t.Fatal(got)
	}
	b.apply(t)
	if len(b.Ran) != 0 || !slices.Contains(b.gh.calls, "move 7 to 2") {
		t.Errorf("ran %q, asked %q", b.Ran, b.gh.calls)
	}
	// Without credentials the move is remembered, though .runner is stale.
	b.Config.GitHub = nil
	if changes, err := b.Diff(t.Context(), b.Machine); !errors.Is(err, reconcile.ErrUnknown) || len(changes) > 0 {
		t.Errorf("without credentials: %s, %v", lines(changes), err)
	}
	b.Group = "nobody's"
	b.Config.GitHub = b.gh
	if err := b.Apply(t.Context(), b.Machine); err == nil || !strings.Contains(err.Error(), "Default, bench") {
		t.Errorf("a group that is not there: %v", err)
	}
	b.URL.Scope = spec.Repository
	if _, err := b.Diff(t.Context(), b.Machine); err == nil || !strings.Contains(err.Error(), "have no groups") {
		t.Errorf("a repository with a group: %v", err)
	}
}

// A pass asks for the groups once a day, but not where it would change something
// because of an old answer.
func TestConfigTakesOldGroupsForWhatIsInStep(t *testing.T) {
	t.Parallel()
	b := inStep(t)
	b.organize()
	b.configured(7, "box-bench", b.URL.Text, `"disableUpdate":true`)
	b.gh.runners[0].GroupID, b.Group, b.Sparing = 2, "bench", true
	for name, tt := range map[string]struct {
		stale []actions.Group
		want  []string
	}{
		"as they are":       {nil, []string{"old groups"}},
		"renamed meanwhile": {[]actions.Group{{ID: 2, Name: "old name"}}, []string{"old groups", "groups"}},
		"new":               {[]actions.Group{{ID: 1, Name: "Default"}}, []string{"old groups", "groups"}},
	} {
		b.gh.stale, b.gh.calls = tt.stale, nil
		if got := b.diff(t); got != "" {
			t.Errorf("%s: differs: %s", name, got)
		}
		if asked := slices.DeleteFunc(b.gh.calls, func(c string) bool { return !strings.HasSuffix(c, "groups") }); !slices.Equal(asked, tt.want) {
			t.Errorf("%s: asked %q, want %q", name, asked, tt.want)
		}
	}
	b.Sparing, b.gh.calls = false, nil
	if b.diff(t); slices.Contains(b.gh.calls, "old groups") {
		t.Errorf("a person was given old groups: %q", b.gh.calls)
	}
}

func TestConfigWithoutCredentials(t *testing.T) {
	t.Parallel()
	b := inStep(t)
	b.Config.GitHub = nil
	_, err := b.Diff(t.Context(), b.Machine)
	if !errors.Is(err, reconcile.ErrUnknown) || !strings.Contains(err.Error(), "set GITHUB_TOKEN") {
		t.Errorf("in step: %v", err)
	}
	b.Offline = true
	if _, err = b.Diff(t.Context(), b.Machine); !errors.Is(err, reconcile.ErrUnknown) || !strings.Contains(err.Error(), "--offline") {
		t.Errorf("offline: %v", err)
	}
	b.Offline, b.Ephemeral, b.Applying = false, true, false
	if got := b.diff(t); got != "ephemeral: false -> true [re-register]" {
		t.Errorf("what is seen locally: %q", got)
	}
	b.Applying = true
	if _, err := b.Diff(t.Context(), b.Machine); err == nil || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("apply would stop the service for nothing: %v", err)
	}
}

func TestConfigWithAPastedTokenAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Config.GitHub, b.Token = nil, configCanary
	if err := b.Apply(t.Context(), b.Machine); err != nil {
		t.Fatal(err)
	}
	if len(b.gh.calls) != 0 || b.env[len(b.env)-1] != "ACTIONS_RUNNER_INPUT_TOKEN="+configCanary {
		t.Errorf("asked %q, environment %q", b.gh.calls, b.env)
	}
	// What it made is its own: it may make it again.
	os.Remove(b.Path(configDir + "/.runner"))
	if err := b.Apply(t.Context(), b.Machine); err != nil {
		t.Error(err)
	}
	b.Offline = true
	os.Remove(b.Path(configDir + "/.runner"))
	if err := b.Apply(t.Context(), b.Machine); err == nil || !strings.Contains(err.Error(), "--offline") {
		t.Errorf("offline: %v", err)
	}
}
