package resources

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// startPatience bounds the wait for a started Listener: GitHub takes seconds,
// and a session that a killed Listener left behind up to four minutes.
const startPatience = 5 * time.Minute

// lookInterval is how often a starting Listener is looked at.
const lookInterval = 250 * time.Millisecond

// Apply writes the files, has systemd take them in, and starts the runner if it
// is down. It never stops it: the engine did, by law 5, if that was due.
func (s service) Apply(ctx context.Context, h host.Host) error {
	unit, _, err := s.own(h)
	if err != nil {
		return err
	}
	name := unit.name
	u, err := h.Unit(ctx, name)
	if err != nil {
		return err
	}
	before := exposure(ctx, h, u)
	if err := s.writeFiles(ctx, h, u, unit); err != nil {
		return err
	}
	if err := unit.takeIn(ctx, h, u); err != nil {
		return err
	}
	sayExposure(ctx, h, u, "runner", before)
	if u.ActiveState == "active" {
		return s.noteListening(ctx, h, u)
	}
	if !Registered(h, s.spec) {
		return fmt.Errorf("cannot start %s: the runner is not registered; run benchctl apply with credentials and without --only", name)
	}
	return s.startOnTrial(ctx, h, name)
}

// start starts the runner and waits until it listens.
func (s service) start(ctx context.Context, h host.Host, name string) error {
	if err := h.Systemd().ResetFailed(ctx, name); err != nil {
		return err
	}
	reconcile.Progress(ctx)("starting " + name)
	if err := h.Systemd().Start(ctx, name); err != nil {
		return failedStart(ctx, h, name, err)
	}
	return s.awaitListening(ctx, h, name)
}

// writeFiles puts every file where it belongs and moves what is in the way.
func (s service) writeFiles(ctx context.Context, h host.Host, u host.Unit, unit ownUnit) error {
	if err := s.retire(ctx, h, u.Name); err != nil {
		return err
	}
	if err := unit.write(ctx, h, u); err != nil {
		return err
	}
	if exempt, ok := needrestartFile(h, u.Name); ok {
		if err := exempt.write(h); err != nil {
			return err
		}
	}
	return nameFile(u.Name).write(h, s.spec.InstallDir)
}

// retire ends units of this runner under other names, which a changed URL or
// runner name leaves behind. Two of them would run one runner twice.
func (s service) retire(ctx context.Context, h host.Host, name string) error {
	for _, u := range unitsOf(h, s.spec.InstallDir) {
		if u.name == name {
			continue
		}
		if err := retireUnit(ctx, h, u.name); err != nil {
			return err
		}
	}
	return nil
}

// retireUnit ends a unit of a runner for good, and keeps its file aside.
func retireUnit(ctx context.Context, h host.Host, name string) error {
	reconcile.Progress(ctx)("retiring " + name)
	if err := h.Systemd().Stop(ctx, name); err != nil {
		return err
	}
	if err := h.Systemd().Disable(ctx, name); err != nil {
		return err
	}
	return setAside(h, unitDir+"/"+name)
}

// awaitListening waits until the Listener takes jobs, or has ended, or time is
// up: that ends the wait and no question to systemd, whose failure would say
// nothing about the Listener.
func (s service) awaitListening(ctx context.Context, h host.Host, name string) error {
	bound, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	first := ""
	for {
		u, err := h.Unit(ctx, name)
		if err != nil {
			return err
		}
		if first == "" {
			first = u.InvocationID
		}
		if u.ActiveState != "active" || u.InvocationID != first {
			return failedStart(ctx, h, name, fmt.Errorf("it ended before it listened (%s, %s)", u.ActiveState, orNone(u.SubState)))
		}
		if _, ok, err := listening(ctx, h, u); err == nil && ok {
			return nil
		}
		switch wait(bound, lookInterval); {
		case ctx.Err() != nil:
			return fmt.Errorf("%s was started, and nobody waited for it to listen: %w; see benchctl status", name, ctx.Err())
		case bound.Err() != nil:
			return failedStart(ctx, h, name, fmt.Errorf("it does not listen after %s", s.patience))
		}
	}
}

// A startError is a runner that does not run.
type startError struct {
	unit  string
	cause error
	said  string // its own last words
}

// Error is the whole sentence.
func (e *startError) Error() string {
	return fmt.Sprintf("cannot start %s: %s; %s", e.unit, e.story(), nextStep(e.said, "see journalctl -u "+e.unit))
}

func (e *startError) Unwrap() error { return e.cause }

func (e *startError) story() string { return fmt.Sprintf("%v; %s", e.cause, e.said) }

// failedStart says why the runner does not run, in its own last words.
func failedStart(ctx context.Context, r host.Reader, name string, cause error) error {
	said := "it said nothing"
	if u, err := r.Unit(ctx, name); err == nil {
		lines := slices.DeleteFunc(lastWords(ctx, r, u, 2*fewWords), func(line string) bool { return aboutStarts.MatchString(line) })
		if n := len(lines); n > 0 {
			said = "it said: " + strings.Join(lines[max(0, n-fewWords):], " | ")
		}
	}
	return &startError{name, cause, said}
}

// fewWords is how many of a Listener's last lines say why it ended.
const fewWords = 3

// aboutStarts are lines of the scripts that start a Listener. They say that it
// ended, and not why.
var aboutStarts = regexp.MustCompile(`^(\.path=|Starting Runner listener|Started (listener|running)|Runner listener exit|Shutting down runner listener)`)

// nextSteps are what to do about what a Listener says when it gives up.
var nextSteps = []struct{ said, do string }{
	{"registration has been deleted", "run benchctl apply again, which registers it anew"},
	{"no longer exists on the server", "run benchctl apply again, which registers it anew"},
	{"is deprecated and cannot receive messages", "set a newer runner.version in the spec"},
	{"A session for this runner already exists", "stop the other runner of this name, or wait four minutes"},
	{"clock may be out of sync", "set the host's clock"},
	{connectError, "see whether this host reaches GitHub"},
}

func nextStep(said, otherwise string) string {
	for _, s := range nextSteps {
		if strings.Contains(said, s.said) {
			return s.do
		}
	}
	return otherwise
}
