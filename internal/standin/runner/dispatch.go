package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// cancelWord, after the job, tells a worker to cancel it.
const cancelWord = "cancel"

// workerGrace is how long a worker that was told to cancel has, until it is killed.
const workerGrace = 20 * time.Second

// A dispatch takes one acquired job from its first renewal to its report.
type dispatch struct {
	l      *listener
	job    JobMessage
	run    string // the run service's URL
	ctx    context.Context
	cancel context.CancelFunc
	ended  context.Context // done when the job is over and reported
}

func start(l *listener, job JobMessage, run string) *dispatch {
	d := &dispatch{l: l, job: job, run: run}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	ended, finish := context.WithCancel(context.Background())
	d.ended = ended
	go func() {
		defer finish()
		defer d.cancel()
		d.perform()
	}()
	return d
}

func (d *dispatch) perform() {
	t, job := d.l.t, d.job
	t.say("%s: Running job: %s", stamp(), job.DisplayName)
	completion, sent := d.work()
	completion.JobID = job.JobID
	t.info("JobDispatcher", "finish job request for job %s with result: %s", job.JobID, completion.Result)
	t.say("%s: Job %s completed with result: %s", stamp(), job.DisplayName, completion.Result)
	if sent {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := d.l.c.call(ctx, "POST", d.run+"completejob", completion, nil); err != nil {
		t.info("JobDispatcher", "Unable to complete job %s: %v", job.JobID, err)
	}
}

// work renews the job once, starts the worker, renews on until it is gone and
// returns what came of it, and whether the worker has sent that already.
func (d *dispatch) work() (done Completion, sent bool) {
	t, job := d.l.t, d.job
	t.info("JobDispatcher", "Start renew job request %d for job %s.", job.RequestID, job.JobID)
	ref := JobRef{JobID: job.JobID}
	if _, err := d.l.c.call(d.ctx, "POST", d.run+"renewjob", ref, nil); err != nil {
		if d.ctx.Err() != nil {
			return canceled(), false
		}
		t.info("JobDispatcher", "Unable to renew job request for job %s for the first time, stop dispatching job to worker.", job.JobID)
		return Completion{Result: Abandoned, Reason: err.Error()}, false
	}
	t.count(fmt.Sprintf("JobRequestRenewed_%d", job.RequestID))
	renewing, stop := context.WithCancel(context.Background())
	defer stop()
	go d.renew(renewing)
	if d.ctx.Err() != nil {
		return canceled(), false
	}
	t.count("StartingWorkerProcess")
	if !sleep(d.ctx, time.Duration(job.SpawnMS)*time.Millisecond) {
		return canceled(), false
	}
	return d.worker()
}

func canceled() Completion {
	return Completion{Result: Canceled, Reason: "The runner has received a shutdown signal. This can happen when the runner " +
		"service is stopped, or a manually started runner is canceled."}
}

func (d *dispatch) renew(ctx context.Context) {
	for sleep(ctx, time.Duration(d.job.RenewMS)*time.Millisecond) {
		d.l.c.call(ctx, "POST", d.run+"renewjob", JobRef{JobID: d.job.JobID}, nil)
	}
}

// worker runs bin/Runner.Worker spawnclient OUT IN, gives it the job over one
// pipe and reads what came of it from the other.
func (d *dispatch) worker() (done Completion, sent bool) {
	t := d.l.t
	toWorker, ours, err := os.Pipe()
	if err != nil {
		return Completion{Result: Failed, Reason: err.Error()}, false
	}
	back, fromWorker, err := os.Pipe()
	if err != nil {
		return Completion{Result: Failed, Reason: err.Error()}, false
	}
	defer back.Close()
	cmd := exec.Command(filepath.Join(d.l.root, "bin", "Runner.Worker"), "spawnclient", "3", "4")
	cmd.Dir = filepath.Join(d.l.root, "bin")
	cmd.ExtraFiles = []*os.File{toWorker, fromWorker}
	err = cmd.Start()
	toWorker.Close()
	fromWorker.Close()
	if err != nil {
		ours.Close()
		return Completion{Result: Failed, Reason: err.Error()}, false
	}
	d.l.c.call(context.Background(), "POST", d.run+"workerstarted", JobRef{d.job.JobID, cmd.Process.Pid}, nil)
	t.info("JobDispatcher", "Send job request message to worker for job %s.", d.job.JobID)
	t.count("RunnerSendingJobToWorker_" + d.job.JobID)
	defer ours.Close()
	encoder := json.NewEncoder(ours)
	job := d.job
	job.RunServiceURL, job.Authorization = d.run, d.l.c.auth
	encoder.Encode(job)
	t.count(fmt.Sprintf("SentJobToWorker_%d", d.job.RequestID))
	answered := make(chan struct{})
	go func() { defer close(answered); json.NewDecoder(back).Decode(&done) }()
	code := d.wait(cmd, encoder, answered)
	t.info("JobDispatcher", "Worker finished for job %s. Code: %d", d.job.JobID, code)
	if done.Result == "" {
		return Completion{Result: resultOf(code), Died: true, Reason: fmt.Sprintf("the worker ended with %d and reported nothing", code)}, false
	}
	return done, true
}

// wait returns the worker's exit code; a cancelled job's worker is told so
// over its pipe and, after a grace, killed.
func (d *dispatch) wait(cmd *exec.Cmd, toWorker *json.Encoder, answered <-chan struct{}) int {
	stop := context.AfterFunc(d.ctx, func() {
		toWorker.Encode(cancelWord)
		kill := time.AfterFunc(workerGrace, func() { cmd.Process.Kill() })
		<-answered
		kill.Stop()
	})
	defer stop()
	<-answered
	cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// The worker's exit codes are 100 more than the result's number.
var codes = map[string]int{Succeeded: 100, Failed: 102, Canceled: 103, Abandoned: 105}

func resultOf(code int) string {
	for result, c := range codes {
		if c == code {
			return result
		}
	}
	return Failed
}
