package github_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// TestMain makes the test binary play the runner's programs when the package
// that carries it calls them.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); slices.Contains(runner.Names, name) {
		os.Exit(runner.Main(name, os.Args[1:]))
	}
	os.Exit(m.Run())
}

const (
	installDir = "/var/lib/gha-runner/actions-runner"
	apiToken   = "ghp_canaryCANARYcanaryCANARYcanaryCANARY"
	nobody     = 65534
)

// A place is a registration between the real client, a stand-in GitHub and the
// stand-in's config.sh, run as another user.
type place struct {
	*resources.Config
	*hosttest.Machine
	srv   *standin.Server
	scope standin.Scope
}

func newPlace(t *testing.T, organization bool) *place {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("running config.sh as another user takes root")
	}
	srv, err := standin.Start(standin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		srv.Close()
		for _, v := range srv.Violations() {
			t.Error(v)
		}
	})
	srv.AcceptToken(apiToken)
	p := &place{srv: srv, scope: standin.Repo("octo/bench")}
	u := spec.URL{Text: srv.URL() + "/octo/bench", Scope: spec.Repository, Owner: "octo", Repo: "bench", API: srv.URL() + "/api/v3/"}
	if organization {
		p.scope = standin.Org("octo")
		u.Text, u.Scope, u.Repo = srv.URL()+"/octo", spec.Organization, ""
	}
	client, err := github.New(github.Options{URL: u, Version: "test", PublicAPI: u.API,
		Credentials: github.Credentials{Token: apiToken, Source: "GH_TOKEN"}})
	if err != nil {
		t.Fatal(err)
	}
	p.Machine = hosttest.New(t, fmt.Sprintf("-- etc/passwd --\nrunner:x:%d:%d::/var/lib/gha-runner:/usr/sbin/nologin\n-- etc/group --\n", nobody, nobody))
	p.OnRun = p.run
	p.unpack(t)
	p.Config = &resources.Config{
		URL: u, Name: "box", Labels: []string{"self-hosted", "linux", "x86_64", "skainet"}, WorkDir: "_work",
		User: "runner", InstallDir: installDir, Env: []string{"PATH=" + os.Getenv("PATH")}, GitHub: client, Applying: true,
	}
	return p
}

