package resources

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// service is the runner's own unit: written, in force as written, enabled, and
// its Listener listening with the revision that is on disk. It comes last, and
// it alone starts the runner, so that no half-made host takes a job (law 4).
type service struct {
	launch
	// patience bounds the wait for a started Listener to listen.
	patience time.Duration
}

var _ reconcile.Dependent = service{}

func (s service) ID() reconcile.ID { return reconcile.ID{Kind: "service"} }

func (s service) Needs() []string {
	return []string{"user", "packages", "jdk", "pts", "tarball", "config", "env", "cpufreq", "sysctl", "hooks"}
}

// unitFile is the unit's name and the file that it must be.
func (s service) unitFile(r host.Reader) (name string, file ownFile, revision string, err error) {
	if revision, err = s.revision(r); err != nil {
		return "", ownFile{}, "", err
	}
	text, err := s.unit(r, revision)
	name = unitName(s.spec.Runner.URL, runnerName(r, s.spec))
	return name, ownFile{unitDir + "/" + name, text, 0o644}, revision, err
}

// Diff compares what is on disk, what systemd has in force, and what runs.
func (s service) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	name, file, revision, err := s.unitFile(r)
	if err != nil {
		return nil, err
	}
	changes, err := s.diffFiles(r, name, file)
	if err != nil {
		return nil, err
	}
	u, err := r.Unit(ctx, name)
	if err != nil {
		return changes, err
	}
	changes = append(changes, diffInForce(u, file.path)...)
	aside, left, err := foreignDropIns(r, u)
	if err != nil {
		return changes, err
	}
	for _, path := range aside {
		changes = append(changes, reconcile.Change{Field: "drop-in", Have: path, Want: "moved to " + asideDir + path, Effects: restarts})
	}
	running, err := s.diffRunning(ctx, r, u, revision)
	return append(changes, running...), errors.Join(err, sayLeft(left))
}

// diffFiles compares the files of the service.
func (s service) diffFiles(r host.Reader, name string, file ownFile) ([]reconcile.Change, error) {
	changes, err := diffUnitFile(r, file)
	if err != nil {
		return nil, err
	}
	for _, u := range unitsOf(r, s.spec.InstallDir) {
		if u.name != name {
			changes = append(changes, reconcile.Change{Field: "other unit of this runner", Have: u.name, Want: "none", Effects: restarts})
		}
	}
	found, err := nameFile(name).diff(r, s.spec.InstallDir)
	if err != nil {
		return nil, err
	}
	changes = append(changes, found...)
	if exempt, ok := needrestartFile(r, name); ok {
		found, err := exempt.diff(r)
		if err != nil {
			return nil, err
		}
		changes = append(changes, found...)
	}
	return changes, nil
}

// nameFile is `.service`, by which the runner's own scripts find its unit.
func nameFile(unit string) launchFile {
	return launchFile{name: ".service", text: unit + "\n", parts: whole}
}

// needrestartFile exempts the unit from needrestart, which comes with Ubuntu and
// restarts services after an upgrade, in the middle of a job too.
func needrestartFile(r host.Reader, unit string) (ownFile, bool) {
	if _, err := r.Lstat("/etc/needrestart/conf.d"); err != nil {
		return ownFile{}, false
	}
	return ownFile{
		path: "/etc/needrestart/conf.d/benchctl.conf",
		text: "# Written by benchctl: a restart would end the job that is running.\n" +
			`$nrconf{override_rc}->{qr(^` + strings.ReplaceAll(unit, ".", `\.`) + `$)} = 0;` + "\n",
		mode: 0o644,
	}, true
}

// diffInForce compares what systemd has loaded with the file that is ours.
func diffInForce(u host.Unit, path string) []reconcile.Change {
	var changes []reconcile.Change
	differs := func(field, have, want string, effects ...reconcile.Effect) {
		changes = append(changes, reconcile.Change{Field: field, Have: have, Want: want, Effects: effects})
	}
	switch {
	case u.LoadState == "not-found":
		differs("enabled", "no", "yes")
		return changes
	case isMasked(u):
		differs("mask", "masked", "not masked", reconcile.Restart)
	case u.FragmentPath != path:
		differs("unit in force", u.FragmentPath, path, reconcile.Restart)
	}
	if u.NeedReload {
		differs("daemon-reload", "needed", "done")
	}
	if u.UnitFileState != "enabled" && !isMasked(u) {
		differs("enabled", orNone(u.UnitFileState), "enabled")
	}
	return changes
}

func isMasked(u host.Unit) bool {
	return u.LoadState == "masked" || strings.HasPrefix(u.UnitFileState, "masked")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// diffUnitFile compares the unit file directive by directive.
func diffUnitFile(r host.Reader, want ownFile) ([]reconcile.Change, error) {
	changes, err := want.diff(r)
	if err != nil {
		return nil, err
	}
	text, err := r.ReadFile(want.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if i := slices.IndexFunc(changes, func(c reconcile.Change) bool { return c.Field == want.path }); i >= 0 && len(text) > 0 {
		if parts := diffDirectives(string(text), want.text); parts != nil {
			changes = slices.Replace(changes, i, i+1, parts...)
		}
	}
	for i := range changes {
		changes[i].Effects = restarts
	}
	return changes, nil
}

// diffDirectives names the directives in which two unit files differ; nil means
// that they differ in comments or order alone.
func diffDirectives(have, want string) []reconcile.Change {
	h, w := directivesOf(have), directivesOf(want)
	var changes []reconcile.Change
	for _, key := range keysOf(h, w) {
		hv, inFile := h[key]
		wv, wanted := w[key]
		if hv != wv || inFile != wanted {
			changes = append(changes, reconcile.Change{Field: key, Have: shown(hv, inFile), Want: shown(wv, wanted)})
		}
	}
	return changes
}

// directivesOf reads a unit file: the values by "[Section] Key", those of a key
// given more than once joined.
func directivesOf(text string) map[string]string {
	directives := map[string]string{}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			section = line
		case ok:
			key = section + " " + key
			if before, again := directives[key]; again {
				value = before + "; " + value
			}
			directives[key] = value
		default: // the rest of a continued line, or nonsense
			directives[section+" "+line] = ""
		}
	}
	return directives
}
