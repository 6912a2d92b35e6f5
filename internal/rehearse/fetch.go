package rehearse

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// actFetch tries the one download that the copy cannot: the real runner, which
// speaks to GitHub alone and so has nobody to speak to in a rehearsal. It is
// unpacked beside the copy, and thrown away.
func (s *stage) actFetch(ctx context.Context) error {
	s.say("\n# The real runner, fetched and unpacked as apply does it")
	begun, dir := time.Now(), filepath.Join(s.dir, "runner")
	defer os.RemoveAll(dir)
	p, err := s.Fetch(reconcile.WithProgress(ctx, func(line string) { s.say("%s", line) }), dir)
	if err != nil {
		return err
	}
	s.say("REAL: runner %s from %s", p.Version, host.Printable(p.Source))
	s.say("  %.1f MB, sha256 %s as it must be, %d files unpacked %s", float64(p.Size)/1e6, p.SHA256, len(p.Files), took(begun))
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("cannot throw the real runner away: %w", err)
	}
	s.say("It is gone again: the copy runs the stand-in's, since the real one speaks to GitHub alone.")
	return nil
}
