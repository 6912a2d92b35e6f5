//go:build !killpoints

package main

import (
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
)

// newMachine is this very machine.
func newMachine() *linux.Machine { return &linux.Machine{} }

// patience is how long a started runner may take to listen; 0 is the default.
func patience() time.Duration { return 0 }

// newKeeper keeps the runner's jobs undisturbed.
func newKeeper(h host.Host, r jobs.Runner) *jobs.Keeper { return jobs.New(h, r) }
