package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/relay"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Seen is what a child saw.
type Seen struct {
	Code    int                      `json:"-"` // its exit code, one of reconcile's
	Summary map[reconcile.Status]int `json:"summary"`
}

// corrected reports whether all that was to be changed was.
func (s Seen) corrected() bool {
	return s.Summary[reconcile.Changed] > 0 && s.Summary[reconcile.Failed]+s.Summary[reconcile.Skipped]+s.Summary[reconcile.Deferred] == 0
}

// maxReport bounds what is read of a child's report, in bytes.
const maxReport = 4 << 20

// A Child is the command that looks: it prints a report as JSON, and ends with
// the report's exit code.
type Child struct {
	Argv   []string
	Env    []string // all of its environment
	Stderr io.Writer
}

// Look runs the child and waits for it. When the context ends first, the child
// is killed: it only looks.
func (c Child) Look(ctx context.Context) (Seen, error) {
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env, cmd.Dir = c.Env, "/"
	cmd.WaitDelay = 5 * time.Second
	report := &bounded{}
	cmd.Stdout, cmd.Stderr = report, c.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return Seen{}, fmt.Errorf("cannot look at the host: the pass did not end in time (%w); see what benchctl diff hangs at", ctx.Err())
	case err != nil && !errors.As(err, &exit):
		return Seen{}, fmt.Errorf("cannot look at the host: %w", err)
	}
	seen := Seen{Code: cmd.ProcessState.ExitCode()}
	known := []int{reconcile.ExitOK, reconcile.ExitError, reconcile.ExitDiffers, reconcile.ExitDeferred}
	// A panic ends with 2 as well, so the code alone says nothing.
	if json.Unmarshal(report.kept.Bytes(), &seen) != nil || seen.Summary == nil || !slices.Contains(known, seen.Code) {
		return Seen{}, fmt.Errorf("cannot look at the host: the pass ended without a report (%s); what it said is above", cmd.ProcessState)
	}
	return seen, nil
}

// Succeeds runs the child for its exit code: an error unless it ended well.
func (c Child) Succeeds(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stderr = c.Env, "/", c.Stderr
	return cmd.Run()
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ kept bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(len(p), maxReport-b.kept.Len())])
	return len(p), nil
}

// childEnv are the variables of a pass's environment, apart from PATH: where
// systemd put credentials and the journal, the time zone, and the way out to
// GitHub.
var childEnv = []string{
	"CREDENTIALS_DIRECTORY", "JOURNAL_STREAM", "TZ", relay.SocketEnv,
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
}

// ChildEnv builds the environment of a pass.
func ChildEnv(getenv func(string) string) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	for _, name := range childEnv {
		if value := getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
