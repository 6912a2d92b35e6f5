package main

import (
	"errors"
	"fmt"

	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// deferred turns a job in the way, or another benchctl, into exit code 3; any
// other error stays one.
func deferred(e *env, err error) error {
	if !errors.Is(err, reconcile.ErrBusy) && !errors.Is(err, linux.ErrLocked) {
		return err
	}
	fmt.Fprintln(e.stderr, "benchctl: deferred:", err)
	return exitError{reconcile.ExitDeferred}
}
