package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A Standing is what is wrong with a host, as far as somebody was told of it or
// is about to be, and how well telling works.
type Standing struct {
	Notices []Notice // sorted by cause
	Failing []Failure
}

// A Failure is a channel that reaches nobody.
type Failure struct {
	Channel string    `json:"channel"` // command, webhook or issue
	Since   time.Time `json:"since"`
}

// Look reads what Tell keeps, and leaves it as it is. A host where nobody was
// ever told anything has nothing standing.
func Look(r host.Reader, hostname string, now time.Time) (Standing, error) {
	best := &book{}
	for _, file := range []string{File, spare} {
		b, err := readBook(r, file)
		if errors.Is(err, fs.ErrPermission) {
			return Standing{}, fmt.Errorf("cannot see what was told: %w; run benchctl as root", err)
		}
		if err != nil {
			return Standing{}, fmt.Errorf("cannot see what was told: %s is damaged (%w); the next pass sets it aside", file, err)
		}
		if b.Saved.After(best.Saved) {
			best = b
		}
	}
	return best.look(hostname, now), nil
}

func (b *book) look(hostname string, now time.Time) Standing {
	s := Standing{}
	for _, cause := range b.causes() {
		if e := b.Causes[cause]; e.Over.IsZero() && (e.known() || now.Sub(e.Since) >= e.Patience) {
			s.Notices = append(s.Notices, e.notice(hostname, cause))
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(b.Fails)) {
		s.Failing = append(s.Failing, Failure{plain(channel), b.Fails[channel]})
	}
	return s
}

// known says that somebody was told.
func (e *entry) known() bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(e.Told)), func(t tell) bool { return t.Open })
}
