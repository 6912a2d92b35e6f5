package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// asideDir keeps what was moved out of the unit's way, under its old path.
const asideDir = "/var/lib/benchctl/moved"

// foreignDropIns finds the drop-ins that change the unit. Those made for it, in
// UNIT.d below /etc or /run, are to be moved aside, whether systemd has read
// them yet or not; those for a whole type of units, and a distribution's own,
// are left.
func foreignDropIns(r host.Reader, u host.Unit) (aside, left []string, err error) {
	for _, dir := range []string{unitDir, "/etc/systemd/system.control", "/run/systemd/system", "/run/systemd/system.control", "/run/systemd/transient"} {
		found, err := r.Glob(dir + "/" + u.Name + ".d/*.conf")
		if err != nil {
			return nil, nil, fmt.Errorf("cannot look for drop-ins of %s: %w", u.Name, err)
		}
		aside = append(aside, found...)
	}
	for _, p := range u.DropInPaths {
		ours := path.Base(path.Dir(p)) == u.Name+".d" && (strings.HasPrefix(p, "/etc/") || strings.HasPrefix(p, "/run/"))
		if !ours {
			left = append(left, p)
		}
	}
	slices.Sort(aside)
	return aside, left, nil
}

// sayLeft is the error for drop-ins that benchctl cannot judge: they change
// every unit of a type, so they are not for it to move.
func sayLeft(unit string, left []string) error {
	if len(left) == 0 {
		return nil
	}
	return reconcile.Tolerate(fmt.Errorf("%w: what %s changes is in force for %s too, and left as it is; systemctl cat shows it",
		reconcile.ErrUnknown, strings.Join(left, ", "), unit))
}

// setAside moves a file out of the way and keeps it below asideDir. It copies,
// since /run is another file system, and never overwrites what it kept before.
func setAside(h host.Host, from string) error {
	to := asideDir + from
	for n := 1; ; n++ {
		if _, err := h.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s%s.%d", asideDir, from, n)
	}
	if err := keepCopy(h, from, to); err != nil {
		return fmt.Errorf("cannot move %s aside: %w", from, err)
	}
	return h.Remove(from)
}

func keepCopy(h host.Host, from, to string) error {
	if err := h.Mkdir("/var/lib/benchctl", host.Perm{Mode: 0o700}); err != nil {
		return err
	}
	if err := h.Mkdir(path.Dir(to), host.Perm{Mode: 0o700}); err != nil {
		return err
	}
	info, err := h.Lstat(from)
	if err != nil {
		return err
	}
	if info.IsLink() {
		target, err := h.Readlink(from)
		if err != nil {
			return err
		}
		return h.Symlink(target, to)
	}
	text, err := h.ReadFile(from)
	if err != nil {
		return err
	}
	return h.Replace(to, text, info.Perm)
}
