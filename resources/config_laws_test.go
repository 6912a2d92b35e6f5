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

// Law 12: without a person, only what is gone is registered anew.
func TestConfigUnattended(t *testing.T) {
	t.Parallel()
	deleted := func(b *bench) { b.gh.runners = nil }
	for name, c := range map[string]struct {
		spoil func(*bench)
		want  string // "" is mended; else the error
	}{
		".runner wiped by the Listener": {func(b *bench) { deleted(b); os.Remove(b.Path(configDir + "/.runner")) }, ""},
		".runner kept, 404 for the id":  {deleted, ""},
		"another name":                  {func(b *bench) { b.Name = "new" }, "name is box-bench, not new"},
		"a key deleted":                 {func(b *bench) { os.Remove(b.Path(configDir + "/.credentials_rsaparams")) }, "without a person"},
		"another runner's id": {func(b *bench) {
			b.configured(8, "box-bench", b.URL.Text, `"disableUpdate":true`)
			b.gh.runners = append(b.gh.runners, actions.Runner{ID: 8, Name: "precious"})
		}, "without a person: registration is id 8 here, which at GitHub is the runner precious"},
		"labels": {func(b *bench) { b.gh.runners[0].Labels = defaults() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := inStep(t)
			b.Unattended = true
			c.spoil(b)
			if c.want == "" {
				b.apply(t)
				return
			}
			before := b.Tree()
			_, err := b.Diff(t.Context(), b.Machine)
			if err == nil || errors.Is(err, reconcile.ErrUnknown) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v", err)
			}
			if err := b.Apply(t.Context(), b.Machine); err == nil {
				t.Error("Apply did it")
			}
			if differ := hosttest.SameTree(before, b.Tree()); len(differ) > 0 || len(b.Ran) > 0 {
				t.Errorf("it touched %q and ran %q", differ, b.Ran)
			}
		})
	}
}

// Law 12: a 404 counts only while the list of the same scope answers.
func TestConfigAnother404IsUnknown(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*fakeGitHub){
		"the list is a 404": func(g *fakeGitHub) {
			g.runners, g.listErr = nil, fmt.Errorf("either gone or hidden: %w", actions.ErrNotFound)
		},
		"the list fails": func(g *fakeGitHub) { g.listErr = errors.New("GitHub is in trouble") },
		"the look fails": func(g *fakeGitHub) {
			g.runners = []actions.Runner{{ID: 7, Name: "renamed"}}
			g.getErr = errors.New("GitHub is in trouble")
		},
	} {
		b := inStep(t)
		b.Unattended = true
		spoil(b.gh)
		changes, err := b.Diff(t.Context(), b.Machine)
		if len(changes) > 0 || !errors.Is(err, reconcile.ErrUnknown) {
			t.Errorf("%s: %s, %v", name, lines(changes), err)
		}
	}
}

func TestConfigTakesNobodysName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.gh.runners = []actions.Runner{{ID: 42, Name: "BOX-bench", Status: "online"}}
	before := b.Tree()
	for range 2 { // nor once a first refusal has been seen
		_, err := b.Diff(t.Context(), b.Machine)
		if err == nil || !strings.Contains(err.Error(), "id 42, online, which this host did not make") ||
			!strings.Contains(err.Error(), "https://github.com/octo/bench/settings/actions/runners") || !strings.Contains(err.Error(), "--take-over") {
			t.Errorf("the error is %v", err)
		}
		if err := b.Apply(t.Context(), b.Machine); err == nil {
			t.Error("Apply took it over")
		}
	}
	if differ := hosttest.SameTree(before, b.Tree()); len(differ) > 0 || len(b.Ran) > 0 {
		t.Errorf("it touched %q and ran %q", differ, b.Ran)
	}
	b.Applying = false
	if got := b.diff(t); !strings.HasPrefix(got, "registration: absent here; GitHub has a runner BOX-bench with id 42, online ->") {
		t.Errorf("diff shows %q", got)
	}
	b.TakeOver = true
	b.apply(t)
	if !slices.Contains(b.Ran[0], "--replace") {
		t.Errorf("ran %q", b.Ran)
	}
}

