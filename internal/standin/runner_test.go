package standin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/openapi"
	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// TestMain makes the test binary play the runner's programs when it is called
// by one of their names: the packages under test carry it.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); slices.Contains(runner.Names, name) {
		os.Exit(runner.Main(name, os.Args[1:]))
	}
	code := m.Run()
	os.RemoveAll(archives())
	os.Exit(code)
}

const version = "2.336.0"

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

var scope = standin.Repo("example/bench")

// archives is where packages are kept for the length of the test run.
var archives = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "standin-archives-")
	if err != nil {
		panic(err)
	}
	return dir
})

func newServer(t *testing.T, o standin.Options) *standin.Server {
	t.Helper()
	o.Check = openapi.GitHub()
	srv, err := standin.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		srv.Close()
		for _, v := range srv.Violations() {
			t.Errorf("violation: %s", v)
		}
	})
	return srv
}

func runnerArchive(t *testing.T) standin.Asset {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a, err := standin.RunnerArchive(standin.ArchiveOptions{Version: version, Binary: exe, Dir: archives()})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A box is a runner's directory on this machine.
type box struct {
	t    *testing.T
	srv  *standin.Server
	root string
	env  []string
}

func newBox(t *testing.T, srv *standin.Server) *box {
	t.Helper()
	root := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", runnerArchive(t).Path, "-C", root).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	env := []string{"HOME=" + root, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "RUNNER_ALLOW_RUNASROOT=1"}
	return &box{t, srv, root, env}
}

// run runs a program in the box and returns all that it printed.
func (b *box) run(env []string, argv ...string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = b.root, append(slices.Clone(b.env), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// config runs config.sh with a token.
func (b *box) config(token string, args ...string) (string, error) {
	args = append([]string{"./config.sh", "--unattended", "--url", b.srv.URL() + "/example/bench"}, args...)
	return b.run([]string{"ACTIONS_RUNNER_INPUT_TOKEN=" + token}, args...)
}

// register does it as the runner called name.
func (b *box) register(name string, args ...string) {
	b.t.Helper()
	out, err := b.config(b.srv.RegistrationToken(scope), append([]string{"--name", name}, args...)...)
	if err != nil {
		b.t.Fatalf("config.sh: %v\n%s", err, out)
	}
}

// A process that runs in a box.
type process struct {
	*exec.Cmd
	out  *buffer
	done chan error
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }
func (b *buffer) String() string              { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

func (b *box) start(env []string, argv ...string) *process {
	b.t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	p := &process{cmd, &buffer{}, make(chan error, 1)}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = b.root, append(slices.Clone(b.env), env...), p.out, p.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() { p.done <- cmd.Wait() }()
	b.t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return p
}

// listen starts the listener itself and waits until it is connected.
func (b *box) listen(name string, env ...string) *process {
	b.t.Helper()
	p := b.start(env, "bin/Runner.Listener", "run")
	if err := b.srv.WaitOnline(b.within(), scope, name); err != nil {
		b.t.Fatalf("%v\n%s", err, p.out)
	}
	return p
}

func (b *box) within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	b.t.Cleanup(cancel)
	return ctx
}

// ends waits for the process and returns its exit code.
func (p *process) ends(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("process did not end\n%s", p.out)
		return -1
	}
}

// says waits until the process has printed that.
func (p *process) says(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(p.out.String(), want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no line %q in:\n%s", want, p.out)
		}
	}
}

func wantLine(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("no line %q in:\n%s", want, text)
	}
}

func TestConfigureWritesWhatTheRealOneWrites(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	b := newBox(t, srv)
	out, err := b.config(srv.RegistrationToken(scope), "--name", "box", "--labels", "bench,linux", "--disableupdate", "--work", "_work")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range []string{"√ Connected to GitHub", "√ Runner successfully added", "√ Settings Saved."} {
		wantLine(t, out, line)
	}
	data, err := os.ReadFile(filepath.Join(b.root, ".runner"))
	if err != nil {
		t.Fatal(err)
	}
	rest, hasBOM := bytes.CutPrefix(data, []byte("\xEF\xBB\xBF"))
	var keys map[string]any
	if err := json.Unmarshal(rest, &keys); err != nil || !hasBOM {
		t.Fatalf(".runner: BOM %v, %v: %s", hasBOM, err, data)
	}
	if keys["agentName"] != "box" || keys["disableUpdate"] != true || keys["isHostedServer"] != false {
		t.Errorf(".runner = %v", keys)
	}
	if _, there := keys["ephemeral"]; there {
		t.Error(".runner has ephemeral though it is the default")
	}
	if info, err := os.Stat(filepath.Join(b.root, ".credentials_rsaparams")); err != nil || info.Mode() != 0o600 {
		t.Errorf(".credentials_rsaparams: %v, %v", info, err)
	}
	svc, err := os.ReadFile(filepath.Join(b.root, "svc.sh"))
	if err != nil {
		t.Fatal(err)
	}
	wantLine(t, string(svc), `SVC_NAME="actions.runner.example-bench.box.service"`)
	r, found := srv.Runner(scope, "box")
	if !found || len(r.Labels) != 4 || !r.NoUpdate {
		t.Errorf("the server has %+v, want self-hosted, Linux, X64 and bench once each", r)
	}
}

