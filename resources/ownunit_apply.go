package resources

import (
	"context"
	"path"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// write puts the unit's file where it belongs and moves what is in the way.
func (o ownUnit) write(ctx context.Context, h host.Host, u host.Unit) error {
	aside, _, err := foreignDropIns(h, u)
	if err != nil {
		return err
	}
	if p := u.FragmentPath; p != "" && p != o.file.path && strings.HasPrefix(p, "/run/") || path.Dir(p) == "/etc/systemd/system.control" {
		aside = append(aside, p)
	}
	for _, p := range aside {
		reconcile.Progress(ctx)("moving " + p + " to " + asideDir)
		if err := setAside(h, p); err != nil {
			return err
		}
	}
	if isMasked(u) {
		if err := h.Systemd().Unmask(ctx, u.Name); err != nil {
			return err
		}
	}
	return o.file.write(h)
}

// takeIn makes systemd read the files, and start the unit at boot if it should.
func (o ownUnit) takeIn(ctx context.Context, h host.Host, u host.Unit) error {
	if err := h.Systemd().Reload(ctx); err != nil {
		return err
	}
	if !o.enabled || u.UnitFileState == "enabled" {
		return nil
	}
	if err := h.Systemd().Enable(ctx, u.Name); err != nil {
		return err
	}
	return h.Systemd().Reload(ctx)
}

// spoke is what the latest invocation of a unit said last, at most max lines of
// it, fit for a report.
func spoke(ctx context.Context, r host.Reader, u host.Unit, max int) []string {
	if u.InvocationID == "" {
		return nil
	}
	return words(r.Journal(ctx, u.Name, u.InvocationID, max))
}

// lastWords is spoke for one that has just ended, and may not be heard yet.
func lastWords(ctx context.Context, r host.Reader, u host.Unit, max int) []string {
	if u.InvocationID == "" {
		return nil // it has not run since the host booted
	}
	return words(r.LastWords(ctx, u.Name, u.InvocationID, max))
}

// words are lines of a journal, fit for a report; none if it cannot be read.
func words(lines []string, err error) []string {
	if err != nil {
		return nil
	}
	for i, line := range lines {
		lines[i] = plain(line)
	}
	return lines
}
