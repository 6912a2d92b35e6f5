package resources

import (
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A Setup is what benchctl set up on a host, as root's own files tell; what
// they do not say comes from the spec, where there is one. "" is what nobody
// knows, or what is not there.
type Setup struct {
	URL  spec.URL // where the runner is registered
	Name string   // which it is registered with
	Unit string
	User string
	Dir  string // where it is installed

	metrics string // a file outside benchctl's own directories
	brought brought
}

// FindSetup looks for what benchctl set up. s may be nil: a spec that is lost or
// broken is no hindrance. A runner that somebody else set up is an error, since
// taking it apart is for whoever knows how it was put together.
func FindSetup(r host.Reader, s *spec.Spec) (*Setup, error) {
	b, err := readBrought(r)
	if err != nil {
		return nil, err
	}
	found := &Setup{brought: b, User: b.Account}
	if err := found.fromUnit(r, s); err != nil {
		return nil, err
	}
	if e, err := expect.Load(r, expect.Kept); err == nil && found.Unit == "" {
		found.Unit, found.User, found.Dir = e.Runner.Unit, e.Runner.User, e.Runner.Dir
	}
	if rec, ok := anyRecord(r); ok {
		if u, err := spec.ParseURL(rec.URL); err == nil {
			found.URL, found.Name = u, rec.Name
		}
	}
	if s != nil {
		if found.Dir != "" && found.Dir != s.InstallDir {
			return nil, fmt.Errorf("cannot remove the runner in %s: benchctl looks after another one on this host, %s in %s; name that one's spec after -f, or a file that is not there to go by the host alone",
				s.InstallDir, found.Name, found.Dir)
		}
		found.fromSpec(r, s)
		if f := FormerOf(r, s); f != nil && found.Dir == "" {
			return found, foreign(f.Dir, f.Unit) // it was to be adopted, and was not
		}
		return found, found.refuseForeign(r, s.InstallDir)
	}
	return found, nil
}

// fromUnit goes by the runner's own unit. Which one, if there are two, the spec
// says.
func (f *Setup) fromUnit(r host.Reader, s *spec.Spec) error {
	ours := slices.DeleteFunc(runnerUnits(r), func(u foundUnit) bool { return u.keys["RunnerTemplate"] == "" })
	if s != nil && len(ours) > 1 {
		ours = slices.DeleteFunc(ours, func(u foundUnit) bool { return u.keys["WorkingDirectory"] != unitText(s.InstallDir) })
	}
	switch len(ours) {
	case 0:
		return nil
	case 1:
	default:
		return fmt.Errorf("cannot tell which runner to remove: there are %s and %s; name one with its spec, after -f", ours[0].name, ours[1].name)
	}
	u := ours[0]
	f.Unit, f.User, f.Name = u.name, u.keys["User"], u.keys["Runner"]
	f.Dir = strings.ReplaceAll(u.keys["WorkingDirectory"], "%%", "%")
	if _, text, ok := strings.Cut(u.keys["Description"], " of "); ok {
		f.URL, _ = spec.ParseURL(strings.ReplaceAll(text, "%%", "%"))
	}
	return nil
}

// fromSpec fills in what the host itself did not tell.
func (f *Setup) fromSpec(r host.Reader, s *spec.Spec) {
	f.metrics = s.Metrics
	if f.Dir == "" && isOurs(r, f.brought, s.InstallDir) {
		f.Dir = s.InstallDir
	}
	if f.User == "" && f.Dir == s.InstallDir {
		f.User = s.User.Name
	}
	if f.URL.Text == "" {
		f.URL = s.Runner.URL
	}
	if f.Name == "" && sameURL(f.URL.Text, s.Runner.URL.Text) {
		f.Name = runnerName(r, s)
	}
}

// isOurs reports whether benchctl made a directory, or looks after the runner in it.
func isOurs(r host.Reader, b brought, dir string) bool {
	if slices.Contains(b.Trees, dir) {
		return true
	}
	m, err := readManifest(r, dir, false)
	return err == nil && m != nil
}

// refuseForeign stops at a runner that benchctl never looked after.
func (f *Setup) refuseForeign(r host.Reader, dir string) error {
	if f.Dir != "" {
		return nil
	}
	what := ""
	if units := unitsOf(r, dir); len(units) > 0 {
		what = units[0].name
	} else if there, err := exists(r, dir+"/.runner"); err == nil && there {
		what = dir + "/.runner"
	}
	if what == "" {
		return nil
	}
	return foreign(dir, what)
}

// foreign is the error about a runner that is for others to take apart.
func foreign(dir, what string) error {
	return fmt.Errorf("cannot remove the runner in %s: benchctl did not set it up (%s is not benchctl's); take it down as it was put up: in that directory ./svc.sh stop, ./svc.sh uninstall and ./config.sh remove",
		plain(dir), plain(what))
}

// Runner is whose jobs a removal must not disturb.
func (f *Setup) Runner(r host.Reader) jobs.Runner {
	unit := f.Unit
	if unit == "" {
		unit = unitName(f.URL, f.Name)
	}
	return runnerOf(r, f.User, unit, f.Dir)
}

// Running reports whether there is something of which jobs can be a part.
func (f *Setup) Running() bool { return f.Dir != "" }
