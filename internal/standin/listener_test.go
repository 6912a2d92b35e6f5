package standin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

func started(j standin.JobState) bool { return !j.Started.IsZero() }

func acquired(j standin.JobState) bool { return !j.Acquired.IsZero() }

func delivered(j standin.JobState) bool { return !j.Delivered.IsZero() }

// reach waits until the job has come so far.
func (b *box) reach(id string, so func(standin.JobState) bool) standin.JobState {
	b.t.Helper()
	j, err := b.srv.WaitJob(b.within(), id, so)
	if err != nil {
		b.t.Fatal(err)
	}
	return j
}

// configured says whether the runner's local configuration is there.
func (b *box) configured() bool {
	_, err := os.Stat(filepath.Join(b.root, ".runner"))
	return err == nil
}

func TestInterruptLosesTheJob(t *testing.T) {
	t.Parallel()
	slow := standin.Span{Min: time.Minute, Max: time.Minute}
	windows := map[string]struct {
		windows standin.Windows
		until   func(standin.JobState) bool
		result  string
		lost    bool
	}{
		"before the acquisition":        {standin.Windows{Acknowledge: slow, Redeliver: time.Hour}, delivered, "", false},
		"while the acquisition returns": {standin.Windows{Acquire: standin.Span{Min: 2 * time.Second, Max: 2 * time.Second}}, acquired, runner.Abandoned, true},
		"before the first renewal":      {standin.Windows{Renew: slow}, func(j standin.JobState) bool { return !j.Renewed.IsZero() }, runner.Canceled, true},
		"before the worker":             {standin.Windows{Spawn: slow}, func(j standin.JobState) bool { return !j.Renewed.IsZero() }, runner.Canceled, true},
		"while the worker runs":         {standin.Windows{}, started, runner.Canceled, true},
	}
	for name, test := range windows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, newServer(t, standin.Options{Windows: test.windows}))
			b.register("box")
			p := b.listen("box")
			id := b.srv.Enqueue(standin.Job{Script: "sleep 60"})
			b.reach(id, test.until)
			p.Process.Signal(os.Interrupt)
			if code := p.ends(t); code != 0 {
				t.Errorf("exit code %d\n%s", code, p.out)
			}
			j, _ := b.srv.Job(id)
			if j.Result != test.result || (j.Lost != "") != test.lost {
				t.Errorf("result %q, lost %q\n%s", j.Result, j.Lost, p.out)
			}
		})
	}
}

func TestServiceScriptEndsWellWhenStopped(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{}))
	b.register("box")
	p := b.start(nil, "bin/runsvc.sh")
	if err := b.srv.WaitOnline(b.within(), scope, "box"); err != nil {
		t.Fatalf("%v\n%s", err, p.out)
	}
	p.says(t, ": Listening for Jobs")
	comms := childComms(p.Process.Pid)
	if !slices.Equal(comms, []string{"node", "Runner.Listener"}) {
		t.Errorf("processes %v", comms)
	}
	p.Process.Signal(syscall.SIGTERM)
	if code := p.ends(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, line := range []string{
		".path=" + os.Getenv("PATH"), "Starting Runner listener with startup type: service", "Started listener process, pid: ",
		"Started running service", "Shutting down runner listener", "Exiting...",
		"Runner listener exited with error code 0",
	} {
		wantLine(t, p.out.String(), line)
	}
}

// childComms lists the names of the processes below pid, top down.
func childComms(pid int) []string {
	var comms []string
	for {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		fields := strings.Fields(string(data))
		if len(fields) == 0 {
			// The child may have been started by any thread of its parent.
			threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
			for _, thread := range threads {
				data, _ := os.ReadFile(thread)
				fields = append(fields, strings.Fields(string(data))...)
			}
		}
		if len(fields) == 0 {
			return comms
		}
		fmt.Sscan(fields[0], &pid)
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		comms = append(comms, strings.TrimSpace(string(comm)))
	}
}

