package runner

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// listenerMain is Runner.Listener: configure, remove or run.
func listenerMain(root string, args []string) int {
	loadEnv(root)
	in := parseInputs(args)
	t := newTrace(root, "Runner")
	defer t.close()
	if in.flags["version"] {
		fmt.Println(version(root))
		return exitOK
	}
	if len(in.unknown) > 0 {
		t.fail("Unrecognized command-line input arguments for command %s: '%s'.", in.command, strings.Join(in.unknown, " "))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch in.command {
	case "configure":
		return finish(ctx, t, configure(ctx, root, in, t))
	case "remove":
		return finish(ctx, t, remove(ctx, root, in, t))
	case "warmup":
		return exitOK
	case "run", "":
		return listen(ctx, root, in, t)
	}
	t.fail("Unknown command %q.", in.command)
	return exitTerminated
}

func finish(ctx context.Context, t *trace, err error) int {
	if ctx.Err() != nil {
		t.say("Exiting...")
		return exitTerminated
	}
	if err != nil {
		t.fail("%v", err)
		return exitTerminated
	}
	return exitOK
}

// A listener waits for jobs and has them run, one at a time.
type listener struct {
	root     string
	settings Settings
	once     bool
	t        *trace
	c        *client
	session  string
	current  *dispatch // nil while no job was ever taken
}

// listen is the life of a listener; it returns the exit code.
func listen(ctx context.Context, root string, in inputs, t *trace) int {
	settings, err := readSettings(root)
	if err != nil {
		t.fail("Not configured. Run config.(sh/cmd) to configure the runner.")
		return exitTerminated
	}
	l := &listener{root: root, settings: settings, once: in.flags["once"], t: t}
	if code, ok := l.connect(ctx); !ok {
		return code
	}
	t.count("SessionCreated")
	t.say("Current runner version: '%s'", version(root))
	t.say("%s: Listening for Jobs", stamp())
	code := l.poll(ctx)
	l.settle()
	l.leave()
	return code
}

// connect signs in and opens the session, trying again where the real one does.
func (l *listener) connect(ctx context.Context) (code int, ok bool) {
	lost := false
	for conflicts := 0; ; {
		err := l.open(ctx)
		var refused *statusError
		switch {
		case ctx.Err() != nil:
			l.t.say("Exiting...")
			return exitOK, false
		case err == nil && lost:
			l.t.say("%s: Runner reconnected.", stamp())
			fallthrough
		case err == nil:
			l.t.say("√ Connected to GitHub")
			return exitOK, true
		case !errors.As(err, &refused) || refused.Status >= 500:
			if !lost {
				l.t.fail("%s: Runner connect error: %v. Retrying until reconnected.", stamp(), err)
				lost = true
			}
			sleep(ctx, time.Second)
			continue
		}
		switch r := refused.refusal(); r.Kind {
		case KindConflict:
			if conflicts++; conflicts == 1 {
				l.t.fail("A session for this runner already exists.")
			}
			if conflicts > 8 {
				l.t.fail("Stop retry on SessionConflictException after retried for 240 seconds.")
				return exitConflict, false
			}
			sleep(ctx, time.Duration(r.RetryMS)*time.Millisecond)
		case KindDeprecated:
			l.t.fail("An error occurred: %s", r.Message)
			return deprecatedCode(), false
		default:
			l.t.fail("Failed to create a session. The runner registration has been deleted from the server, " +
				"please re-configure. Runner registrations are automatically deleted for runners that have not connected to the service recently.")
			return exitTerminated, false
		}
	}
}

// deprecatedCode is 7 for those who asked for it, else 1.
func deprecatedCode() int {
	switch os.Getenv("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE") {
	case "1", "true":
		return 7
	}
	return exitTerminated
}

func (l *listener) open(ctx context.Context) error {
	c, err := signIn(ctx, l.root)
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	var session Session
	_, err = c.call(ctx, "POST", l.settings.ServerURL+"session", Session{
		OwnerName: fmt.Sprintf("%s (PID: %d)", host, os.Getpid()),
		Agent:     Agent{l.settings.AgentID, l.settings.AgentName, version(l.root)},
	}, &session)
	l.c, l.session = c, session.SessionID
	return err
}

// leave closes the session, so that the next listener need not wait for it.
func (l *listener) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	l.c.call(ctx, "DELETE", l.settings.ServerURL+"session?sessionId="+url.QueryEscape(l.session), nil, nil)
}