func TestConfigureRefuses(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	b := newBox(t, srv)
	out, err := b.config("AWRONG", "--name", "box")
	if err == nil {
		t.Error("a wrong token was taken")
	}
	wantLine(t, out, "Http response code: NotFound from 'POST "+srv.URL()+"/api/v3/actions/runner-registration' (Request Id: ")
	wantLine(t, out, "Response status code does not indicate success: 404 (Not Found).")

	late := srv.RegistrationToken(scope)
	srv.ExpireTokens()
	if out, err = b.config(late, "--name", "box"); err == nil {
		t.Errorf("an expired token was taken\n%s", out)
	}
	if out, err = b.config(srv.RegistrationToken(scope), "--name", "box", "--runnergroup", "nobody"); err == nil {
		t.Error("an unknown group was taken")
	}
	wantLine(t, out, `Could not find any self-hosted runner group named "nobody".`)
	srv.AddRunner(scope, "Taken")
	if out, err = b.config(srv.RegistrationToken(scope), "--name", "taken"); err == nil {
		t.Error("a taken name was taken over without --replace")
	}
	wantLine(t, out, "A runner exists with the same name taken.")
	if out, err = b.config(srv.RegistrationToken(scope), "--name", "taken", "--replace"); err != nil {
		t.Errorf("--replace: %v\n%s", err, out)
	}
	if out, err = b.config(srv.RegistrationToken(scope), "--name", "taken", "--replace"); err == nil {
		t.Error("configured twice")
	}
	wantLine(t, out, "Cannot configure the runner because it is already configured. To reconfigure the runner, "+
		"run 'config.cmd remove' or './config.sh remove' first.")
}

func TestRootIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can be refused for being root")
	}
	b := newBox(t, newServer(t, standin.Options{}))
	out, err := b.run([]string{"RUNNER_ALLOW_RUNASROOT="}, "./config.sh", "--unattended")
	if err == nil || strings.TrimSpace(out) != "Must not run with sudo" {
		t.Errorf("got %v: %s", err, out)
	}
}

