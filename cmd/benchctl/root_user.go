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

// needSight refuses in one sentence a look that would be blind kind by kind. A
// tree that stands for a machine can be seen as far as its files let one.
func needSight(e *env, verb string) error {
	if os.Geteuid() == 0 || e.machine.Root != "" {
		return nil
	}
	return fmt.Errorf("cannot %s as user %d: whether the account is locked, the runner's files and what benchctl noted can only be seen by root; run it with sudo, nothing is changed", verb, os.Geteuid())
}
