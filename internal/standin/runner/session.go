package runner

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"
)

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