// unpack lays the stand-in's package out, as a user who is not root may use it.
func (p *place) unpack(t *testing.T) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	asset, err := standin.RunnerArchive(standin.ArchiveOptions{Version: "2.336.0", Binary: exe, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	dir := p.Path(installDir)
	p.WriteFile(installDir+"/", "")
	if out, err := exec.Command("tar", "xzf", asset.Path, "--no-same-owner", "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	// A test's directories are closed to other users.
	for at := p.Root; at != filepath.Dir(os.TempDir()); at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o055 != 0o055 {
			err = os.Chmod(at, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// run runs a command in the machine's directory.
func (p *place) run(cmd host.Command) (host.Output, error) {
	c := exec.Command(p.Path(cmd.Argv[0]), cmd.Argv[1:]...)
	c.Dir, c.Env = p.Path(cmd.Dir), cmd.Env
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(cmd.User.UID), Gid: uint32(cmd.User.GID)}}
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	out := host.Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
	if err != nil {
		return out, &host.CommandError{Argv: cmd.Argv, Status: c.ProcessState.ExitCode(), Output: out}
	}
	return out, nil
}

// settle applies and looks again.
func (p *place) settle(t *testing.T) {
	t.Helper()
	if err := p.Apply(t.Context(), p.Machine); err != nil {
		t.Fatal(err)
	}
	if changes, err := p.Diff(t.Context(), p.Machine); err != nil || len(changes) > 0 {
		t.Fatalf("afterwards %v, %v", changes, err)
	}
}

func (p *place) fields(t *testing.T) string {
	t.Helper()
	changes, err := p.Diff(t.Context(), p.Machine)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range changes {
		names = append(names, c.Field)
	}
	return strings.Join(names, " ")
}

// keeps fails when a secret is on a command line or in a file, other than the
// test's own program.
func (p *place) keeps(t *testing.T, secret string) {
	t.Helper()
	if strings.Contains(fmt.Sprint(p.Ran), secret) {
		t.Error("the token is on a command line")
	}
	for path, text := range p.Tree() {
		if len(text) < 1<<20 && strings.Contains(text, secret) {
			t.Errorf("the token is in %s", path)
		}
	}
}

func (p *place) id(t *testing.T) int64 {
	t.Helper()
	r, ok := p.srv.Runner(p.scope, p.Name)
	if !ok || len(p.srv.Runners(p.scope)) != 1 {
		t.Fatalf("GitHub has %v", p.srv.Runners(p.scope))
	}
	return r.ID
}

func TestRegisteringWithConfigSh(t *testing.T) {
	t.Parallel()
	p := newPlace(t, false)
	step := func(want string, spoil func()) {
		t.Helper()
		spoil()
		if got := p.fields(t); got != want {
			t.Fatalf("differs in %q, want %q", got, want)
		}
		p.settle(t)
		p.id(t)
	}
	step("registration", func() {})
	step("labels", func() { p.srv.SetLabels(p.id(t), "skainet", "stray") })
	step("registration", func() { p.srv.DeleteRunner(p.id(t)) })                      // `.runner` is kept
	step("registration", func() { p.srv.DeleteRunner(p.id(t)); p.remove(".runner") }) // and wiped
	step("registration", func() { p.remove(".runner") })
	step("ephemeral", func() { p.Ephemeral = true })
	step("autoUpdate", func() { p.AutoUpdate = true })
	step("name", func() { p.Name = "another" })
	step("workDir", func() { p.WorkDir = "_elsewhere" })
	p.keeps(t, apiToken)
}

// A runner that is good for one job is registered without config.sh.
func TestRegisteringForOneJob(t *testing.T) {
	t.Parallel()
	for _, organization := range []bool{false, true} {
		p := newPlace(t, organization)
		p.Ephemeral = true
		p.settle(t)
		first := p.id(t)
		if len(p.Ran) > 0 || len(p.srv.JITConfigs()) != 1 {
			t.Errorf("ran %q, GitHub gave out %d", p.Ran, len(p.srv.JITConfigs()))
		}
		p.keeps(t, p.srv.JITConfigs()[0])
		p.keeps(t, apiToken)
		p.srv.DeleteRunner(first) // as with a job's end
		for _, name := range []string{".runner", ".credentials", ".credentials_rsaparams"} {
			p.remove(name)
		}
		if got := p.fields(t); got != "registration" {
			t.Fatalf("differs in %q", got)
		}
		p.settle(t)
		p.remove(".runner") // by hand: GitHub still has the entry
		p.settle(t)
		if again := p.id(t); again == first {
			t.Errorf("it is runner %d again", again)
		}
	}
}

// Credentials that may register, and an older GHES, leave it to config.sh.
func TestRegisteringForOneJobWithAToken(t *testing.T) {
	t.Parallel()
	for _, mode := range []standin.Mode{standin.Forbidden, standin.Missing} {
		p := newPlace(t, false)
		p.Ephemeral = true
		p.srv.Fail(standin.Fault{Method: "POST", Path: "/repos/*/*/actions/runners/generate-jitconfig", Mode: mode})
		p.settle(t)
		if r, _ := p.srv.Runner(p.scope, p.Name); !r.Ephemeral || len(p.Ran) != 1 {
			t.Errorf("GitHub has %+v, ran %q", r, p.Ran)
		}
	}
}

func (p *place) remove(name string) { os.Remove(p.Path(installDir + "/" + name)) }

func TestRegisteringInAGroup(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.srv.AddGroup(p.scope, "bench")
	p.srv.AddGroup(p.scope, "other")
	p.Group = "bench"
	p.settle(t)
	p.Group = "other"
	if got := p.fields(t); got != "group" {
		t.Fatalf("differs in %q", got)
	}
	p.settle(t)
	if n := len(p.Ran); n != 1 {
		t.Errorf("moved by %q", p.Ran)
	}
}

func TestRegisteringWithATokenThatIsTooOld(t *testing.T) {
	t.Parallel()
	p := newPlace(t, false)
	p.Config.GitHub, p.Token = nil, actions.Secret(p.srv.RegistrationToken(p.scope))
	p.srv.ExpireTokens()
	err := p.Apply(t.Context(), p.Machine)
	if err == nil || !strings.Contains(err.Error(), "older than an hour") || strings.Contains(err.Error(), p.Token.Reveal()) {
		t.Fatalf("the error is %v", err)
	}
	p.Token = actions.Secret(p.srv.RegistrationToken(p.scope))
	if err := p.Apply(t.Context(), p.Machine); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Diff(context.Background(), p.Machine); !errors.Is(err, reconcile.ErrUnknown) {
		t.Errorf("afterwards: %v", err)
	}
	p.keeps(t, p.Token.Reveal())
}
