package dispatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

const (
	// partial begins the name of what is not yet whole.
	partial = ".benchctl-"
	// slack is what a zip may be larger than GitHub says, older ones of which
	// tell the size of what is in it.
	slack    = 64 << 20
	attempts = 3
)

// place makes the directory for the artifacts, before anything is started.
func (d *dispatcher) place() error {
	if d.Download == "" {
		return nil
	}
	err := os.MkdirAll(d.Download, 0o755)
	if err == nil {
		var trial *os.File
		if trial, err = os.CreateTemp(d.Download, partial); err == nil {
			err = errors.Join(trial.Close(), os.Remove(trial.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("cannot put artifacts into %s: %w; name another directory with --download", d.Download, bare(err))
	}
	return nil
}

// collect lists what the run left, and fetches it where that is wanted.
func (d *dispatcher) collect(ctx context.Context) error {
	var all []actions.Artifact
	if err := d.persist(ctx, func() (err error) { all, err = d.GitHub.Artifacts(ctx, d.report.Run.ID); return err }); err != nil {
		return err
	}
	taken, fetching := map[string]bool{}, d.Download != ""
	var errs []error
	for _, a := range all {
		out := Artifact{Name: a.Name, Size: a.Size, Expires: a.Expires.UTC(), Expired: a.Expired}
		if fetching && !a.Expired {
			err := d.undisturbed(ctx)
			if fetching = err == nil; fetching {
				dir := filepath.Join(d.Download, dirName(a, taken))
				if out.Files, err = d.fetch(ctx, a, dir); err == nil {
					out.Dir = dir
				}
			}
			errs = append(errs, err)
		}
		d.report.Artifacts = append(d.report.Artifacts, out)
	}
	return errors.Join(errs...)
}

// undisturbed waits until this host measures nothing: the next job of the queue
// may have begun, and what is fetched is unpacked, too.
func (d *dispatcher) undisturbed(ctx context.Context) error {
	if d.Host == nil || d.Host.Jobs == nil {
		return nil
	}
	err := d.Host.Jobs.Wait(ctx, func(reason string) {
		d.Said(reason + ": the artifacts are fetched when this host is idle; on another machine, --run fetches them now")
	})
	if err != nil {
		return fmt.Errorf("cannot fetch the artifacts: whether a job runs on this host cannot be seen: %w; fetch them on another machine with --run", err)
	}
	return nil
}

// dirName is what the directory of an artifact is called: as the artifact, but
// for what could lead elsewhere or be hidden. An older attempt's may have the
// same name.
func dirName(a actions.Artifact, taken map[string]bool) string {
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, a.Name)
	if name == "" || name[0] == '.' || name[0] == '-' {
		name = "_" + name
	}
	if name = cut(name, 200); taken[name] {
		name = fmt.Sprintf("%s-%d", name, a.ID)
	}
	taken[name] = true
	return name
}

func cut(s string, most int) string {
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// fetch downloads an artifact and unpacks it into dir, which must not be there.
// It gets its name when it is whole.
func (d *dispatcher) fetch(ctx context.Context, a actions.Artifact, dir string) (files int, err error) {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("cannot fetch the artifact %s: %s is there already; move it away, or name another directory with --download", a.Name, dir)
	}
	d.Said(fmt.Sprintf("fetching %s, %s", a.Name, Size(a.Size)))
	zip, err := os.CreateTemp(d.Download, partial)
	if err != nil {
		return 0, fmt.Errorf("cannot fetch the artifact %s: %w; see to %s", a.Name, bare(err), d.Download)
	}
	defer os.Remove(zip.Name())
	defer zip.Close()
	for try := 1; ; try++ {
		if err = d.download(ctx, a, zip); err == nil || try == attempts || !errors.Is(err, actions.ErrAway) {
			break
		}
		d.Said(fmt.Sprintf("%v; trying again", err))
		if pause(ctx, d.Pace.Queued) != nil {
			break
		}
	}
	if err != nil {
		return 0, err
	}
	if files, err = unpackAs(zip, dir, usualBounds); err != nil {
		return 0, fmt.Errorf("cannot unpack the artifact %s: %w", a.Name, err)
	}
	return files, nil
}

// download writes the zip, and holds it to the digest that GitHub names.
func (d *dispatcher) download(ctx context.Context, a actions.Artifact, zip *os.File) error {
	if err := errors.Join(zip.Truncate(0), seekStart(zip)); err != nil {
		return fmt.Errorf("cannot fetch the artifact %s: %w", a.Name, err)
	}
	sum := sha256.New()
	meter := &meter{of: a, now: d.Now}
	if err := d.GitHub.Download(ctx, a, io.MultiWriter(zip, sum, meter), a.Size+slack); err != nil {
		return err
	}
	want, known := strings.CutPrefix(a.Digest, "sha256:")
	if have := hex.EncodeToString(sum.Sum(nil)); known && have != want {
		return fmt.Errorf("cannot fetch the artifact %s: what came has sha256 %s, and GitHub tells %s; run again", a.Name, have, want)
	}
	return nil
}

func seekStart(f *os.File) error { _, err := f.Seek(0, io.SeekStart); return err }

// meter says how far a download is.
type meter struct {
	of   actions.Artifact
	came int64
	last time.Time
	now  func(string)
}

// Write counts what came.
func (m *meter) Write(p []byte) (int, error) {
	m.came += int64(len(p))
	if time.Since(m.last) > 200*time.Millisecond {
		m.last = time.Now()
		m.now(fmt.Sprintf("fetching %s: %s of %s", m.of.Name, Size(m.came), Size(m.of.Size)))
	}
	return len(p), nil
}

// Size is a number of bytes for a person.
func Size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// bare takes off the path that the sentence around names already.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
