// Command benchctl makes a Linux machine the benchmark host that a runner.yaml
// describes, shows the distance, and keeps it so without disturbing a benchmark.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
)

func main() {
	// A pass makes 7 MiB of garbage in 20 ms. At Go's own 100 that is two
	// collections, which cost a fifth of the pass and give back nothing.
	debug.SetGCPercent(200)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, &env{
		machine: newMachine(), getenv: os.Getenv,
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}, os.Args)
	stop()
	os.Exit(code)
}

// env is the world as a verb sees it. Tests give it another one.
type env struct {
	machine        *linux.Machine
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}
