//go:build killpoints

package main

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
)

// newMachine is this very machine, on which benchctl is killed just before the
// change that BENCHCTL_KILL_AT counts, 1 being the first. Only the tests build
// it so.
func newMachine() *linux.Machine {
	at, err := strconv.Atoi(os.Getenv("BENCHCTL_KILL_AT"))
	if err != nil {
		return &linux.Machine{}
	}
	var n atomic.Int64
	return &linux.Machine{Before: func(op, path string) {
		if n.Add(1) == int64(at) {
			fmt.Fprintf(os.Stderr, "killed before: %s %s\n", op, path)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}}
}
