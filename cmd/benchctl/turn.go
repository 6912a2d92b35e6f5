package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
)

// byAgent is how the agent's own apply signs the host's lock.
const byAgent = "apply --unattended"

// nextTry is how long after a try to take the lock the next one comes.
const nextTry = 200 * time.Millisecond

// takeTurn takes the host's lock for a verb that somebody typed. The agent's own
// apply, which nobody knows of who types, is waited for, and with wait whoever
// has it; everybody else is named, and that is all.
func takeTurn(ctx context.Context, e *env, verb string, wait bool) (release func(), err error) {
	for said := false; ; said = true {
		release, err = e.machine.Lock(ctx, verb)
		var locked linux.LockedError
		if !errors.As(err, &locked) || !wait && !strings.HasPrefix(locked.Holder, "benchctl "+byAgent+",") {
			return release, err
		}
		if !said {
			fmt.Fprintf(e.stderr, "waiting: %v: %s\n", linux.ErrLocked, clean(locked.Holder))
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(nextTry):
		}
	}
}
