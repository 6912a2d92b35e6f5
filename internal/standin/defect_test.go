package standin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// A version with a defect registers like any other, and ends or hangs without
// taking a job. One that is mute does not even write the log that this waits for.
func TestDefects(t *testing.T) {
	t.Parallel()
	for defect, want := range map[runner.Defect]struct {
		code int
		said string
	}{
		runner.Exits: {1, "Unhandled exception."},
		runner.Quits: {1, "Runner version v" + version + " is deprecated and cannot receive messages."},
		runner.Hangs: {0, "Exiting..."},
	} {
		t.Run(string(defect), func(t *testing.T) {
			t.Parallel()
			b := newBox(t, newServer(t, standin.Options{}))
			b.register("box")
			if err := os.WriteFile(filepath.Join(b.root, runner.DefectFile), []byte(defect), 0o644); err != nil {
				t.Fatal(err)
			}
			p := b.start(nil, "bin/Runner.Listener", "run")
			if defect == runner.Hangs {
				b.logs(t, "Starting Runner listener")
				_ = p.Process.Signal(os.Interrupt) // one that has ended says so below
			}
			if code := p.ends(t); code != want.code || !strings.Contains(p.out.String(), want.said) {
				t.Errorf("it ended with %d and said %q", code, p.out)
			}
			if listens := strings.Contains(p.out.String(), "Listening for Jobs"); listens != (defect == runner.Quits) {
				t.Errorf("it said %q", p.out)
			}
		})
	}
}

// logs waits until the listener's log holds some words.
func (b *box) logs(t *testing.T, words string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		found, _ := filepath.Glob(b.root + "/_diag/Runner_*")
		for _, name := range found {
			if text, _ := os.ReadFile(name); strings.Contains(string(text), words) {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no log says %q", words)
		}
	}
}
