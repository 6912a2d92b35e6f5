// Package deadline knows until when GitHub works with the version of the runner
// that is installed: with updates turned off that ends about a month after the
// next release. GitHub is asked once a day, and its answer is kept for whoever
// wants to know meanwhile.
package deadline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// File is where the last answer is kept (root's, 0600).
const File = "/var/lib/benchctl/runner-version.json"

// Soon is how long before a deadline a person who looks is told of it.
const Soon = 30 * day

const (
	day = 24 * time.Hour
	// After a failure GitHub is not asked again at the very next pass.
	askAgain = 6 * time.Hour
	askLimit = 15 * time.Second
)

// A Support is until when GitHub works with a version of the runner. A zero time
// is one that it has not set.
type Support struct {
	Version      string    `json:"version"` // "" where none is installed
	Asked        time.Time `json:"asked,omitzero"`
	Known        bool      `json:"known"`                 // GitHub has answered
	Runtime      time.Time `json:"runtime,omitzero"`      // until then it hands jobs to it
	Registration time.Time `json:"registration,omitzero"` // until then it registers it
}

// Ask asks GitHub about a version.
type Ask = func(ctx context.Context, version string) (actions.Deprecation, error)

// Kept is what GitHub last said of a version. It is not Known when it did not,
// or when that was about another version, or cannot be read.
func Kept(r host.Reader, version string) Support {
	var s Support
	data, err := r.ReadBelow(path.Dir(File), path.Base(File))
	if err != nil || json.Unmarshal(data, &s) != nil || s.Version != version {
		return Support{Version: version}
	}
	return s
}

// Renewed asks GitHub, if a day has passed since it was asked. That there is no
// answer is no news: what else is asked of GitHub says so.
func (s Support) Renewed(ctx context.Context, now time.Time, ask Ask) Support {
	wait := day
	if !s.Known {
		wait = askAgain
	}
	if ago := now.Sub(s.Asked); s.Version == "" || ask == nil || ago >= 0 && ago < wait {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	d, err := ask(ctx, s.Version)
	now = now.UTC().Truncate(time.Second)
	switch {
	case err == nil:
		return Support{s.Version, now, true, d.Runtime.UTC(), d.Registration.UTC()}
	case s.Known:
		s.Asked = now.Add(askAgain - day)
	default:
		s.Asked = now
	}
	return s
}

// Keep keeps an answer, unless it is the one that is kept already.
func (s Support) Keep(h host.Host) error {
	if s.Version == "" || s == Kept(h, s.Version) {
		return nil
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	dir := path.Dir(File)
	if _, err = h.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		err = h.Mkdir(dir, host.Perm{Mode: 0o700})
	}
	if err == nil {
		err = h.Record(File, append(data, '\n'), host.Perm{Mode: 0o600})
	}
	if err != nil {
		return fmt.Errorf("cannot keep until when GitHub works with runner %s: %w; it is asked again with the next pass, see to %s", s.Version, err, dir)
	}
	return nil
}

// Registers reports whether GitHub would register the version anew, as far as that
// is known without having tried.
func (s Support) Registers(now time.Time, where spec.URL) bool {
	_, tooOld := where.TooOld(s.Version)
	return !tooOld && (s.Registration.IsZero() || s.Registration.After(now))
}

// Warnings say in sentences what is over or will be soon, for a runner that
// belongs there.
func (s Support) Warnings(now time.Time, where spec.URL) (all []string) {
	const next = "; set a newer runner.version and apply it"
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)+next) }
	switch at := s.Runtime; {
	case at.IsZero():
	case !at.After(now):
		say("GitHub has handed no jobs to runner %s since %s", s.Version, at.Format(time.DateOnly))
	case at.Sub(now) < Soon:
		say("GitHub hands jobs to runner %s until %s, %s", s.Version, at.Format(time.DateOnly), away(at.Sub(now)))
	}
	least, tooOld := where.TooOld(s.Version)
	switch at := s.Registration; {
	case tooOld:
		say("GitHub registers no runner older than %s, so that %s could not be registered anew", least, s.Version)
	case at.IsZero():
	case !at.After(now):
		say("GitHub has not registered runner %s since %s, so that it could not be registered anew", s.Version, at.Format(time.DateOnly))
	case at.Sub(now) < Soon:
		say("GitHub registers runner %s until %s, %s", s.Version, at.Format(time.DateOnly), away(at.Sub(now)))
	}
	return all
}

// away is a time to come, in days.
func away(d time.Duration) string {
	switch n := int((d + day/2) / day); n {
	case 0:
		return "less than a day from now"
	case 1:
		return "a day from now"
	default:
		return fmt.Sprintf("%d days from now", n)
	}
}
