package main

import (
	"bytes"
	"strings"
	"testing"
)

// On a terminal what goes on is one line, drawn anew; elsewhere there is a line
// for each thing that happened, and nothing else.
func TestLive(t *testing.T) {
	t.Parallel()
	var screen, file, none bytes.Buffer
	for _, l := range []*live{{w: &screen, terminal: true}, {w: &file}, {w: &none, terminal: true, quiet: true}} {
		l.now("step Measure for 1 s")
		l.now(strings.Repeat("long ", 40))
		l.said("done \x1b[31m")
		l.now("step Upload")
		l.done()
		l.done()
	}
	const anew = "\r\x1b[K"
	got := strings.Split(screen.String(), anew)
	if len(got) != 6 || got[1] != "step Measure for 1 s" || len(got[2]) != usualWidth-1 || !strings.HasSuffix(got[3], "  done \\u001b[31m\n") || got[4] != "step Upload" || got[5] != "" {
		t.Errorf("the terminal got %q", got)
	}
	if file.String() != "done \\u001b[31m\n" {
		t.Errorf("the file got %q", file.String())
	}
	if none.Len() > 0 {
		t.Errorf("told to be quiet, it said %q", none.String())
	}
}
