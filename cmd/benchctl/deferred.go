package main

import (
	"errors"
	"fmt"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// deferred turns a job in the way into exit code 3; any other error stays one.
func deferred(e *env, err error) error {
	if !errors.Is(err, reconcile.ErrBusy) {
		return err
	}
	fmt.Fprintln(e.stderr, "benchctl: deferred:", err)
	return exitError{reconcile.ExitDeferred}
}
