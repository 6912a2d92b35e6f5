package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A writer writes notes and remembers the first thing that went wrong.
type writer struct {
	h   host.Host
	err error
}

var secret = host.Perm{Mode: 0o600}

// begin makes the directory and sets aside what is damaged.
func (b *Book) begin(h host.Host, now time.Time) *writer {
	w := &writer{h: h}
	if _, err := h.Lstat(Dir); errors.Is(err, fs.ErrNotExist) {
		w.note(h.Mkdir(Dir, host.Perm{Mode: 0o700}))
	}
	b.damaged = append(b.damaged, unsound(h)...)
	if len(b.damaged) > 0 {
		b.Warnings = nil
	}
	for _, file := range b.damaged {
		aside := file + ".damaged-" + now.UTC().Format("20060102T150405Z")
		if err := h.Rename(file, aside); err != nil {
			w.note(fmt.Errorf("cannot set the damaged %s aside: %w", file, err))
			continue
		}
		b.Warnings = append(b.Warnings, fmt.Sprintf("%s was damaged; it is now %s, and benchctl begins a new one", file, aside))
	}
	b.damaged = nil
	return w
}

// unsound lists the files, beside the book, that cannot be used. A report may be
// long, and is only ever replaced.
func unsound(r host.Reader) (files []string) {
	for _, file := range []string{LastRun, Settled} {
		if info, err := r.Lstat(file); file == LastRun && err == nil && info.IsRegular() && info.Size > host.MaxHostile {
			continue
		}
		if data, err := read(r, file); err != nil || data != nil && !json.Valid(data) {
			files = append(files, file)
		}
	}
	if info, err := r.Lstat(Lines); err == nil && (!info.IsRegular() || info.Size > host.MaxHostile) {
		files = append(files, Lines)
	}
	return files
}

func (w *writer) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

// verdict says in a sentence what could not be kept.
func (w *writer) verdict() error {
	if w.err == nil {
		return nil
	}
	return fmt.Errorf("cannot keep what this run came to: %w; the host itself is as reported, see to %s", w.err, Dir)
}

func (w *writer) json(file string, v any) { w.note(w.put(file, v)) }

func (w *writer) put(file string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = w.h.Record(file, append(data, '\n'), secret)
	}
	return err
}

// book writes the book, to the spare place if the state directory takes nothing.
func (w *writer) book(b *Book) {
	err := w.put(Marks, b)
	w.note(err)
	if err != nil {
		_ = w.put(spare, b) // else it is as it was
	} else if _, err := w.h.Lstat(spare); err == nil {
		w.note(w.h.Remove(spare))
	}
}

// line adds to the history, which is first cut when it has grown too long.
func (w *writer) line(e *Entry) {
	if info, err := w.h.Lstat(Lines); err == nil && info.Size > mostBytes {
		data, err := read(w.h, Lines)
		if err == nil {
			err = w.h.Record(Lines, newest(data), secret)
		}
		w.note(err)
	}
	data, err := json.Marshal(e)
	if err == nil {
		err = w.h.AppendLine(Lines, data, secret)
	}
	w.note(err)
}
