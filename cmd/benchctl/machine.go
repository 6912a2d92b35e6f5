//go:build !killpoints

package main

import (
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
)

// newMachine is this very machine.
func newMachine() *linux.Machine { return &linux.Machine{} }

// newKeeper keeps the runner's jobs undisturbed.
func newKeeper(h host.Host, r jobs.Runner) *jobs.Keeper { return jobs.New(h, r) }
