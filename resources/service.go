package resources

import (
	"context"
	"errors"
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
	// patience bounds the wait for a started Listener to listen, and steady is
	// for how long a new version has to.
	patience, steady time.Duration
	// unattended is a look or an apply of the agent's own, which leaves a
	// service that has just been started its time.
	unattended bool
	// grace is for how long after its start a look waits for the Listener.
	grace  time.Duration
	config *Config // the registration that the runner is started with
	// runner is the resource whose new version is on trial, and stop takes one
	// down that does not listen, by law 5.
	runner *Tarball
	stop   func(context.Context) error
}

var _ reconcile.Dependent = service{}

func (s service) ID() reconcile.ID { return reconcile.ID{Kind: "service"} }

func (s service) Needs() []string {
	return []string{"user", "packages", "jdk", "pts", "tarball", "config", "env", "cpufreq", "sysctl", "hooks"}
}

// own is the unit as it must be, with its revision.
func (s service) own(r host.Reader) (unit ownUnit, revision string, err error) {
	if revision, err = s.revision(r); err != nil {
		return ownUnit{}, "", err
	}
	text, err := s.unit(r, revision)
	unit = newOwnUnit(unitName(s.spec.Runner.URL, runnerName(r, s.spec)), text)
	unit.effects = restarts
	return unit, revision, err
}

// Diff compares what is on disk, what systemd has in force, and what runs.
func (s service) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	unit, revision, err := s.own(r)
	if err != nil {
		return nil, err
	}
	changes, err := s.diffFiles(r, unit)
	if err != nil {
		return nil, err
	}
	u, err := s.settled(ctx, r, unit.name)
	if err != nil {
		return changes, err
	}
	inForce, unsure := unit.diffInForce(r, u)
	running, err := s.diffRunning(ctx, r, u, revision)
	if len(running) == 0 && err == nil {
		running = s.diffTrial(r)
	}
	return slices.Concat(changes, inForce, running), errors.Join(err, unsure)
}

// diffFiles compares the files of the service.
func (s service) diffFiles(r host.Reader, unit ownUnit) ([]reconcile.Change, error) {
	changes, err := unit.diffFile(r)
	if err != nil {
		return nil, err
	}
	for _, u := range unitsOf(r, s.spec.InstallDir) {
		if u.name != unit.name {
			changes = append(changes, reconcile.Change{Field: "other unit of this runner", Have: u.name, Want: "none", Effects: restarts})
		}
	}
	found, err := nameFile(unit.name).diff(r, s.spec.InstallDir)
	if err != nil {
		return nil, err
	}
	changes = append(changes, found...)
	if exempt, ok := needrestartFile(r, unit.name); ok {
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
