package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
)

// listening hands over what is written to it.
type listening chan string

func (c listening) Write(p []byte) (int, error) { c <- string(p); return len(p), nil }

func TestTakeTurn(t *testing.T) {
	for _, c := range []struct {
		holder  string
		wait    bool
		refused bool
	}{
		{holder: "apply", refused: true},
		{holder: "apply", wait: true},
		{holder: byAgent},
	} {
		e := &env{machine: &linux.Machine{Root: t.TempDir()}, stderr: io.Discard}
		release, err := e.machine.Lock(t.Context(), c.holder)
		if err != nil {
			t.Fatal(err)
		}
		if c.refused {
			if _, err := takeTurn(t.Context(), e, "apply", c.wait); !errors.Is(err, linux.ErrLocked) {
				t.Errorf("with %+v: %v", c, err)
			}
			release()
			continue
		}
		said := make(listening, 1)
		e.stderr = said
		done := make(chan error, 1)
		go func() {
			mine, err := takeTurn(t.Context(), e, "apply", c.wait)
			if err == nil {
				mine()
			}
			done <- err
		}()
		if line := <-said; !strings.HasPrefix(line, "waiting: another benchctl is at work on this host: benchctl "+c.holder+", process ") {
			t.Errorf("with %+v it said %q", c, line)
		}
		release()
		if err := <-done; err != nil {
			t.Errorf("with %+v: %v", c, err)
		}
	}
}
