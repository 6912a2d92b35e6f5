package jobs

import (
	"path/filepath"
	"testing"
	"time"
)

// Who asks for the workers is told which there are and since when, and of
// nothing else that the runner runs.
func TestWorkers(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	if workers, err := f.keep.Workers(); err != nil || len(workers) != 0 {
		t.Errorf("before there is one: %v, %v", workers, err)
	}
	bin := filepath.Join(f.keep.runner.Dir, "bin.2.336.0")
	f.process(100, listenerName, filepath.Join(bin, listenerName))
	f.process(4711, workerName, filepath.Join(bin, workerName))
	workers, err := f.keep.Workers()
	if err != nil || len(workers) != 1 || workers[0].PID != 4711 {
		t.Fatalf("got %v, %v; want process 4711", workers, err)
	}
	// It started 100 seconds before now, and the file system is not that slow.
	if age := time.Since(workers[0].Since); age < 99*time.Second || age > 200*time.Second {
		t.Errorf("it is %v old", age)
	}
}

func TestWorkersWithoutProc(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.keep.proc = proc(f.root + "/absent")
	if workers, err := f.keep.Workers(); err == nil {
		t.Errorf("got %v where there is no /proc", workers)
	}
}
