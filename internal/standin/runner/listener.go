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
	if in.command == "run" && defect(root) == Mute {
		await(context.Background())
		return exitOK
	}
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
	if encoded := in.values["jitconfig"]; encoded != "" {
		if err := acceptJIT(root, encoded); err != nil {
			t.fail("%v", err)
			return exitTerminated
		}
	}
	settings, err := readSettings(root)
	if err != nil {
		t.fail("Not configured. Run config.(sh/cmd) to configure the runner.")
		return exitTerminated
	}
	l := &listener{root: root, settings: settings, once: in.flags["once"], t: t}
	if code, ends := l.early(ctx); ends {
		return code
	}
	if code, ok := l.connect(ctx); !ok {
		return code
	}
	t.count("SessionCreated")
	t.say("Current runner version: '%s'", version(root))
	t.say("%s: Listening for Jobs", stamp())
	code := l.late(ctx, l.poll)
	l.settle()
	l.leave()
	return code
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

// next waits for one message, or for none when the job ends meanwhile: it is
// as an idle listener that this one asks for the next job.
func (l *listener) next(ctx context.Context) (Message, error) {
	query := url.Values{"sessionId": {l.session}, "runnerVersion": {version(l.root)}, "os": {"linux"}, "status": {"Online"}}
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	if l.busy() || l.spent() {
		query.Set("status", "Busy")
		stop := context.AfterFunc(l.current.ended, cancel)
		defer stop()
	}
	var message Message
	_, err := l.c.call(asking, "GET", l.settings.ServerURL+"message?"+query.Encode(), nil, &message)
	if ctx.Err() == nil && asking.Err() != nil {
		return Message{}, nil
	}
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