// poll asks for messages until it is told to stop. It goes on asking while a
// job runs, which is how a deleted registration is noticed.
func (l *listener) poll(ctx context.Context) int {
	lost := false
	for {
		message, err := l.next(ctx)
		var refused *statusError
		switch {
		case l.spent():
			return l.retire()
		case ctx.Err() != nil:
			l.t.say("Exiting...")
			l.cancel()
			return exitOK
		case errors.As(err, &refused) && refused.Status < 500:
			return l.turnedAway(refused)
		case err != nil:
			if !lost {
				l.t.fail("%s: Runner connect error: %v. Retrying until reconnected.", stamp(), err)
				lost = true
			}
			sleep(ctx, time.Second)
			continue
		}
		if lost {
			l.t.say("%s: Runner reconnected.", stamp())
			lost = false
		}
		if message.Type != "" {
			l.t.count("MessageReceived_" + message.Type)
			l.handle(ctx, message)
		}
	}
}

// next waits for one message. A listener for one job stops waiting when that
// job is done.
func (l *listener) next(ctx context.Context) (Message, error) {
	query := url.Values{"sessionId": {l.session}, "runnerVersion": {version(l.root)}, "os": {"linux"}, "status": {"Online"}}
	if l.busy() {
		query.Set("status", "Busy")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if (l.once || l.settings.Ephemeral) && l.current != nil {
		stop := context.AfterFunc(l.current.ended, cancel)
		defer stop()
	}
	var message Message
	_, err := l.c.call(ctx, "GET", l.settings.ServerURL+"message?"+query.Encode(), nil, &message)
	return message, err
}

func (l *listener) handle(ctx context.Context, message Message) {
	if message.Type != MessageJob {
		l.t.info("Runner", "Received unknown message type %s, it is skipped.", message.Type)
		return
	}
	ref := JobRef{JobID: message.Body.RequestID}
	address := l.settings.ServerURL + "acknowledge?sessionId=" + url.QueryEscape(l.session)
	if _, err := l.c.call(ctx, "POST", address, ref, nil); err != nil {
		l.t.info("Runner", "Unable to acknowledge job %s: %v", ref.JobID, err)
	}
	var job JobMessage
	if _, err := l.c.call(ctx, "POST", message.Body.RunServiceURL+"acquirejob", ref, &job); err != nil {
		l.t.info("Runner", "Unable to acquire job %s: %v", ref.JobID, err)
		return
	}
	l.t.info("JobDispatcher", "Job request %d for plan %s job %s received.", job.RequestID, job.PlanID, job.JobID)
	l.settle()
	l.current = start(l, job, message.Body.RunServiceURL)
}

func (l *listener) busy() bool {
	return l.current != nil && l.current.ended.Err() == nil
}

// settle waits until no job is running.
func (l *listener) settle() {
	if l.current != nil {
		<-l.current.ended.Done()
	}
}

// spent says that this listener's one job is done.
func (l *listener) spent() bool {
	return (l.once || l.settings.Ephemeral) && l.current != nil && !l.busy()
}

func (l *listener) cancel() {
	if l.current != nil {
		l.current.cancel()
	}
}

// turnedAway is the end of a live listener whom the server no longer knows: a
// deleted registration takes the local configuration with it, a revoked token
// ends without a word.
func (l *listener) turnedAway(refused *statusError) int {
	if l.settings.Ephemeral && l.current != nil {
		l.settle() // its one job is over at the server, and here in a moment
		return l.retire()
	}
	l.cancel()
	switch r := refused.refusal(); r.Kind {
	case KindNotFound:
		l.t.fail("The runner no longer exists on the server. Cleaning up local configuration.")
		wipe(l.root)
		return exitOK
	case KindDeprecated:
		l.t.fail("An error occurred: %s", r.Message)
		return deprecatedCode()
	}
	l.t.info("Runner", "Stop listening: %v", refused)
	return exitOK
}

// retire ends a listener whose one job is done.
func (l *listener) retire() int {
	if l.settings.Ephemeral {
		wipe(l.root)
	}
	return exitOK
}
