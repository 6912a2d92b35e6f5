package jobs

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A Worker of real: Wait sleeps on it and returns at its end.
func TestWait(t *testing.T) {
	t.Parallel()
	r := newToyRunner(t, 3)
	worker := exec.Command(r.dir + "/bin.1/" + workerName)
	worker.Args = []string{workerName, "1"}
	worker.Env = []string{"SERVER=" + r.server.Addr().String()}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = worker.Wait() }()
	var reasons []string
	if err := r.keep.Wait(t.Context(), func(reason string) { reasons = append(reasons, reason) }); err != nil {
		t.Fatal(err)
	}
	if len(reasons) != 1 || !strings.HasPrefix(reasons[0], "a job is running (Runner.Worker, process ") {
		t.Errorf("the reasons were %q", reasons)
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	r := newToyRunner(t, 3)
	if err := r.keep.Ended(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a Listener: %v", err)
	}
	listener := exec.Command(r.dir + "/bin.1/" + listenerName)
	listener.Args = []string{listenerName, "run"}
	listener.Env = []string{"SERVER=" + r.server.Addr().String()}
	if err := listener.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- r.keep.Ended(t.Context()) }()
	if err := listener.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = listener.Wait()
	if err := <-gone; err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestWaitGivesUp(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.process(4711, workerName, "")
	ctx, cancel := context.WithCancel(t.Context())
	err := f.keep.Wait(ctx, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) || errors.Is(err, reconcile.ErrBusy) {
		t.Errorf("got %v; want that it was cancelled", err)
	}
}
