package jobs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// holdIdle holds a toy runner that no job reaches, and returns its guardian.
func holdIdle(t *testing.T) (r *toyRunner, g *guardian, held context.Context, release func() error) {
	t.Helper()
	r = newToyRunner(t, 4)
	r.server.Close()
	r.keep.arm = func(ctx context.Context, targets []target) (_ *guardian, err error) {
		g, err = armedChild(ctx, targets)
		return g, err
	}
	r.start()
	held, release, err := r.keep.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = release() })
	eventually(t, r.process.Process.Pid, true)
	return r, g, held, release
}

func TestHoldThatLasts(t *testing.T) {
	t.Parallel()
	r, g, held, release := holdIdle(t)
	if held.Err() != nil {
		t.Errorf("while it is held, the context says %v", held.Err())
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	eventually(t, r.process.Process.Pid, false)
	if held.Err() == nil || g.gone.Err() == nil {
		t.Errorf("afterwards the context says %v, and of the guardian %v", held.Err(), g.gone.Err())
	}
}

func TestHoldThatIsLost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lose func(r *toyRunner, g *guardian) error
		want string
	}{
		"the guardian is killed":     {func(_ *toyRunner, g *guardian) error { return g.send(unix.SIGKILL) }, "its guardian (process "},
		"somebody lets it go on":     {func(r *toyRunner, _ *guardian) error { return r.process.Process.Signal(unix.SIGCONT) }, " goes on"},
		"the Listener starts anew":   {restart, " was started meanwhile"},
		"the Listener ends, no more": {func(r *toyRunner, _ *guardian) error { return end(r) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, g, held, release := holdIdle(t)
			if err := tt.lose(r, g); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(tt.want, "guardian") {
				<-held.Done() // what is under way is cut short
				if context.Cause(held) != errOrphaned {
					t.Errorf("it was cut short because %v", context.Cause(held))
				}
			} else if held.Err() != nil {
				t.Errorf("the context says %v", held.Err())
			}
			err := release()
			if tt.want == "" && err == nil {
				return
			}
			if !errors.Is(err, reconcile.ErrBusy) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want that %q", err, tt.want)
			}
		})
	}
}

// What is under way is given up in time, and says why.
func TestHoldThatTakesTooLong(t *testing.T) {
	t.Parallel()
	h := &held{guard: &guardian{gone: t.Context()}, since: time.Now().Add(-maxWork)}
	ctx, cancel := h.during(t.Context())
	defer cancel()
	<-ctx.Done()
	if context.Cause(ctx) != errTooLong {
		t.Errorf("it was cut short because %v", context.Cause(ctx))
	}
	if end, _ := ctx.Deadline(); end.After(h.since.Add(maxHold - 30*time.Second)) {
		t.Errorf("it is cut short %v after the hold began, and the guardian's time is %v", end.Sub(h.since), maxHold)
	}
}

// A Listener that is to end and has a message waiting never gets to see it.
func TestStopWithAMessageWaiting(t *testing.T) {
	t.Parallel()
	r := newToyRunner(t, 8)
	r.start()
	var h *held
	var err error
	for waiting := false; !waiting; {
		if h, err = r.keep.hold(t.Context()); errors.Is(err, reconcile.ErrBusy) {
			continue
		}
		for deadline := time.Now().Add(time.Second); err == nil && !waiting && time.Now().Before(deadline); {
			waiting, err = h.proc.unread(r.process.Process.Pid)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !waiting { // it was between two polls
			h.release()
		}
	}
	if err := r.process.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error)
	go func() { <-r.ended; close(stopped) }()
	if err := h.meetSignal(stopped); err != nil {
		t.Fatal(err)
	}
	if ended := r.process.ProcessState.String(); ended != "signal: killed" {
		t.Errorf("the Listener ended with: %s", ended)
	}
}

func end(r *toyRunner) error {
	err := r.process.Process.Kill()
	<-r.ended
	return err
}

func restart(r *toyRunner, _ *guardian) error {
	err := end(r)
	r.start()
	return err
}
