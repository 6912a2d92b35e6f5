package jobs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// idle asserts that no job is there; busyWith that one is, for a reason.
func (f *fake) idle() {
	f.t.Helper()
	if err := f.keep.Idle(f.t.Context()); err != nil {
		f.t.Errorf("busy: %v; want idle", err)
	}
}

func (f *fake) busyWith(reason string) {
	f.t.Helper()
	err := f.keep.Idle(f.t.Context())
	if !errors.Is(err, reconcile.ErrBusy) || !strings.Contains(err.Error(), reason) {
		f.t.Errorf("got %v; want busy with %q", err, reason)
	}
}

func TestWorker(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		set  func(f *fake)
		busy string // "" when it is not ours
	}{
		{"ours, by what it executes", func(f *fake) {
			f.process(4711, workerName, filepath.Join(f.keep.runner.Dir, "bin.2.336.0", workerName))
		}, "a job is running (Runner.Worker, process 4711, since "},
		{"ours, updated meanwhile", func(f *fake) {
			f.process(4711, workerName, filepath.Join(f.keep.runner.Dir, "bin.2.335.0", workerName+" (deleted)"))
		}, "process 4711"},
		{"ours, moved away, in the unit", func(f *fake) {
			f.process(4711, workerName, "/tmp/x/bin/Runner.Worker")
			f.write("4711/cgroup", "4:memory:/a\n1:name=systemd:/system.slice/actions.runner.o-r.bench.service\n")
		}, "process 4711"},
		{"ours, in a control group below the unit's", func(f *fake) {
			f.process(4711, workerName, "/tmp/x/bin/Runner.Worker")
			f.write("4711/cgroup", "0::/system.slice/actions.runner.o-r.bench.service/job\n")
		}, "process 4711"},
		{"in doubt, of our account", func(f *fake) { f.process(4711, workerName, "") }, "process 4711"},
		{"in doubt, of another account, named by its directory", func(f *fake) {
			f.process(4711, workerName, "")
			f.write("4711/status", "Uid:\t7\t7\t7\t7\n")
			f.link("4711/cwd", filepath.Join(f.keep.runner.Dir, "bin.2.336.0"))
		}, "process 4711"},
		{"in doubt, of another account", func(f *fake) {
			f.process(4711, workerName, "")
			f.write("4711/status", "Uid:\t7\t7\t7\t7\n")
			f.write("4711/cmdline", "/srv/other/bin/Runner.Worker\x00spawnclient\x00")
		}, ""},
		{"another runner's, of the same account", func(f *fake) {
			f.process(4711, workerName, "/srv/other/bin.1/Runner.Worker")
		}, ""},
		{"a runner whose directory begins like ours", func(f *fake) {
			f.process(4711, workerName, f.keep.runner.Dir+"-2/bin/Runner.Worker")
		}, ""},
		{"somebody who only calls himself so", func(f *fake) { f.process(4711, workerName, "/usr/bin/python3") }, ""},
		{"in a container that has a directory of its own there", func(f *fake) {
			f.contained(4711)
			if err := os.MkdirAll(filepath.Join(f.root, "4711/root", f.keep.runner.Dir), 0o755); err != nil {
				f.t.Fatal(err)
			}
		}, ""},
		{"in a container that is gone", func(f *fake) { f.contained(4711) }, ""},
		{"in a container that has our very directory", func(f *fake) {
			f.contained(4711)
			f.link("4711/root", "/")
		}, "process 4711"},
		{"a zombie", func(f *fake) {
			f.process(4711, workerName, filepath.Join(f.keep.runner.Dir, "bin.2.336.0", workerName))
			f.write("4711/stat", f.stat(4711, workerName, 'Z'))
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.process(1, "systemd", "/usr/lib/systemd/systemd")
			test.set(f)
			if test.busy == "" {
				f.idle()
			} else {
				f.busyWith(test.busy)
			}
		})
	}
}

// contained adds a Worker at our path whose PIDs are not ours.
func (f *fake) contained(pid int) {
	f.process(pid, workerName, filepath.Join(f.keep.runner.Dir, "bin.2.336.0", workerName))
	f.link("self/ns/pid", "pid:[4026531836]")
	f.link(fmt.Sprint(pid)+"/ns/pid", "pid:[4026532999]")
}

// TestAListenerThatJustStarted is given the time to open its logs. One that
// has been there for long and has none stays in doubt.
func TestAListenerThatJustStarted(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.process(50, listenerName, filepath.Join(f.keep.runner.Dir, "bin", listenerName))
	f.busyWith("cannot tell whether a job has been received")

	f.write("50/stat", strings.Replace(f.stat(50, listenerName, 'S'), " 90000 ", " 99990 ", 1))
	var said []string
	ctx := reconcile.WithProgress(t.Context(), func(line string) {
		said = append(said, line)
		f.perf(counter(start, 0), counter(session, 0))
	})
	if err := f.keep.Idle(ctx); err != nil || len(said) != 1 || !strings.HasPrefix(said[0], "waiting for the runner, ") {
		t.Errorf("it said %q: %v", said, err)
	}
}