// A record of one's own registration is no claim on whoever has the name now.
func TestConfigNoticesThatItsNameWasTaken(t *testing.T) {
	t.Parallel()
	b := inStep(t)
	b.offlineRecord(7)
	b.gh.runners = []actions.Runner{{ID: 42, Name: "box-bench", Status: "offline"}}
	if _, err := b.Diff(t.Context(), b.Machine); err == nil || !strings.Contains(err.Error(), "id 42") {
		t.Errorf("the error is %v", err)
	}
}

// Killed between GitHub's answer and `.runner`, benchctl knows its own.
func TestConfigKnowsWhatACrashLeft(t *testing.T) {
	t.Parallel()
	crash := func(b *bench) {
		whole := b.OnRun
		b.OnRun = func(cmd host.Command) (host.Output, error) {
			if _, err := whole(cmd); err != nil {
				t.Fatal(err)
			}
			os.Remove(b.Path(configDir + "/.runner"))
			return host.Output{}, errors.New("killed")
		}
		if err := b.Apply(t.Context(), b.Machine); err == nil {
			t.Fatal("no error")
		}
		b.OnRun = whole
	}
	b := newBench(t)
	crash(b)
	b.Unattended = true
	b.apply(t)
	if last := b.Ran[len(b.Ran)-1]; !slices.Contains(last, "--replace") {
		t.Errorf("ran %q", last)
	}

	online := newBench(t)
	crash(online)
	online.gh.runners[0].Status = "online" // nothing here can be
	if err := online.Apply(t.Context(), online.Machine); err == nil || !strings.Contains(err.Error(), "did not make") {
		t.Errorf("an entry that is in use was taken over: %v", err)
	}

	lost := newBench(t)
	crash(lost)
	os.Remove(lost.Path(registrationFile))
	if err := lost.Apply(t.Context(), lost.Machine); err == nil || !strings.Contains(err.Error(), "--take-over") {
		t.Errorf("without its record: %v", err)
	}
}

// Law 11: whoever writes `.runner` cannot have another's registration deleted.
func TestConfigDeletesOnlyWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.configured(9, "precious", b.URL.Text, `"disableUpdate":true`)
	b.gh.runners = []actions.Runner{{ID: 9, Name: "precious", Status: "online", Labels: defaults("x86_64", "skainet")}}
	if got := b.diff(t); got != "name: precious -> box-bench [re-register]" {
		t.Fatal(got)
	}
	var said []string
	ctx := reconcile.WithProgress(t.Context(), func(line string) { said = append(said, line) })
	if err := b.Apply(ctx, b.Machine); err != nil {
		t.Fatal(err)
	}
	if len(b.gh.runners) != 2 || slices.Contains(b.gh.calls, "delete 9") || !strings.Contains(strings.Join(said, "\n"), "leaving a runner precious") {
		t.Errorf("asked %q, said %q", b.gh.calls, said)
	}
}

// What a job put in the way of the files goes, and what it points to stays.
func TestConfigRemovesWhatConfigShCannot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.WriteFile("/etc/precious", "x")
	b.WriteFile(configDir+"/.runner/full/of", "files")
	if err := os.Symlink(b.Path("/etc/precious"), b.Path(configDir+"/.credentials")); err != nil {
		t.Fatal(err)
	}
	b.offlineRecord(0)
	b.apply(t)
	if b.Text("/etc/precious") != "x" {
		t.Error("the target of a link was changed")
	}
}

