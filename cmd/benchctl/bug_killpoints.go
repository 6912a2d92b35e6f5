//go:build killpoints

package main

import (
	"os"
	"slices"
)

// A pass has a bug for as long as a test wants it to.
func init() {
	if _, err := os.Stat("/run/lab-bug"); err == nil && slices.Contains(os.Args, "pass") {
		go func() { panic("as the test asked") }()
		select {}
	}
}