// TestAListenerThatConfigures is config.sh at work, which takes no job.
func TestAListenerThatConfigures(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.process(50, listenerName, filepath.Join(f.keep.runner.Dir, "bin", listenerName))
	for command, busy := range map[string]bool{"configure": false, "remove": false, "run": true} {
		f.write("50/cmdline", "./bin/Runner.Listener\x00"+command+"\x00--unattended\x00")
		if err := f.keep.Idle(t.Context()); (err != nil) != busy {
			t.Errorf("with %s at work: %v", command, err)
		}
	}
}

func TestNoProcIsBusy(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.keep.proc = proc(filepath.Join(f.root, "none"))
	f.busyWith("cannot list the processes")
}

const (
	start    = "RunnerProcessStarted"
	session  = "SessionCreated"
	message  = "MessageReceived_RunnerJobRequest"
	renewed  = "JobRequestRenewed_7"
	starting = "StartingWorkerProcess"
	given    = "RunnerSendingJobToWorker_0b7e"
	sent     = "SentJobToWorker_7"
)

func TestPerfLog(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		counters []string
		busy     bool
	}{
		{"a Listener without a session", []string{start}, false},
		{"listening", []string{start, session}, false},
		{"received", []string{start, session, message}, true},
		{"received the old way", []string{start, session, "MessageReceived_PipelineAgentJobRequest"}, true},
		{"renewed", []string{start, session, message, renewed}, true},
		{"about to start the Worker", []string{start, session, message, renewed, starting}, true},
		{"Worker started", []string{start, session, message, renewed, starting, given}, false},
		{"handed over", []string{start, session, message, renewed, starting, given, sent}, false},
		{"the next one", []string{start, session, message, renewed, starting, given, sent, message}, true},
		{"cancelled while it runs", []string{start, session, message, sent, "MessageReceived_JobCancellation"}, false},
		{"new credentials in between", []string{start, session, message, "MessageReceived_ForceTokenRefresh"}, true},
		{"an update", []string{start, session, "MessageReceived_AgentRefresh"}, true},
		{"a message nobody knows", []string{start, session, "MessageReceived_Surprise"}, true},
		{"a Listener that died", []string{start, session, message, start}, false},
		{"a session of its own", []string{start, session, message, session}, false},
		{"counters of no interest", []string{start, session, "JobRenewRecovered"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.listener(trace("Session created.", time.Minute))
			var lines []string
			for _, c := range test.counters {
				lines = append(lines, counter(c, time.Second))
			}
			f.perf(lines...)
			if test.busy {
				f.busyWith("received by Runner.Listener, process 50, at ")
			} else {
				f.idle()
			}
		})
	}
}

func TestJobThatCameToNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.listener(trace("Job request 7 for plan a job b received.", Settle+time.Second))
	f.perf(counter(start, Settle+time.Minute), counter(message, Settle+time.Second))
	f.idle()
	f.perf(counter(start, Settle+time.Minute), counter(message, Settle-time.Minute))
	f.busyWith("received by")
}

func TestDiagnostics(t *testing.T) {
	t.Parallel()
	got := trace("Job request 7 for plan 11-aa job 22-bb received.", 5*time.Second)
	for _, test := range []struct {
		name string
		log  string
		busy bool
	}{
		{"nothing", trace("Session created.", time.Minute), false},
		{"received", got, true},
		{"its Worker ended", got + trace("Worker finished for job 22-bb. Code: 100", 0), false},
		{"finished", got + trace("finish job request for job 22-bb with result: Succeeded", 0), false},
		{"never renewed", got + trace("Unable to renew job request for job 22-bb for the first time, stop dispatching job to worker.", 0), false},
		{"cancelled before its Worker", got + trace("Stop renew job request for job 22-bb.", 0), false},
		{"another one's end", got + trace("Worker finished for job 33-cc. Code: 100", 0), true},
		{"ended and one more", got + trace("Worker finished for job 22-bb. Code: 100", 0) + trace("Job request 8 for plan a job c received.", 0), true},
		{"without a time", strings.TrimPrefix(got, got[:1]) + trace("x", 0), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.listener(test.log)
			// A perf log that says no, and none at all: the same answer.
			f.perf(counter(start, time.Minute))
			for range 2 {
				if test.busy {
					f.busyWith("received by")
				} else {
					f.idle()
				}
				os.Remove(f.keep.perf)
			}
		})
	}
}

// A job that its Worker was given is the Worker's: nobody waits until the
// Listener has noticed that the Worker ended. The same job, come again, counts.
func TestSentToAWorkerThatIsGone(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.perf(counter(start, time.Minute), counter(message, 9*time.Second), counter("RunnerSendingJobToWorker_22-bb", 8*time.Second))
	f.listener(trace("Job request 7 for plan 11-aa job 22-bb received.", 9*time.Second))
	f.idle()
	f.diag(trace("Job request 8 for plan 11-aa job 33-cc received.", 9*time.Second))
	f.busyWith("received by")
	f.diag(trace("Job request 9 for plan 11-aa job 22-bb received.", 5*time.Second))
	f.busyWith("received by")
}

