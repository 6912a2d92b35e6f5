//go:build killpoints

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
)

// newMachine is this very machine, with what only the tests build: every change
// is told to stderr just before it is made, and benchctl is killed before the
// one that BENCHCTL_KILL_AT counts, 1 being the first and 0 none, after a pause
// of BENCHCTL_KILL_AFTER. BENCHCTL_KILL_BEFORE="N OP PATH" kills it before the
// N-th of such changes instead. BENCHCTL_PAUSE comes before every change, for a host
// so busy that time passes between a look and the act. benchctl's own notes are
// no changes of the host, and have BENCHCTL_KILL_AT_RECORD to themselves.
func newMachine() *linux.Machine {
	at, err := strconv.Atoi(os.Getenv("BENCHCTL_KILL_AT"))
	if err != nil {
		return &linux.Machine{}
	}
	beforeKill, _ := time.ParseDuration(os.Getenv("BENCHCTL_KILL_AFTER"))
	pause, _ := time.ParseDuration(os.Getenv("BENCHCTL_PAUSE"))
	atRecord, _ := strconv.Atoi(os.Getenv("BENCHCTL_KILL_AT_RECORD"))
	nth, like := 0, os.Getenv("BENCHCTL_KILL_BEFORE")
	_, _ = fmt.Sscan(like, &nth)
	_, like, _ = strings.Cut(like, " ")
	var changes, records, alike atomic.Int64
	return &linux.Machine{Before: func(op, path string) {
		if op == "record" {
			if records.Add(1) == int64(atRecord) {
				die()
			}
			return
		}
		time.Sleep(pause)
		n := changes.Add(1)
		fmt.Fprintf(os.Stderr, "change %d at %s: %s %s\n", n, time.Now().Format(time.RFC3339Nano), op, path)
		if n == int64(at) || op+" "+path == like && alike.Add(1) == int64(nth) {
			time.Sleep(beforeKill)
			die()
		}
	}}
}

// die ends benchctl as a power cut would.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// patience is what a test has for a runner that never listens: BENCHCTL_PATIENCE.
func patience() time.Duration {
	d, _ := time.ParseDuration(os.Getenv("BENCHCTL_PATIENCE"))
	return d
}

// newKeeper keeps the runner's jobs undisturbed, or with BENCHCTL_NO_HOLD only
// looks before it acts, and with BENCHCTL_BLIND only looks for Workers, to show
// that this is not enough.
func newKeeper(h host.Host, r jobs.Runner) *jobs.Keeper {
	k := jobs.New(h, r)
	if os.Getenv("BENCHCTL_NO_HOLD") != "" {
		k.Loosen()
	}
	if os.Getenv("BENCHCTL_BLIND") != "" {
		k.Blind()
	}
	return k
}
