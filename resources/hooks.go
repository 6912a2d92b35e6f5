package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A moment is one of the two at which the runner calls a hook.
type moment string

const (
	jobStarted   moment = "started"
	jobCompleted moment = "completed"
)

// hooksDir holds the hooks. It is outside the runner's directory, whose updates
// would lose them, and the runner does not quote the path: no spaces.
const hooksDir = "/usr/local/lib/benchctl"

func (m moment) path() string { return hooksDir + "/job-" + string(m) + ".sh" }

// gateSeconds bounds the gate from outside, since the runner has no timeout for a
// hook: one that hangs would hold the job until the job's own. The gate's checks
// have bounds of their own and are through after a second at the worst.
const gateSeconds = 10

// hooks are the scripts that the runner calls around each job, and the
// expectation that the gate and `benchctl ready` compare the host with.
type hooks struct{ launch }

var _ reconcile.Dependent = hooks{}

func (k hooks) ID() reconcile.ID { return reconcile.ID{Kind: "hooks"} }

func (k hooks) Needs() []string { return []string{"user", "jdk", "tarball"} }

// Diff compares the files, all of them root's. A script that differs needs a
// restart only through the revision, which kind service looks at.
func (k hooks) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	files, err := k.files(r)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var changes []reconcile.Change
	for _, f := range files {
		found, err := f.diff(r)
		if err != nil {
			return nil, err
		}
		changes = append(changes, found...)
	}
	return changes, nil
}

// Apply writes the files that differ.
func (k hooks) Apply(_ context.Context, h host.Host) error {
	files, err := k.files(h)
	if err != nil {
		return fmt.Errorf("cannot write down what this host must be: %w", err)
	}
	for _, f := range files {
		found, err := f.diff(h)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			continue
		}
		if err := f.write(h); err != nil {
			return err
		}
	}
	return nil
}

// files are what the hooks consist of. An error that wraps fs.ErrNotExist comes
// with them: the JDK is still to be installed.
func (k hooks) files(r host.Reader) ([]ownFile, error) {
	e, missing := k.expected(r)
	if e == nil {
		return nil, missing
	}
	text, err := e.Encode()
	if err != nil {
		return nil, err
	}
	return []ownFile{
		{jobStarted.path(), k.hookText(jobStarted), 0o755},
		{jobCompleted.path(), k.hookText(jobCompleted), 0o755},
		{expect.Kept, string(text), 0o644},
		{expect.Current, string(text), 0o644},
	}, missing
}

// expected compiles the spec into what the gate compares with.
func (l launch) expected(r host.Reader) (*expect.Expected, error) {
	java, missing := l.java(r)
	if missing != nil && java != notYet {
		return nil, missing
	}
	revision, err := l.revision(r)
	if err != nil {
		return nil, err
	}
	e := &expect.Expected{
		Schema: expect.Schema, Revision: revision, JavaHome: java, MaxLoad: l.spec.Gate.MaxLoad,
		Runner: expect.Runner{
			User: l.spec.User.Name,
			Unit: unitName(l.spec.Runner.URL, runnerName(r, l.spec)),
			Dir:  l.spec.InstallDir,
		},
	}
	if l.spec.JDK != nil {
		e.JavaVersion = l.spec.JDK.Version
	}
	for _, res := range knobsOf(l.spec) {
		if k, wanted := res.(Knob); wanted {
			e.Knobs = append(e.Knobs, k.expected())
		}
	}
	return e, missing
}

// hookText is the script for a moment. bash -e runs it as the runner's user, with
// the environment of the job, in front of and behind the job's own steps. It is
// where the policy lives, because it is there even if the gate is not: of all
// files, the runner fails every job without this one.
func (l launch) hookText(m moment) string {
	policy := l.spec.Gate.Policy
	head := "#!/bin/sh\n" +
		"# Written by benchctl, which undoes changes made here.\n" +
		"# The runner calls this when a job has " + string(m) + ". The spec says gate: " + policy + ".\n"
	if policy == "off" {
		return head + "exit 0\n"
	}
	// A gate that fails the job has said why. One that is to let it through ends
	// with 2 only when it breaks down, as every Go program then does.
	level, status, refused := "warning", 0, ""
	if policy == "fail" {
		level, status, refused = "error", 1, "[ $status != 2 ] || exit 2 # the gate has said why\n"
	}
	// By its whole path: a step of the job may have put another one in front.
	return head + fmt.Sprintf("/usr/bin/timeout --kill-after=5 %d %s gate --job %s --policy %s && exit 0\n", gateSeconds, l.binary, m, policy) +
		"status=$?\n" + refused +
		fmt.Sprintf(unanswered, gateSeconds, policy, level, status)
}

// unanswered is what a hook does when the gate came to no answer: it says so in
// the job's log, on the page of the run and in the summary, and ends as the
// policy has it.
const unanswered = `case $status in
124 | 137) why="it was not done after %[1]d seconds" ;;
126 | 127) why="it cannot be started" ;;
*) why="it ended with status $status" ;;
esac
why="The gate came to no answer: $why. Nobody can vouch for this host; the spec says gate: %[2]s."
echo "::%[3]s title=benchctl gate::$why"
echo "**benchctl:** $why" >>"${GITHUB_STEP_SUMMARY:-/dev/null}" || true
exit %[4]d
`
