package resources

import (
	"crypto/sha256"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const (
	unitDir     = "/etc/systemd/system"
	unitPattern = unitDir + "/*.service"

	// longestUnit and longestRepo are the runner's own bounds
	// (ServiceControlManager.CalculateServiceName on Linux).
	longestUnit = 150
	longestRepo = 70
	// longestName is GitHub's bound for a runner's name.
	longestName = 64
)

// runnerName is the name that the runner has, or will be registered with.
// {hostname} is resolved once: what it gave is kept in the unit file, which is
// root's, so that renaming the host does not make a second runner.
func runnerName(r host.Reader, s *spec.Spec) string {
	template := s.Runner.Name
	if !strings.Contains(template, "{hostname}") {
		return template
	}
	for _, u := range unitsOf(r, s.InstallDir) {
		if u.keys["RunnerTemplate"] == template && nameShape.MatchString(u.keys["Runner"]) {
			return u.keys["Runner"]
		}
	}
	short, _, _ := strings.Cut(r.Hostname(), ".")
	name := strings.ReplaceAll(template, "{hostname}", outsideName.ReplaceAllString(short, "-"))
	return name[:min(len(name), longestName)]
}

var (
	nameShape   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	outsideName = regexp.MustCompile(`[^A-Za-z0-9._-]`)
)

// unitName is the runner's unit in GitHub's naming, so that
// `systemctl status 'actions.runner.*'` shows it. It is computed from the spec
// alone: the name that the runner's own files give is the jobs' to write.
func unitName(u spec.URL, runner string) string {
	repo := u.Owner
	switch u.Scope {
	case spec.Repository:
		repo = u.Owner + "-" + u.Repo
	case spec.Enterprise:
		repo = "enterprises-" + u.Owner
	}
	repo = outsideName.ReplaceAllString(repo, "-")
	name := unitNamed(repo, runner)
	if len(name) <= longestUnit {
		return name
	}
	// The runner shortens alike, but ends in a random number; ours has to be
	// the same each time.
	sum := sha256.Sum256([]byte(name))
	suffix := fmt.Sprintf("-%04d", (int(sum[0])<<8|int(sum[1]))%10000)
	repo = repo[:min(len(repo), longestRepo)]
	room := longestUnit - len(unitNamed(repo, "")) - len(suffix)
	return unitNamed(repo, runner[:min(len(runner), room)]+suffix)
}

func unitNamed(repo, runner string) string {
	return "actions.runner." + repo + "." + runner + ".service"
}

// A foundUnit is a unit file of a runner on this host.
type foundUnit struct {
	name string
	keys map[string]string // of its sections, the last of each name
}

// unitsOf returns the units of the runner in installDir, whoever wrote them,
// sorted.
func unitsOf(r host.Reader, installDir string) []foundUnit {
	return slices.DeleteFunc(runnerUnits(r), func(u foundUnit) bool { return u.dir() != installDir })
}

// Rival is an error if benchctl looks after another runner on this host. What
// the two share (knobs, packages, hooks) would be changed for one during the
// jobs of the other, and their jobs would spoil each other's numbers.
func Rival(r host.Reader, s *spec.Spec) error {
	own := unitName(s.Runner.URL, runnerName(r, s))
	for _, u := range runnerUnits(r) {
		dir := u.keys["WorkingDirectory"]
		if u.keys["RunnerTemplate"] == "" || u.name == own || dir == unitText(s.InstallDir) {
			continue
		}
		return fmt.Errorf("cannot look after a runner in %s: benchctl looks after another one on this host, %s in %s, and a benchmark host has one; use that one's spec, or take it down with it first: benchctl remove",
			s.InstallDir, u.keys["Runner"], dir)
	}
	return nil
}

// runnerUnits returns the units of all runners of the host, sorted. Only root can
// put a file there; a link, such as a mask, says nothing.
func runnerUnits(r host.Reader) []foundUnit {
	paths, _ := r.Glob(unitPattern) // the pattern is well-formed
	var units []foundUnit
	for _, path := range paths {
		if info, err := r.Lstat(path); err != nil || !info.IsRegular() || info.UID != 0 {
			continue
		}
		text, err := r.ReadFile(path)
		if err != nil {
			continue
		}
		u := foundUnit{strings.TrimPrefix(path, unitDir+"/"), unitKeys(string(text))}
		if strings.HasPrefix(u.name, "actions.runner.") || u.startsRunner() {
			units = append(units, u)
		}
	}
	return units
}

// startsRunner reports whether a unit of whatever name starts a runner, as one
// that somebody wrote by hand does.
func (u foundUnit) startsRunner() bool {
	command, _, _ := strings.Cut(strings.TrimLeft(u.keys["ExecStart"], "-@:+!"), " ")
	dir, program := path.Split(command)
	switch program {
	case "runsvc.sh", "run.sh":
		return u.keys["WorkingDirectory"] != "" && path.Clean(dir) == u.dir()
	}
	return false
}

// dir is where the runner of a unit is installed, "." where it does not say.
func (u foundUnit) dir() string {
	return path.Clean(strings.ReplaceAll(strings.TrimPrefix(u.keys["WorkingDirectory"], "-"), "%%", "%"))
}

// unitKeys reads KEY=VALUE lines of whatever section.
func unitKeys(text string) map[string]string {
	keys := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			keys[key] = value
		}
	}
	return keys
}