func TestEnvironmentIsKept(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{}))
	env := []string{"JAVA_HOME=/opt/jdk", "PATH=/opt/jdk/bin:" + os.Getenv("PATH"), "ACTIONS_RUNNER_INPUT_TOKEN=x"}
	if out, err := b.run(env, "./config.sh", "--unattended"); err == nil {
		t.Errorf("configured without a URL\n%s", out)
	}
	path, _ := os.ReadFile(filepath.Join(b.root, ".path"))
	if !strings.HasPrefix(string(path), "/opt/jdk/bin:") {
		t.Errorf(".path = %q: it is written even when configure refuses", path)
	}
	vars, _ := os.ReadFile(filepath.Join(b.root, ".env"))
	if string(vars) != "LANG=C.UTF-8\nJAVA_HOME=/opt/jdk\n" {
		t.Errorf(".env = %q", vars)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	b := newBox(t, srv)
	out, err := b.run(nil, "./config.sh", "remove", "--token", "x")
	if err != nil {
		t.Errorf("remove without files: %v", err)
	}
	wantLine(t, out, "Cannot connect to server, because config files are missing. Skipping removing runner from the server.")

	b.register("box")
	os.WriteFile(filepath.Join(b.root, ".service"), []byte("x\n"), 0o644)
	out, err = b.run(nil, "./config.sh", "remove", "--token", srv.RemoveToken(scope))
	if err == nil {
		t.Error("removed with a service")
	}
	wantLine(t, out, "Uninstall service first")
	os.Remove(filepath.Join(b.root, ".service"))

	r, _ := srv.Runner(scope, "box")
	srv.DeleteRunner(r.ID)
	out, err = b.run(nil, "./config.sh", "remove", "--token", srv.RemoveToken(scope))
	if _, kept := os.Stat(filepath.Join(b.root, ".runner")); err == nil || kept != nil {
		t.Errorf("gone at the server: %v, .runner %v", err, kept)
	}
	wantLine(t, out, "Failed: Removing runner from the server")
	if out, err := b.run(nil, "./config.sh", "remove", "--local"); err != nil {
		t.Errorf("--local: %v\n%s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(b.root, ".[rc]*")); len(left) != 0 {
		t.Errorf("--local left %v", left)
	}

	b.register("box")
	out, err = b.run(nil, "./config.sh", "remove", "--token", srv.RemoveToken(scope))
	if err != nil || len(srv.Runners(scope)) != 0 {
		t.Errorf("remove: %v, %d left at the server\n%s", err, len(srv.Runners(scope)), out)
	}
	wantLine(t, out, "√ Runner removed successfully")
}

func TestListenerRunsJobs(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{Seed: 7, Windows: standin.UpTo(20 * time.Millisecond)})
	b := newBox(t, srv)
	b.register("box", "--labels", "bench")
	hook := filepath.Join(b.root, "started.sh")
	os.WriteFile(hook, []byte("echo from the hook\necho FROM_HOOK=yes >>\"$GITHUB_ENV\"\necho summary >>\"$GITHUB_STEP_SUMMARY\"\n"), 0o644)
	os.WriteFile(filepath.Join(b.root, ".env"), []byte("ACTIONS_RUNNER_HOOK_JOB_STARTED="+hook+"\nKNOWN=by=env\n"), 0o644)
	perf := t.TempDir()
	p := b.listen("box", "RUNNER_PERFLOG="+perf)

	good := srv.Enqueue(standin.Job{Name: "good", Labels: []string{"Bench"}, Script: "echo $FROM_HOOK $KNOWN; cat /proc/$PPID/comm; pwd"})
	bad := srv.Enqueue(standin.Job{Name: "bad", Script: "exit 4"})
	other := srv.Enqueue(standin.Job{Name: "other", Labels: []string{"gpu"}})
	j, err := srv.WaitJob(b.within(), bad, standin.JobState.Over)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.out)
	}
	if j.Result != runner.Failed || j.Reason != "Process completed with exit code 4." || j.Lost != "" {
		t.Errorf("bad: %+v", j)
	}
	j, _ = srv.Job(good)
	want := "from the hook\nyes by=env\nRunner.Worker\n" + filepath.Join(b.root, "_work/bench/bench") + "\n"
	if j.Result != runner.Succeeded || j.Log != want || j.Summary != "summary\n" {
		t.Errorf("good: %s %s, log %q, want %q", j.Result, j.Reason, j.Log, want)
	}
	order := []time.Time{j.Queued, j.Chosen, j.Delivered, j.Acknowledged, j.Acquired, j.Renewed, j.Started, j.Ended}
	if !slices.IsSortedFunc(order, time.Time.Compare) || j.Queued.IsZero() {
		t.Errorf("timeline out of order: %v", order)
	}
	if j, _ = srv.Job(other); !j.Chosen.IsZero() {
		t.Errorf("a job for gpu went to %d", j.Runner)
	}

	p.Process.Signal(os.Interrupt)
	if code := p.ends(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, line := range []string{
		"√ Connected to GitHub", "Current runner version: '" + version + "'", ": Listening for Jobs", ": Running job: good",
		": Job good completed with result: Succeeded", ": Job bad completed with result: Failed", "Exiting...",
	} {
		wantLine(t, p.out.String(), line)
	}
	counters, _ := os.ReadFile(filepath.Join(perf, "Runner.perf"))
	var names []string
	for line := range strings.Lines(string(counters)) {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	j, _ = srv.Job(good)
	sequence := []string{"SessionCreated", "MessageReceived_RunnerJobRequest", fmt.Sprintf("JobRequestRenewed_%d", j.RequestID), "StartingWorkerProcess"}
	if len(names) < 4 || !slices.Equal(names[:4], sequence) {
		t.Errorf("counters %v, want %v first", names, sequence)
	}
	logs, _ := filepath.Glob(filepath.Join(b.root, "_diag/Runner_*-utc.log"))
	var diag strings.Builder
	for _, log := range logs {
		data, _ := os.ReadFile(log)
		diag.Write(data)
	}
	wantLine(t, diag.String(), fmt.Sprintf("INFO JobDispatcher] Job request %d for plan %s job %s received.", j.RequestID, "plan-"+good[:8], good))
	wantLine(t, diag.String(), "finish job request for job "+good+" with result: Succeeded")
}
