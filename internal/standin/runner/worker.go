package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A job is one job in the worker.
type job struct {
	JobMessage
	ctx   context.Context
	root  string
	work  string
	env   []string
	files map[string]string // GITHUB_ENV and friends: variable to path
	log   bytes.Buffer
}

// workerMain is Runner.Worker spawnclient IN OUT: it reads the job from one
// descriptor, runs hooks and script, and reports on the other. The word cancel
// there, SIGINT and SIGTERM cancel the job; the death of its listener does not.
func workerMain(root string, args []string) int {
	if len(args) != 3 || args[0] != "spawnclient" {
		fmt.Fprintln(os.Stderr, "Runner.Worker is started by Runner.Listener")
		return exitTerminated
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop() // also how a cancellation by the listener ends ctx
	signal.Ignore(syscall.SIGPIPE)
	t := newTrace(root, "Worker")
	defer t.close()
	in, out, err := pipes(args[1], args[2])
	if err != nil {
		t.fail("%v", err)
		return codes[Failed]
	}
	t.count("WorkerWaitingForJobMessage")
	j := &job{ctx: ctx, root: root}
	decoder := json.NewDecoder(in)
	if err := decoder.Decode(&j.JobMessage); err != nil {
		t.fail("%v", err)
		return codes[Failed]
	}
	go func() {
		var word string
		if decoder.Decode(&word) == nil && word == cancelWord {
			stop()
		}
	}()
	t.count(fmt.Sprintf("WorkerJobMessageReceived_%d", j.RequestID))
	t.info("Worker", "Job message received: %s", j.JobID)
	result := j.perform()
	t.info("Worker", "Job completed with result: %s", result.Result)
	t.count(fmt.Sprintf("WorkerJobCompleted_%d", j.RequestID))
	j.complete(t, result)
	json.NewEncoder(out).Encode(result)
	return codes[result.Result]
}

// complete reports what came of the job. The real worker does so too, and its
// listener has no part in it.
func (j *job) complete(t *trace, result Completion) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c := &client{auth: j.Authorization}
	result.JobID = j.JobID
	if _, err := c.call(ctx, "POST", j.RunServiceURL+"completejob", result, nil); err != nil {
		t.info("Worker", "Unable to complete job %s: %v", j.JobID, err)
	}
}

func pipes(in, out string) (*os.File, *os.File, error) {
	read, err := strconv.Atoi(in)
	if err != nil {
		return nil, nil, err
	}
	write, err := strconv.Atoi(out)
	if err != nil {
		return nil, nil, err
	}
	syscall.CloseOnExec(read)
	syscall.CloseOnExec(write)
	return os.NewFile(uintptr(read), "in"), os.NewFile(uintptr(write), "out"), nil
}

// perform runs the job: the started hook, the script and the sleep, and the
// completed hook whatever came before.
func (j *job) perform() Completion {
	if err := j.prepare(); err != nil {
		return Completion{JobID: j.JobID, Result: Failed, Reason: err.Error()}
	}
	err := j.hook("ACTIONS_RUNNER_HOOK_JOB_STARTED")
	if err == nil && j.Script != "" {
		err = j.step(j.ctx, "bash", "-e", "-c", j.Script)
	}
	if err == nil {
		sleep(j.ctx, time.Duration(j.SleepMS)*time.Millisecond)
	}
	cancelled := j.ctx.Err() != nil
	if last := j.hook("ACTIONS_RUNNER_HOOK_JOB_COMPLETED"); err == nil {
		err = last
	}
	summary, _ := os.ReadFile(j.files["GITHUB_STEP_SUMMARY"])
	c := Completion{JobID: j.JobID, Result: Succeeded, Log: j.log.String(), Summary: string(summary)}
	if err != nil {
		c.Result, c.Reason = Failed, err.Error()
	}
	if cancelled {
		c.Result, c.Reason = Canceled, canceled().Reason
	}
	j.reap()
	os.RemoveAll(filepath.Join(j.work, "_temp"))
	return c
}

// prepare makes the job's directories and its environment.
func (j *job) prepare() error {
	settings, err := readSettings(j.root)
	if err != nil {
		return err
	}
	if j.work = settings.WorkFolder; !filepath.IsAbs(j.work) {
		j.work = filepath.Join(j.root, j.work)
	}
	_, repo, _ := strings.Cut(j.Repository, "/")
	workspace, temp := filepath.Join(j.work, repo, repo), filepath.Join(j.work, "_temp")
	os.RemoveAll(temp)
	for _, dir := range []string{workspace, filepath.Join(temp, "_runner_file_commands")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	set := map[string]string{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": workspace, "GITHUB_REPOSITORY": j.Repository,
		"GITHUB_WORKFLOW": j.Workflow, "GITHUB_JOB": j.DisplayName, "GITHUB_RUN_ID": strconv.FormatInt(j.RunID, 10),
		"GITHUB_RUN_ATTEMPT": strconv.Itoa(j.RunAttempt), "GITHUB_SERVER_URL": serverOf(settings.GitHubURL),
		"RUNNER_NAME": settings.AgentName, "RUNNER_OS": "Linux", "RUNNER_TEMP": temp, "RUNNER_WORKSPACE": filepath.Dir(workspace),
		"RUNNER_TOOL_CACHE": filepath.Join(j.work, "_tool"), "RUNNER_TRACKING_ID": "github_" + j.JobID,
	}
	j.files = map[string]string{}
	for name, file := range map[string]string{
		"GITHUB_ENV": "set_env", "GITHUB_PATH": "add_path", "GITHUB_OUTPUT": "set_output", "GITHUB_STEP_SUMMARY": "step_summary",
	} {
		j.files[name] = filepath.Join(temp, "_runner_file_commands", file+"_"+j.JobID)
		set[name] = j.files[name]
		if err := os.WriteFile(j.files[name], nil, 0o644); err != nil {
			return err
		}
	}
	j.env = os.Environ()
	for name, value := range set {
		j.env = append(j.env, name+"="+value)
	}
	return nil
}

func serverOf(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
