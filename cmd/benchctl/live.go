package main

import (
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// A live is where a person watches something that takes its time: a line for
// each thing that happened and, on a terminal, one below that is drawn anew.
type live struct {
	w        io.Writer
	terminal bool
	quiet    bool
	drawn    bool
}

func newLive(e *env, f *flags) *live {
	return &live{w: e.stderr, quiet: f.quiet, terminal: isTerminal(e.stderr) && e.getenv("TERM") != "dumb"}
}

// said adds a line.
func (l *live) said(line string) {
	if l.quiet {
		return
	}
	l.done()
	if l.terminal {
		line = time.Now().Format(time.TimeOnly) + "  " + line
	}
	fmt.Fprintln(l.w, clean(line))
}

// now draws what is going on.
func (l *live) now(line string) {
	if l.quiet || !l.terminal {
		return
	}
	line = clean(line)
	if most := widthOf(l.w) - 1; utf8.RuneCountInString(line) > most {
		line = string([]rune(line)[:most])
	}
	fmt.Fprintf(l.w, "\r\x1b[K%s", line)
	l.drawn = true
}

// done takes away what was drawn.
func (l *live) done() {
	if l.drawn {
		fmt.Fprint(l.w, "\r\x1b[K")
		l.drawn = false
	}
}