func TestServiceScriptEndsWellWhenTheRegistrationIsGone(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{}))
	b.register("box")
	r, _ := b.srv.Runner(scope, "box")
	b.srv.DeleteRunner(r.ID)
	p := b.start(nil, "bin/runsvc.sh")
	if code := p.ends(t); code != 0 {
		t.Errorf("exit code %d, want the 0 that leaves a service succeeded", code)
	}
	if !b.configured() {
		t.Error("a starting listener must keep .runner")
	}
	wantLine(t, p.out.String(), "Failed to create a session. The runner registration has been deleted from the server, please re-configure.")
	wantLine(t, p.out.String(), "Runner listener exit with terminated error, stop the service, no retry needed.")
}

func TestLiveListenerCleansUpWhenTheRegistrationIsGone(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{}))
	b.register("box")
	p := b.listen("box")
	r, _ := b.srv.Runner(scope, "box")
	b.srv.DeleteRunner(r.ID)
	if code := p.ends(t); code != 0 || b.configured() {
		t.Errorf("exit code %d, .runner there: %v", code, b.configured())
	}
	wantLine(t, p.out.String(), "The runner no longer exists on the server. Cleaning up local configuration.")
}

func TestReplacedListenerEndsWithoutAWord(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	first, second := newBox(t, srv), newBox(t, srv)
	first.register("box")
	p := first.listen("box")
	before, _ := srv.Runner(scope, "box")
	second.register("box", "--replace")
	if code := p.ends(t); code != 0 || !first.configured() {
		t.Errorf("exit code %d, .runner there: %v", code, first.configured())
	}
	if strings.Contains(p.out.String(), "no longer exists") {
		t.Errorf("it spoke:\n%s", p.out)
	}
	if after, _ := srv.Runner(scope, "box"); after.ID != before.ID {
		t.Errorf("id %d became %d", before.ID, after.ID)
	}
	second.listen("box")
}

func TestSessionConflict(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{Windows: standin.Windows{Conflict: 10 * time.Millisecond, SessionTTL: time.Second}})
	b := newBox(t, srv)
	b.register("box")
	first := b.listen("box")
	second := b.start(nil, "bin/Runner.Listener", "run")
	if code := second.ends(t); code != 5 {
		t.Errorf("exit code %d, want 5\n%s", code, second.out)
	}
	wantLine(t, second.out.String(), "A session for this runner already exists.")
	wantLine(t, second.out.String(), "Stop retry on SessionConflictException after retried for 240 seconds.")
	first.Process.Signal(os.Interrupt)
	first.ends(t)
	b.listen("box")
}

func TestDeprecatedVersion(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{}))
	b.register("box")
	live := b.listen("box")
	b.srv.RefuseVersion(version)
	starting := b.start([]string{"ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1"}, "bin/Runner.Listener", "run")
	for p, want := range map[*process]int{live: 1, starting: 7} {
		if code := p.ends(t); code != want {
			t.Errorf("exit code %d, want %d", code, want)
		}
		wantLine(t, p.out.String(), "An error occurred: Runner version v"+version+" is deprecated and cannot receive messages.")
	}
}

func TestEphemeralRunnerTakesOneJob(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{}))
	b.register("box", "--ephemeral")
	one, two := b.srv.Enqueue(standin.Job{}), b.srv.Enqueue(standin.Job{})
	p := b.start(nil, "bin/Runner.Listener", "run")
	if code := p.ends(t); code != 0 || b.configured() || len(b.srv.Runners(scope)) != 0 {
		t.Errorf("exit code %d, .runner there: %v, %d at the server\n%s", code, b.configured(), len(b.srv.Runners(scope)), p.out)
	}
	first, _ := b.srv.Job(one)
	second, _ := b.srv.Job(two)
	if first.Result != runner.Succeeded || second.Over() {
		t.Errorf("first %q, second over: %v", first.Result, second.Over())
	}
}

