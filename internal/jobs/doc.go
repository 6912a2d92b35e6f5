// Package jobs keeps benchctl away from the jobs of one runner: it tells
// whether a job is there, keeps the runner from taking one for a moment, and
// stops the runner without cancelling one. It is law 5, "a job is never
// disturbed", and needs nothing from GitHub.
//
// # A job's life, as the host sees it
//
// The Listener asks GitHub for a message. When one announces a job, the
// Listener acknowledges it, acquires the job, renews it once, starts a Worker
// and hands the job to it. From the acquisition on, the job is lost if the
// Listener ends. The acquisition is two or three round trips before the
// Worker exists, so looking for a Worker is not enough. Three witnesses are
// asked, and any one of them makes the runner busy:
//
//	the Worker        a process Runner.Worker of this runner, in whatever unit
//	the perf log      DIR/Runner.perf, which the Listener appends to when
//	                  RUNNER_PERFLOG=DIR is in its environment
//	the diagnostics   the log below _diag that the Listener has open
//
// The states, with the counters of the perf log that lead from one to the next:
//
//	resting   --MessageReceived_RunnerJobRequest------> received
//	          --MessageReceived_PipelineAgentJobRequest-> received
//	received  --JobRequestRenewed_N, StartingWorkerProcess--> received
//	received  --RunnerSendingJobToWorker_ID, SentJobToWorker_N--> handed over
//	any       --RunnerProcessStarted, SessionCreated--> resting
//
// Received is busy. Handed over is not: by then the Worker has been started,
// and its process is the only good witness of the job's end (the Listener
// counts nothing at the end of a job, and a Worker outlives its Listener).
// The two resets are certain: a Listener has no session before it took care of
// the jobs of the one before it, and a new process has no jobs at all.
//
// The diagnostics say the same in other words, per job. Their wording is no
// contract, so they may add to what the perf log says and never take from it.
// They also tell that the Listener saw the Worker's end, which nobody waits
// for: the Worker itself reports what came of its job.
//
// # An acquisition that came to nothing
//
// GitHub may refuse the acquisition (the job was cancelled meanwhile), or the
// first renewal may fail. The perf log does not say so. A job received and
// still without a Worker after [Settle] therefore no longer counts: all
// retries of the Listener are over by then.
//
// # Who can make benchctl wait, and for how long
//
// Whatever the runner's user can write is hostile. Both logs are such files;
// they are read from their end, 64 KiB at most, without following links, and
// what they say can make benchctl wait but never makes it do anything. A line
// in them is good for Settle at the most, or until the time it claims has
// passed, if that is in the future. A process that looks like a Worker of this
// runner makes benchctl wait for as long as it lives. So the runner's user can
// put benchctl off for good, which is why each refusal names the process or
// the file and says since when.
//
// When a Listener lives and neither log can be read, the runner is busy; but a
// new version that hangs before its first word is stopped ([Keeper.StopSilent])
// if it has no connection to anybody. When no Listener lives nothing can have
// been acquired, and Workers alone count.
//
// # Holding, and for how long
//
// A runner is held by SIGSTOP, for one change ([Keeper.Hold]) or for a whole
// apply ([Keeper.Seize], in the moment in which a Worker ends). Before that a
// guardian is on duty, a process in a unit of its own: it lets the runner go on
// when benchctl ends, and after ten minutes in any case. Should the guardian be
// killed, systemd does it. Work under way is given up a minute before the ten
// are over, or as soon as the guardian is gone. At the end of each change it is
// looked at once more whether the runner is held; if it is not, a job may have
// met the change, and that is an error.
//
// A stop ends with a Listener that goes on with the signal to end waiting for
// it. A message that waits too is seen, and then the Listener is killed where it
// stands. What is left are the few milliseconds between that look and SIGCONT:
// a message that comes then is lost only if the Listener makes two round trips
// to GitHub, to acknowledge and to acquire, before it heeds the signal.
//
// # Rights
//
// Looking needs to see the processes of another user: root with
// CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and without a hidden /proc. Where they
// are missing, the answer is "busy" rather than "idle".
package jobs
