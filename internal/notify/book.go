package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// File is where it is kept what was told, below the state directory (root's,
// 0700).
const File = "/var/lib/benchctl/notices.json"

// spare is where it is kept while the disk takes nothing, which is no time to
// tell the same every half hour. It is gone after a reboot.
const spare = "/run/benchctl/notices.json"

const (
	maxCauses = 64
	maxDisks  = 8
)

// A book is what was told, and what is about to be.
type book struct {
	Saved  time.Time            `json:"saved"`
	Causes map[string]*entry    `json:"causes"`
	Free   map[string][]sample  `json:"free,omitempty"`   // by directory
	Fails  map[string]time.Time `json:"fails,omitempty"`  // by channel: since when nobody is reached by it
	Ticket int                  `json:"ticket,omitempty"` // the number of the open issue
}

// An entry is one cause: what it is now, and who knows.
type entry struct {
	Since    time.Time       `json:"since"`
	Over     time.Time       `json:"over,omitzero"` // when it was seen to be over
	Subject  string          `json:"subject"`
	What     string          `json:"what"`
	Next     string          `json:"next"`
	Patience time.Duration   `json:"patience,omitempty"` // in nanoseconds
	Told     map[string]tell `json:"told,omitempty"`     // by channel

	seen bool // by this very look
}

// A tell is the last message about a cause on one channel.
type tell struct {
	At   time.Time `json:"at"`
	Open bool      `json:"open"` // that it is over was not told yet
}

// open reads the book. One that is damaged is set aside, and said: its messages
// are sent once more.
func (t *teller) open() *book {
	best := &book{}
	for _, file := range []string{File, spare} {
		b, err := readBook(t.host, file)
		if err != nil {
			t.note(setAside(t.host, file, err))
			continue
		}
		if b.Saved.After(best.Saved) {
			best = b
		}
	}
	best.fill()
	return best
}

// readBook reads one of the places where the book is kept. There may be nothing.
func readBook(r host.Reader, file string) (*book, error) {
	b := &book{}
	data, err := r.ReadBelow(path.Dir(file), path.Base(file))
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err == nil {
		err = json.Unmarshal(data, b)
	}
	if err == nil && (len(b.Causes) > maxCauses || slices.Contains(slices.Collect(maps.Values(b.Causes)), nil)) {
		err = errors.New("it is not as benchctl writes it")
	}
	return b, err
}

// fill makes the maps that are missing.
func (b *book) fill() {
	if b.Causes == nil {
		b.Causes = map[string]*entry{}
	}
	if b.Free == nil {
		b.Free = map[string][]sample{}
	}
	if b.Fails == nil {
		b.Fails = map[string]time.Time{}
	}
}

func setAside(h host.Host, file string, why error) error {
	aside := file + ".damaged"
	err := h.RemoveAll(aside)
	if err == nil {
		err = h.Rename(file, aside)
	}
	if err != nil {
		return fmt.Errorf("cannot read what was told so far: %s is damaged (%w) and cannot be set aside: %w; remove it", file, why, err)
	}
	return fmt.Errorf("cannot read what was told so far: %s is damaged (%w); it is %s now, and what is still wrong is told again", file, why, path.Base(aside))
}

// text is the book as it is kept, but for when that was.
func (b *book) text() []byte {
	bare := *b
	bare.Saved = time.Time{}
	data, _ := json.Marshal(bare) // plain values
	return data
}

// save writes the book, to the spare place if the state directory takes nothing.
func (b *book) save(h host.Host, now time.Time) error {
	b.Saved = now
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	err = h.Mkdir(path.Dir(File), host.Perm{Mode: 0o700})
	if err == nil {
		err = h.Record(File, append(data, '\n'), host.Perm{Mode: 0o600})
	}
	if err == nil {
		return h.Remove(spare)
	}
	if h.Mkdir(path.Dir(spare), host.Perm{Mode: 0o755}) == nil && h.Record(spare, append(data, '\n'), host.Perm{Mode: 0o600}) == nil {
		return fmt.Errorf("cannot keep what was told in the state directory: %w; make room there: until a reboot it is kept in %s", err, spare)
	}
	return fmt.Errorf("cannot keep what was told: %w; make room there, or the same is told again", err)
}

func (b *book) causes() []string { return slices.Sorted(maps.Keys(b.Causes)) }

// fires reports whether a cause is known and not over.
func (b *book) fires(cause string) bool {
	e := b.Causes[cause]
	return e != nil && e.Over.IsZero()
}
