package expect

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// patience bounds the wait for kernel files that a driver makes after boot, and
// brevity the wait for those that a host may lack. Start-up of the unit allows
// for both.
const (
	patience = 30 * time.Second
	brevity  = 5 * time.Second
	interval = 200 * time.Millisecond
)

// Ready makes the host what [Kept] says and verifies it, before the runner can
// take a job. An error means that the runner must not start. It needs root,
// waits for no apply, talks to nobody, and is harmless when repeated.
func Ready(ctx context.Context, h host.Host) error {
	for {
		e, err := Load(h, Kept)
		if err != nil {
			return err
		}
		for _, k := range e.Knobs {
			if err := k.await(ctx, h); err != nil {
				return err
			}
		}
		if stale, err := e.enforce(h); err != nil || !stale {
			return err
		}
	}
}

// enforce sets the knobs, verifies them, and tells the gate. An expectation that
// a revert or an apply replaced meanwhile is stale, and nothing is done about it.
func (e *Expected) enforce(h host.Host) (stale bool, err error) {
	release, err := originals.Guard(h)
	if err != nil {
		return false, err
	}
	defer release()
	if now, err := Load(h, Kept); err != nil || !reflect.DeepEqual(now, e) {
		return true, err
	}
	for _, k := range e.Knobs {
		if err := k.set(h); err != nil && !k.Optional {
			return false, err
		}
	}
	changes, err := e.required().Compare(h)
	if err != nil {
		return false, err
	}
	if len(changes) > 0 {
		return false, fmt.Errorf("cannot start the runner: %s; run benchctl diff", sentence(changes))
	}
	if err := e.Runner.prepare(h); err != nil {
		return false, err
	}
	return false, e.publish(h)
}

// prepare empties the runner's perf log, the witness of its jobs.
func (r Runner) prepare(h host.Host) error {
	account, err := h.Account(r.User)
	if err != nil {
		return fmt.Errorf("cannot prepare the runner's start: %w; run benchctl apply", err)
	}
	// By itself: the unit's umask would leave a parent made on the way to root alone.
	logs := filepath.Dir(jobs.PerfDir(r.Unit))
	if err := h.Mkdir(logs, host.Perm{Mode: 0o755}); err != nil {
		return fmt.Errorf("cannot make %s: %w", logs, err)
	}
	keeper := jobs.Runner{Dir: r.Dir, Unit: r.Unit, UID: account.UID, GID: account.GID}
	if err := keeper.Prepare(h); err != nil {
		return fmt.Errorf("cannot prepare the perf log of %s: %w", r.Unit, err)
	}
	return nil
}

// publish writes [Current]: the host was just seen to match.
func (e *Expected) publish(h host.Host) error {
	text, err := e.Encode()
	if err != nil {
		return err
	}
	if err := h.Mkdir(filepath.Dir(Current), host.Perm{Mode: 0o755}); err != nil {
		return fmt.Errorf("cannot make %s: %w", filepath.Dir(Current), err)
	}
	return h.Replace(Current, text, host.Perm{Mode: 0o644})
}

// required is the expectation without what a host may lack.
func (e *Expected) required() *Expected {
	must := *e
	must.Knobs = nil
	for _, k := range e.Knobs {
		if !k.Optional {
			must.Knobs = append(must.Knobs, k)
		}
	}
	return &must
}

// await waits until the knob's files are there and no more of them appear: a
// driver that loads late makes one per CPU, one after the other. That none came
// is for the comparison to say.
func (k Knob) await(ctx context.Context, r host.Reader) error {
	limit := patience
	if k.Optional {
		limit = brevity
	}
	// A plain file is there from the start, or never will be.
	if !strings.ContainsAny(k.Files, "*?[") {
		limit = 0
	}
	seen := -1
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		paths, err := r.Glob(k.Files)
		if err != nil {
			return fmt.Errorf("cannot look for %s: %w", k.Files, err)
		}
		if len(paths) > 0 && len(paths) == seen {
			return nil
		}
		seen = len(paths)
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for %s: %w", k.Files, ctx.Err())
		case <-time.After(interval):
		}
	}
	return nil
}

func sentence(changes []reconcile.Change) string {
	var parts []string
	for _, c := range changes {
		parts = append(parts, fmt.Sprintf("%s is %s, not %s", c.Field, c.Have, c.Want))
	}
	return strings.Join(parts, ", ")
}
