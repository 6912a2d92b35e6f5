package runner

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// A Defect is a way in which a version's listener never takes a job.
type Defect string

// The defects there are.
const (
	Exits Defect = "exits" // it ends at once, with a sentence that nobody can know beforehand
	Quits Defect = "quits" // it listens, and is refused at its first message, as deprecated versions are
	Hangs Defect = "hangs" // it opens its log, and nothing follows
	Mute  Defect = "mute"  // it does nothing at all, not even that
)

// DefectFile is where a package says which defect it has.
const DefectFile = "bin/defect"

// defect is that of the package in root, "" for a sound one.
func defect(root string) Defect {
	text, _ := os.ReadFile(filepath.Join(root, DefectFile))
	return Defect(text)
}

// early plays the defects of a listener that never signs in.
func (l *listener) early(ctx context.Context) (code int, ends bool) {
	switch defect(l.root) {
	case Exits:
		l.t.fail("Unhandled exception. System.TypeInitializationException: \x1b[31mno such thing\x1b[0m")
		return exitTerminated, true
	case Hangs:
		l.t.info("RunnerProcess", "Starting Runner listener with startup type: service")
		<-ctx.Done()
		l.t.say("Exiting...")
		return exitOK, true
	}
	return 0, false
}

// late plays the defect of a listener that is refused when it already listens.
func (l *listener) late(ctx context.Context, poll func(context.Context) int) int {
	if defect(l.root) != Quits {
		return poll(ctx)
	}
	sleep(ctx, 200*time.Millisecond)
	l.t.fail("An error occurred: Runner version v%s is deprecated and cannot receive messages.", version(l.root))
	return deprecatedCode()
}

// await waits for a signal to end.
func await(ctx context.Context) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}
