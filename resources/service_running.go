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

// spoken is a line in which the Listener says how it is. A job's name is its
// author's to choose, so the line has to begin with the Listener's own clock.
// Source: JobDispatcher.cs, MessageListener.cs and Runner.cs of the runner.
var spoken = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ: (Listening for Jobs|Running job: |Job .* completed with result: |Runner reconnected|Runner connect error: )`)

const connectError = "Runner connect error: "

// fewLines is how far back the journal is asked: the Listener says two lines for
// each job, and repeats a connect error only once.
const fewLines = 64

// diffRunning compares what runs with what should: a Listener that listens,
// started with the revision on disk, on the CPUs of the spec. Everything here
// is mended by starting anew, hence Restart.
func (s service) diffRunning(ctx context.Context, r host.Reader, u host.Unit, revision string) ([]reconcile.Change, error) {
	if s.unattended && young(u) {
		if _, ok, err := listening(ctx, r, u); err != nil || !ok {
			if trial := s.diffTrial(r); len(trial) > 0 && err == nil {
				trial[0].Effects = restarts // whoever waited for it to listen is not there any more
				return trial, nil
			}
			return nil, reconcile.Tolerate(fmt.Errorf("%w: %s is being started and does not listen yet; the next pass looks again", reconcile.ErrUnknown, u.Name))
		}
	}
	if u.ActiveState != "active" {
		if s.config.renewed() || Spent(r, s.spec) {
			return []reconcile.Change{{Field: "state", Have: "waiting for its next registration", Want: "listening", Effects: restarts, Asked: true}}, nil
		}
		have := fmt.Sprintf("%s (%s)", u.ActiveState, orNone(u.SubState))
		if said := spoke(ctx, r, u, 1); len(said) > 0 {
			have += ", last said: " + said[0]
		}
		// An ephemeral one ends by itself; that it did so is no drift.
		asked := s.spec.Runner.Ephemeral && u.ActiveState == "inactive"
		return []reconcile.Change{{Field: "state", Have: have, Want: "listening", Effects: restarts, Asked: asked}}, nil
	}
	var changes []reconcile.Change
	differs := func(field, have, want string) {
		changes = append(changes, reconcile.Change{Field: field, Have: have, Want: want, Effects: restarts})
	}
	main, err := environ(r, u.MainPID)
	if err != nil {
		return nil, fmt.Errorf("%w: cannot see what the runner was started with: %w; run as root", reconcile.ErrUnknown, err)
	}
	if ran := main[revisionVariable]; ran != revision {
		differs("running revision", orNone(plain(ran)), revision)
	} else if have, want, err := s.runningPath(r, u.MainPID); err != nil {
		return nil, err
	} else if have != want {
		differs("running PATH", plain(have), want)
	}
	if want := s.spec.Service.CPUs; want != "" {
		have, err := allowedCPUs(r, u.MainPID)
		if err != nil {
			return changes, err
		}
		if !sameCPUs(have, want) {
			differs("CPUs", have, want)
		}
	}
	said, ok, err := listening(ctx, r, u)
	if err == nil && !ok {
		differs("state", said, "listening")
	}
	return changes, err
}

// young reports whether a service is on its way up, as after a reboot: its knobs
// are being set, or its Listener has still to reach GitHub.
func young(u host.Unit) bool {
	if u.ActiveState == "activating" {
		// One that keeps ending is not on its way. Since systemd 254 there also is
		// auto-restart-queued.
		return !strings.HasPrefix(u.SubState, "auto-restart")
	}
	// A start that lies ahead was before the clock was set.
	return u.ActiveState == "active" && time.Since(u.ActiveSince).Abs() < startPatience
}

// startGrace is how long after its start a Listener is waited for: one that
// reaches GitHub listens within seconds, and right after a reboot what a look
// would find is gone before a person has read it.
const startGrace = 15 * time.Second

// settled is the runner's unit, once a Listener that is on its way up listens,
// has failed, or has had its grace.
func (s service) settled(ctx context.Context, r host.Reader, name string) (host.Unit, error) {
	begun, said := time.Now(), false
	for {
		u, err := r.Unit(ctx, name)
		if err != nil || time.Since(begun) >= s.grace || !s.onItsWay(ctx, r, u) {
			return u, err
		}
		if !said {
			said = true
			reconcile.Progress(ctx)("waiting for " + name + ", which has just been started, to listen")
		}
		if err := wait(ctx, lookInterval); err != nil {
			return u, err
		}
	}
}

// AwaitStart gives the runner of a service of [Build] its grace if it is on its way
// up. Whatever keeps that from being seen is for the next Diff to tell.
func AwaitStart(ctx context.Context, r host.Reader, res reconcile.Resource) {
	if s, ok := res.(service); ok {
		_, _ = s.settled(ctx, r, unitName(s.spec.Runner.URL, runnerName(r, s.spec)))
	}
}

// onItsWay reports whether a Listener that does not listen may do so in a moment.
func (s service) onItsWay(ctx context.Context, r host.Reader, u host.Unit) bool {
	if u.ActiveState != "active" {
		return young(u)
	}
	if time.Since(u.ActiveSince) >= s.grace {
		return false
	}
	_, ok, err := listening(ctx, r, u)
	return !ok && err == nil
}

// runningPath is the PATH that the Listener gives to jobs, and the one that it
// should: runsvc.sh reads .path once, so a file mended since says nothing. A
// Listener that is not there yet has the right one.
func (s service) runningPath(r host.Reader, mainPID int) (have, want string, err error) {
	java, err := s.java(r)
	if err != nil {
		return "", "", err
	}
	want = strings.TrimSuffix(s.pathText(java), "\n")
	for _, pid := range listeners(r, mainPID) {
		if env, err := environ(r, pid); err == nil {
			return env["PATH"], want, nil
		}
	}
	return want, want, nil
}

// begins recognises the line with which runsvc.sh starts a Listener: a journal
// that has it holds all that the Listener said since.
func begins(line string) bool { return strings.HasPrefix(line, ".path=") }

// journalLag is how far behind a journal on a busy host may be.
const journalLag = time.Minute

// listening reports whether the Listener takes jobs, and what it said of itself.
// Where the journal no longer reaches back to that, a live Listener with an
// established connection is taken for one that listens. One that does not get
// through to GitHub is an error: it tries again by itself, which to start it anew
// would not make any better.
func listening(ctx context.Context, r host.Reader, u host.Unit) (said string, ok bool, err error) {
	lines, err := r.Journal(ctx, u.Name, u.InvocationID, fewLines)
	for i := len(lines) - 1; i >= 0; i-- {
		m := spoken.FindStringSubmatch(lines[i])
		switch {
		case m == nil:
		case m[1] == connectError:
			return "", false, fmt.Errorf("%w: the runner does not get through to GitHub, and goes on trying; it said: %s; see whether this host reaches GitHub", reconcile.ErrUnknown, plain(lines[i]))
		default:
			return plain(lines[i]), true, nil
		}
	}
	// What has only just been started may be ahead of its journal.
	if !slices.ContainsFunc(lines, begins) && time.Since(u.ActiveSince) > journalLag && connected(r, u.MainPID) {
		return "connected", true, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("%w: cannot tell whether the runner listens: %w", reconcile.ErrUnknown, err)
	}
	said = "active, but not listening"
	if len(lines) > 0 {
		said += "; last said: " + plain(lines[len(lines)-1])
	}
	return said, false, nil
}
