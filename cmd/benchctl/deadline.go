package main

import (
	"context"
	"fmt"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/deadline"
	"github.com/SKaiNET-developers/benchctl/internal/notify"
)

// support is until when GitHub works with the version of the runner that is
// installed. GitHub is asked once a day; without credentials nobody is.
func (w *wired) support(ctx context.Context) deadline.Support {
	s := deadline.Kept(w.machine, runnerInstalled(w.machine, w.spec))
	if w.lasts.Version == s.Version && w.lasts.Asked.After(s.Asked) {
		s = w.lasts // by this very run
	}
	if w.options.GitHub != nil {
		s = s.Renewed(ctx, time.Now(), w.client.Deprecation)
	}
	w.lasts = s
	return s
}

// versionEnd is when GitHub stops handing jobs to that version.
func versionEnd(s deadline.Support) []notify.Deadline {
	if !s.Known {
		return nil
	}
	return []notify.Deadline{{
		Cause: "runner-version", At: s.Runtime,
		What: fmt.Sprintf("the time in which GitHub hands jobs to runner %s", s.Version),
		Next: "set a newer runner.version in the spec and apply it",
	}}
}
