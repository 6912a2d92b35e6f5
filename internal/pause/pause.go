// Package pause keeps benchctl's hands off a host for a while: why, at whose
// word and until when. A pause is a file, so that it survives reboots; it ends
// by itself, because whoever comes after its time takes it for absent.
package pause

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// File is where the pause is kept, below the state directory (root's, 0700).
const File = "/var/lib/benchctl/pause.json"

const (
	// MaxReason is the most that a reason may have, in characters.
	MaxReason = 200
	maxBy     = 64       // characters; an account's name has at most 32
	maxFile   = 16 << 10 // bytes; a pause has a few hundred
)

// A Pause is what somebody asked for. What Load returns can be printed as it
// is: one line, no control characters, of bounded length.
type Pause struct {
	Reason string    `json:"reason"`
	By     string    `json:"by"` // the account of who asked
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until somebody resumes

	// Damaged says why the file could not be understood. What it asked for is
	// not known then, and touching the host is what it may have forbidden.
	Damaged string `json:"damaged,omitempty"`
}

// Load returns the pause that is in force at a time, nil when there is none. A
// damaged file is a pause too. The error is that the file may not be looked at,
// which wraps [fs.ErrPermission].
func Load(r host.Reader, now time.Time) (*Pause, error) {
	p, err := read(r)
	if p == nil || err != nil || p.over(now) {
		return nil, err
	}
	return p, nil
}

func read(r host.Reader) (*Pause, error) {
	info, err := r.Lstat(File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("cannot see whether this host is paused: %w; run benchctl as root", err)
	case err != nil:
		return &Pause{Damaged: "it cannot be looked at"}, nil
	case !info.IsRegular():
		return &Pause{Damaged: "it is no plain file"}, nil
	case info.Size > maxFile:
		return &Pause{Damaged: fmt.Sprintf("it has %d bytes", info.Size)}, nil
	}
	data, err := r.ReadFile(File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil // resumed since the look
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("cannot see whether this host is paused: %w; run benchctl as root", err)
	case err != nil:
		return &Pause{Damaged: "it cannot be read"}, nil
	}
	p := &Pause{}
	if err := json.Unmarshal(data, p); err != nil {
		return &Pause{Damaged: "it is not the JSON that benchctl writes"}, nil
	}
	p.Reason, p.By, p.Damaged = tidy(p.Reason, MaxReason), tidy(p.By, maxBy), ""
	return p, nil
}

func (p *Pause) over(now time.Time) bool {
	return p.Damaged == "" && !p.Until.IsZero() && !now.Before(p.Until)
}

// Set puts a pause in force, in the place of any other.
func Set(h host.Host, p Pause) error {
	p.Since, p.Until = p.Since.UTC(), p.Until.UTC()
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := h.Mkdir("/var/lib/benchctl", host.Perm{Mode: 0o700}); err != nil {
		return fmt.Errorf("cannot pause this host: %w", err)
	}
	// What a hand put in the place of the file must not keep a pause away.
	if info, err := h.Lstat(File); err == nil && !info.IsRegular() {
		if err := h.RemoveAll(File); err != nil {
			return fmt.Errorf("cannot pause this host: %w", err)
		}
	}
	if err := h.Replace(File, append(data, '\n'), host.Perm{Mode: 0o600}); err != nil {
		return fmt.Errorf("cannot pause this host: %w", err)
	}
	return nil
}

// Resume takes the pause away, damaged or not. None is no error.
func Resume(h host.Host) error {
	if err := h.RemoveAll(File); err != nil {
		return fmt.Errorf("cannot end the pause: %w; remove %s", err, File)
	}
	return nil
}

// Sweep removes a pause whose time is over. It is for those that write anyway.
func Sweep(h host.Host, now time.Time) error {
	if p, err := read(h); err != nil || p == nil || !p.over(now) {
		return err
	}
	return Resume(h)
}

// String is the pause in a sentence's first half: by whom, until when and why.
func (p *Pause) String() string {
	if p.Damaged != "" {
		return fmt.Sprintf("this host counts as paused, since %s is damaged (%s)", File, p.Damaged)
	}
	text := "this host is paused by " + p.By
	if !p.Since.IsZero() {
		text += " since " + Clock(p.Since)
	}
	return fmt.Sprintf("%s, until %s: %s", text, p.Ends(), p.Reason)
}

// Ends is when the pause ends, in words.
func (p *Pause) Ends() string {
	if p.Until.IsZero() {
		return "somebody resumes it"
	}
	return Clock(p.Until)
}

// Next is what to do about a pause.
const Next = `"benchctl resume" ends the pause`

// Clock is a moment as people and logs have it.
func Clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// tidy makes text that a hand wrote fit for a terminal and a journal.
func tidy(s string, most int) string {
	s = line(s)
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "..."
	}
	if s == "" {
		return "unknown"
	}
	return s
}

// line is text on one line, with nothing in it that could move a cursor.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.Join(strings.Fields(s), " ")
}