// A listener takes a just-in-time configuration as an argument or from its
// environment, and then has its one job.
func TestJustInTimeRunner(t *testing.T) {
	t.Parallel()
	for _, env := range []bool{false, true} {
		b := newBox(t, newServer(t, standin.Options{}))
		encoded := b.justInTime("box")
		id := b.srv.Enqueue(standin.Job{Script: "[ -z \"$ACTIONS_RUNNER_INPUT_JITCONFIG\" ]"})
		var p *process
		if env {
			p = b.start([]string{"ACTIONS_RUNNER_INPUT_JITCONFIG=" + encoded}, "bin/Runner.Listener", "run")
		} else {
			p = b.start(nil, "bin/Runner.Listener", "run", "--jitconfig", encoded)
		}
		if code := p.ends(t); code != 0 || b.configured() || len(b.srv.Runners(scope)) != 0 {
			t.Errorf("exit code %d, .runner there: %v, %d at the server\n%s", code, b.configured(), len(b.srv.Runners(scope)), p.out)
		}
		if j, _ := b.srv.Job(id); j.Result != runner.Succeeded {
			t.Errorf("the job: %+v", j)
		}
	}
	b := newBox(t, newServer(t, standin.Options{}))
	if code := b.start(nil, "bin/Runner.Listener", "run", "--jitconfig", "?").ends(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

// justInTime asks for a configuration.
func (b *box) justInTime(name string) string {
	b.t.Helper()
	body := fmt.Sprintf(`{"name": %q, "runner_group_id": 1, "labels": ["self-hosted", "bench"]}`, name)
	req, err := http.NewRequest("POST", b.srv.URL()+"/api/v3/"+string(scope)+"/actions/runners/generate-jitconfig", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer x")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var made struct {
		Config string `json:"encoded_jit_config"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || made.Config == "" {
		b.t.Fatalf("%s: %v", resp.Status, err)
	}
	return made.Config
}

func TestWorkerOutlivesItsListener(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{Windows: standin.Windows{RenewEvery: 20 * time.Millisecond, Lease: 300 * time.Millisecond}}))
	b.register("box")
	p := b.listen("box")
	mark := filepath.Join(b.root, "mark")
	there := func(path string) func() bool {
		return func() bool { _, err := os.Stat(path); return err == nil }
	}
	id := b.srv.Enqueue(standin.Job{Script: fmt.Sprintf("touch %[1]s.begun; sleep 1; touch %[1]s", mark)})
	j := b.reach(id, started)
	if err := b.srv.Until(b.within(), there(mark+".begun")); err != nil {
		t.Fatal(err)
	}
	p.Process.Kill()
	if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", j.PID)); err != nil || string(comm) != "Runner.Worker\n" {
		t.Errorf("worker: %q, %v", comm, err)
	}
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", j.PID))
	if want := filepath.Join(b.root, "bin/Runner.Worker") + "\x00spawnclient\x003\x004\x00"; string(line) != want {
		t.Errorf("command line %q, want %q", line, want)
	}
	if j = b.reach(id, standin.JobState.Over); !strings.Contains(j.Lost, "lease") {
		t.Errorf("lost: %q", j.Lost)
	}
	if err := b.srv.Until(b.within(), there(mark)); err != nil {
		t.Errorf("the worker died with its listener: %v", err)
	}
}

func TestOfferNotAcquiredGoesToTheNext(t *testing.T) {
	t.Parallel()
	long := standin.Span{Min: 10 * time.Second, Max: 10 * time.Second}
	b := newBox(t, newServer(t, standin.Options{Windows: standin.Windows{Delivery: long}}))
	b.register("box")
	p := b.listen("box")
	id := b.srv.Enqueue(standin.Job{})
	b.reach(id, func(j standin.JobState) bool { return !j.Chosen.IsZero() })
	p.Process.Kill()
	j := b.reach(id, func(j standin.JobState) bool { return j.Chosen.IsZero() })
	if j.Offers != 1 || j.Lost != "" || j.Over() {
		t.Errorf("%+v", j)
	}
}

// A worker ends every process of the machine that carries its job's id.
func TestNoTwoServersShareAJob(t *testing.T) {
	one, other := newServer(t, standin.Options{Seed: 7}), newServer(t, standin.Options{Seed: 7})
	if a, b := one.Enqueue(standin.Job{}), other.Enqueue(standin.Job{}); a == b {
		t.Errorf("both call their first job %s", a)
	}
}

func TestJobsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{}))
	b.register("box")
	b.listen("box")
	pids := filepath.Join(b.root, "pids")
	script := fmt.Sprintf("sleep 300 >/dev/null 2>&1 & echo $! >%[1]s; RUNNER_TRACKING_ID= sleep 301 >/dev/null 2>&1 & echo $! >>%[1]s", pids)
	b.reach(b.srv.Enqueue(standin.Job{Script: script}), standin.JobState.Over)
	data, _ := os.ReadFile(pids)
	var stays, goes int
	fmt.Sscan(string(data), &goes, &stays)
	t.Cleanup(func() { syscall.Kill(stays, syscall.SIGKILL) })
	err := b.srv.Until(b.within(), func() bool { return !running(goes) })
	if err != nil || !running(stays) {
		t.Errorf("the job's process gone: %v, the one that cleared its tracking id there: %v", err == nil, running(stays))
	}
}

// running says that a process is there and no zombie.
func running(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(data), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

func TestHookThatIsNotThereFailsTheJob(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{}))
	b.register("box")
	b.listen("box", "ACTIONS_RUNNER_HOOK_JOB_STARTED=/nowhere/hook.sh")
	j := b.reach(b.srv.Enqueue(standin.Job{Script: "echo no"}), standin.JobState.Over)
	if j.Result != runner.Failed || j.Reason != "File doesn't exist: /nowhere/hook.sh" || j.Log != "" {
		t.Errorf("%s, %q, log %q", j.Result, j.Reason, j.Log)
	}
}

func TestHundredsOfJobsBackToBack(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{Seed: 3, Windows: standin.UpTo(4 * time.Millisecond)}))
	b.register("box")
	for range 100 {
		b.srv.Enqueue(standin.Job{Sleep: time.Millisecond})
	}
	b.listen("box")
	err := b.srv.Until(b.within(), func() bool {
		return !slices.ContainsFunc(b.srv.Jobs(), func(j standin.JobState) bool { return !j.Over() })
	})
	if err != nil {
		t.Fatal(err)
	}
	var before time.Time
	for _, j := range b.srv.Jobs() {
		if j.Result != runner.Succeeded || j.Offers != 1 || j.Chosen.Before(before) {
			t.Errorf("%s: %s, %d offers, chosen %v before the last one's end", j.Name, j.Result, j.Offers, before.Sub(j.Chosen))
		}
		before = j.Ended
	}
}

func TestServerAwayAndBack(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{}))
	b.register("box")
	b.srv.Fail(standin.Fault{Path: "/_services/session", Mode: standin.Unavailable, Times: 1})
	p := b.listen("box")
	p.Process.Signal(os.Interrupt)
	p.ends(t)
	for _, line := range []string{": Runner connect error: ", "Retrying until reconnected.", ": Runner reconnected."} {
		wantLine(t, p.out.String(), line)
	}
}

func TestKilledWorkerIsALostJob(t *testing.T) {
	t.Parallel()
	b := newBox(t, newServer(t, standin.Options{}))
	b.register("box")
	b.listen("box")
	id := b.srv.Enqueue(standin.Job{Script: "sleep 60"})
	syscall.Kill(b.reach(id, started).PID, syscall.SIGKILL)
	if j := b.reach(id, standin.JobState.Over); j.Result != runner.Failed || j.Lost == "" {
		t.Errorf("result %q, lost %q", j.Result, j.Lost)
	}
}