// Without a token nothing is taken down.
func TestConfigKeepsTheOldUntilItHasAToken(t *testing.T) {
	t.Parallel()
	b := inStep(t)
	b.Ephemeral = true
	b.gh.mintErr = errors.New("cannot get a registration token")
	before := b.Tree()
	if err := b.Apply(t.Context(), b.Machine); !errors.Is(err, b.gh.mintErr) {
		t.Errorf("the error is %v", err)
	}
	if differ := hosttest.SameTree(before, b.Tree()); len(differ) > 0 || len(b.gh.runners) != 1 {
		t.Errorf("it touched %q; GitHub has %v", differ, b.gh.runners)
	}
}

func TestConfigShFaultsBecomeSentences(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"Http response code: NotFound from 'POST https://api.github.com/actions/runner-registration' (Request Id: X)\n{\"message\":\"Not Found\"}\nResponse status code does not indicate success: 404 (Not Found).": "older than an hour",
		"Response status code does not indicate success: 401 (Unauthorized).":                                      "refuses the registration token",
		"A runner exists with the same name box-bench.":                                                            "runner called box-bench already",
		`Could not find any self-hosted runner group named "x".`:                                                   "no runner group",
		"Cannot configure the runner because it is already configured. To reconfigure the runner, run 'config.cmd": "already configured",
		"Libicu's dependencies is missing for Dotnet Core 6.0":                                                     "apply --only packages",
		"Must not run with sudo": "run as root",
		"Runner version v2.300.0 is deprecated and cannot receive messages.": "runner.version",
		"No space left on device": "disk is full",
		"The SSL connection could not be established, see inner exception.": "certificate",
		"Name or service not known (api.github.com:443)":                    "cannot reach GitHub",
		"something new \x1b[31mand red":                                     `and said: something new \x1b[31mand red; see`,
		"":                                                                  "and said: nothing",
	} {
		b := newBench(t)
		b.OnRun = func(cmd host.Command) (host.Output, error) { return fails(cmd, said) }
		err := b.Apply(t.Context(), b.Machine)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "cannot register box-bench at https://github.com/octo/bench: ") {
			t.Errorf("%q: %v; want %q", said, err, want)
		}
	}
}

func TestConfigIsLoweredFromTheSpec(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	s := &spec.Spec{InstallDir: configDir, User: spec.User{Name: "u"}, Runner: spec.Runner{
		Name: "{hostname}-bench", WorkDir: "_work", Env: map[string]string{"https_proxy": "http://inner:3128"}}}
	getenv := func(k string) string {
		return map[string]string{"https_proxy": "http://outer:3128", "no_proxy": "localhost", "GITHUB_TOKEN": configCanary}[k]
	}
	c := NewConfig(m, s, getenv)
	want := []string{"PATH=" + systemPath, "https_proxy=http://inner:3128", "no_proxy=localhost"}
	if !slices.Equal(c.Env, want) {
		t.Errorf("environment %q, want %q", c.Env, want)
	}
	if !strings.HasSuffix(c.Name, "-bench") || strings.Contains(c.Name, "{") {
		t.Errorf("name %q, warning %q", c.Name, movedHost(m, s))
	}
	c.URL = spec.URL{Text: "https://github.com/octo", Scope: spec.Organization, Owner: "octo"}
	if got := c.page(); got != "https://github.com/organizations/octo/settings/actions/runners" {
		t.Errorf("the runners' page is %s", got)
	}
}

func TestConfigWarnsOfAHostThatWasRenamed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a unit file that belongs to root takes root")
	}
	m := hosttest.New(t, "")
	m.WriteFile(unitDir+"/actions.runner.octo.old-bench.service",
		"[Service]\nWorkingDirectory="+unitText(configDir)+"\n[X-Benchctl]\nRunnerTemplate={hostname}-bench\nRunner=old-bench\n")
	s := &spec.Spec{InstallDir: configDir, Runner: spec.Runner{Name: "{hostname}-bench"}}
	c := NewConfig(m, s, func(string) string { return "" })
	if c.Name != "old-bench" || !strings.Contains(movedHost(m, s), "keeps the name old-bench") {
		t.Errorf("name %q, warning %q", c.Name, movedHost(m, s))
	}
}