func TestNeitherLogCanBeRead(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.idle() // no Listener, nothing to read
	f.listener("")
	f.busyWith("cannot tell whether a job has been received")
	f.perf("nonsense")
	f.busyWith("it holds no counter")
	f.perf(counter(start, 0))
	f.idle()
}

func TestHostileLogs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.listener("")
	secret := filepath.Join(t.TempDir(), "shadow")
	if err := os.WriteFile(secret, []byte(counter(start, 0)), 0o600); err != nil {
		t.Fatal(err)
	}

	t.Run("a link", func(t *testing.T) {
		if err := os.Symlink(secret, f.keep.perf); err != nil {
			t.Fatal(err)
		}
		f.busyWith("not a plain file")
		os.Remove(f.keep.perf)
	})
	t.Run("a pipe that nobody writes", func(t *testing.T) {
		if err := unix.Mkfifo(f.keep.perf, 0o600); err != nil {
			t.Fatal(err)
		}
		f.busyWith("not a plain file")
		os.Remove(f.keep.perf)
	})
	t.Run("a terabyte", func(t *testing.T) {
		f.perf(counter(start, 0))
		if err := os.Truncate(f.keep.perf, 1<<40); err != nil {
			t.Fatal(err)
		}
		f.busyWith("it holds no counter")
	})
	t.Run("one line without an end", func(t *testing.T) {
		f.perf(message + ":" + strings.Repeat("9", 3*tailSize))
		f.busyWith("it holds no counter")
	})
	t.Run("a job received in the year 9999", func(t *testing.T) {
		f.perf(counter(start, 0), message+":9999-01-01T00:00:00.0000000Z")
		f.busyWith("9999-01-01")
	})
	t.Run("a job received at no time", func(t *testing.T) {
		f.perf(counter(start, 0), message+":whenever")
		f.busyWith("received by")
	})
	t.Run("a long log ends as a short one", func(t *testing.T) {
		f.perf(strings.Repeat(counter(message, 0)+"\n", 2000) + counter(given, 0))
		f.idle()
	})
	t.Run("a log of the diagnostics that only looks newer", func(t *testing.T) {
		f.perf(counter(start, 0))
		newer := filepath.Join(f.keep.runner.Dir, "_diag", "Runner_99991231-235959-utc.log")
		if err := os.WriteFile(newer, []byte(trace("Job request 7 for plan a job b received.", 0)), 0o644); err != nil {
			t.Fatal(err)
		}
		f.idle()
	})
}

func TestUnread(t *testing.T) {
	t.Parallel()
	const table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	row := func(queues, inode string) string {
		return "   0: 0100007F:A3B4 0100007F:0050 01 " + queues + " 00:00000000 00000000   999        0 " + inode + " 1 0000000000000000 20 4 30 10 -1\n"
	}
	for _, test := range []struct {
		name      string
		tcp, tcp6 string
		unread    bool
	}{
		{"nothing waits", row("00000000:00000000", "77"), "", false},
		{"bytes wait", row("00000000:00000A00", "77"), "", true},
		{"bytes wait in somebody else's", row("00000000:00000A00", "78"), "", false},
		{"bytes on their way out", row("00000A00:00000000", "77"), "", false},
		{"bytes wait, by the newer protocol", "", row("00000000:00000001", "77"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.listener("")
			f.link("50/fd/9", "socket:[77]")
			f.write("50/net/tcp", table+test.tcp)
			f.write("50/net/tcp6", table+test.tcp6)
			unread, err := f.keep.proc.unread(50)
			if err != nil || unread != test.unread {
				t.Errorf("unread: %v, %v; want %v", unread, err, test.unread)
			}
		})
	}
}

// A runner that never said a word may be ended, as long as it cannot have heard
// one either.
func TestSilentRunner(t *testing.T) {
	t.Parallel()
	const table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	const closing = "   0: 0100007F:A3B4 0100007F:0050 08 00000000:00000000 00:00000000 00000000   999        0 77 1 0\n"
	for _, test := range []struct {
		name, diag, tcp string
		silent, busy    bool
	}{
		{"nobody asks for it", "", "", false, true},
		{"no word and no connection", "", "", true, false},
		{"a connection that is being closed", "", closing, true, true},
		{"a job received", trace("Job request 7 for plan a job b received.", 0), "", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.listener(test.diag)
			f.perf()
			f.link("50/fd/9", "socket:[77]")
			f.write("50/net/tcp", table+test.tcp)
			f.write("50/net/tcp6", table)
			f.keep.silent = test.silent
			if _, err := f.keep.look(); errors.Is(err, reconcile.ErrBusy) != test.busy {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStillMeansEveryThread(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.process(50, listenerName, "")
	f.write("50/task/50/stat", f.stat(50, "a) T (b", 'T'))
	f.write("50/task/51/stat", f.stat(51, ") T 1 1 (", 'D'))
	for _, want := range []bool{false, true} {
		if still, err := f.keep.proc.still(50); err != nil || still != want {
			t.Errorf("still: %v, %v; want %v", still, err, want)
		}
		f.write("50/task/51/stat", f.stat(51, ".NET TP Worker", 'T'))
	}
}
