package main

import (
	"fmt"
	"os"
)

// needRoot refuses early and in words what only root can do.
func needRoot(verb string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return fmt.Errorf("cannot %s as user %d: changing the host takes root; run it with sudo", verb, os.Geteuid())
}
