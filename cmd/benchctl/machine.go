//go:build !killpoints

package main

import "github.com/SKaiNET-developers/benchctl/internal/host/linux"

// newMachine is this very machine.
func newMachine() *linux.Machine { return &linux.Machine{} }
