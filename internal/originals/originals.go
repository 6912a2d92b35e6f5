// Package originals remembers what each kernel knob was before benchctl first
// changed it, so that it can be given back: after a kill, after a reboot, and
// however often the wanted value changed in between.
package originals

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// File is where the originals are kept, below the state directory (root's, 0700).
const File = "/var/lib/benchctl/originals.json"

// An Original is a knob's value before benchctl.
type Original struct {
	Value string    `json:"value"`
	Kind  string    `json:"kind"` // of the resource that changed it
	Saved time.Time `json:"saved"`
}

// A Book is all the originals, by the path of the kernel file.
type Book map[string]Original

// Guard keeps every other process from the knobs and their originals until
// release is called. Apply and revert are one at a time, but ready waits for
// neither, and the first value seen must be nobody's but the host's own.
func Guard(h host.Host) (release func(), err error) { return h.Exclusive("knobs") }

// Load reads the book. No file is an empty book.
func Load(r host.Reader) (Book, error) {
	data, err := r.ReadFile(File)
	if errors.Is(err, fs.ErrNotExist) {
		return Book{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the knobs' originals: %w", err)
	}
	b := Book{}
	if err = json.Unmarshal(data, &b); err == nil && b == nil {
		err = errors.New("it holds nothing")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the knobs' originals in %s: %w; move the file aside to go on without them", File, err)
	}
	return b, nil
}

// Keep writes a value down, synced to the disk, unless the book has one for
// that path: the first value seen is the original, and no later one is. From
// before the value is read until the knob is set, the caller has a [Guard].
func Keep(h host.Host, kind, path, value string, now time.Time) error {
	b, err := Load(h)
	if err != nil {
		return err
	}
	if _, known := b[path]; known {
		return nil
	}
	b[path] = Original{Value: value, Kind: kind, Saved: now.UTC()}
	return b.write(h)
}

// Forget takes paths out of the book, once their knobs have their originals back.
func Forget(h host.Host, paths ...string) error {
	b, err := Load(h)
	if err != nil {
		return err
	}
	for _, path := range paths {
		delete(b, path)
	}
	if len(b) == 0 {
		return h.Remove(File)
	}
	return b.write(h)
}

// Of returns the paths whose originals a kind left, sorted.
func (b Book) Of(kind string) []string {
	paths := slices.Sorted(maps.Keys(b))
	return slices.DeleteFunc(paths, func(p string) bool { return b[p].Kind != kind })
}

// Kinds returns the kinds that left originals, sorted.
func (b Book) Kinds() []string {
	var kinds []string
	for _, o := range b {
		kinds = append(kinds, o.Kind)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func (b Book) write(h host.Host) error {
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	if err := h.Mkdir("/var/lib/benchctl", host.Perm{Mode: 0o700}); err != nil {
		return fmt.Errorf("cannot keep the knobs' originals: %w", err)
	}
	if err := h.Replace(File, append(data, '\n'), host.Perm{Mode: 0o600}); err != nil {
		return fmt.Errorf("cannot keep the knobs' originals: %w", err)
	}
	return nil
}
