package jobs

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkIdle is what a pass costs that finds a job, or finds none: 5 ms of
// CPU are allowed.
func BenchmarkIdle(b *testing.B) {
	b.Run("300 processes", func(b *testing.B) {
		crowd(b, 300)
		benchIdle(b, New(nil, Runner{Dir: "/nowhere", Unit: "none.service"}))
	})
	b.Run("2000 entries", func(b *testing.B) {
		f := newFake(b)
		for pid := 100; pid < 2100; pid++ {
			f.write(fmt.Sprint(pid, "/comm"), "kworker/0:1H-kb\n")
		}
		f.listener(trace("Session created.", time.Minute))
		f.perf(counter(start, time.Minute), counter(session, time.Minute))
		benchIdle(b, f.keep)
	})
	b.Run("a job on 300 processes", func(b *testing.B) {
		dir := b.TempDir()
		copySelf(b, filepath.Join(dir, workerName))
		crowd(b, 300)
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer silent.Close()
		worker := exec.Command(filepath.Join(dir, workerName), "1")
		worker.Env = []string{"SERVER=" + silent.Addr().String()}
		if err := worker.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = worker.Process.Kill(); _ = worker.Wait() }()
		benchIdle(b, New(nil, Runner{Dir: dir, Unit: "none.service"}))
	})
}

func benchIdle(b *testing.B, k *Keeper) {
	b.ReportAllocs()
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	for b.Loop() {
		_ = k.Idle(b.Context())
	}
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(used)/float64(b.N)/1e6, "cpu-ms/op")
}

// crowd makes it as many processes, if there are fewer.
func crowd(b *testing.B, n int) {
	b.Helper()
	have, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		b.Fatal(err)
	}
	for range n - len(have) {
		sleeper(b)
	}
}
