package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A Survey is what a host has where a spec would say what it should have: the
// runner in a directory, whoever set it up, and what it runs with. What cannot be
// known is at its zero value.
type Survey struct {
	Dir  string `json:"dir"`
	Unit string `json:"unit,omitempty"` // "" when no unit starts it
	User string `json:"user,omitempty"` // whom the unit names, else whose `.runner` is
	Home string `json:"home,omitempty"` // the user's, "" without an account
	Own  bool   `json:"own"`            // the home is as benchctl makes one for an account of its own
	// Unsafe says why Dir could be swapped for another by somebody who is not
	// root, "" when it could not.
	Unsafe string `json:"unsafe,omitempty"`

	Registration Registration      `json:"registration"`
	Version      string            `json:"version,omitempty"` // of the program
	Java         *Java             `json:"java,omitempty"`    // the first on the jobs' PATH
	PTS          string            `json:"pts,omitempty"`
	Governors    map[string]int    `json:"governors,omitempty"` // policies by their governor
	Env          map[string]string `json:"-"`                   // of `.env`, and the unit's proxies; it may hold secrets
	DropIns      []string          `json:"drop_ins,omitempty"`  // of the unit, that are for it alone
	Release      string            `json:"release"`             // such as debian 12
	// SharedGroup is the user's own group if others are in it, too.
	SharedGroup string   `json:"shared_group,omitempty"`
	Unseen      []string `json:"unseen,omitempty"` // what could not be looked at, and why
}

// A Registration is what `.runner` says, which the runner's user may have made up.
type Registration struct {
	ID         int64  `json:"id"`
	URL        string `json:"url"`
	Name       string `json:"name"`
	Group      string `json:"group,omitempty"`
	WorkDir    string `json:"work_dir"`
	Ephemeral  bool   `json:"ephemeral"`
	AutoUpdate bool   `json:"auto_update"`
}

// Java is a Java that jobs find.
type Java struct {
	Home    string `json:"home"`
	Version string `json:"version,omitempty"` // major
	Package string `json:"package,omitempty"` // "" when no package has it
}

// hookVariables begin with what benchctl and the runner decide.
var hookVariables = regexp.MustCompile(`^(ACTIONS_RUNNER_|RUNNER_|GITHUB_)`)

// Look surveys the runner in a directory. An error says why there is none that
// could be adopted.
func Look(r host.Reader, dir string) (*Survey, error) {
	s := &Survey{Dir: dir, Release: readRelease(r).key()}
	if err := s.registration(r); err != nil {
		return nil, err
	}
	s.unit(r)
	if err := s.account(r); err != nil {
		return nil, err
	}
	s.Unsafe = s.unsafe(r)
	s.Version = programVersion(r, dir)
	s.environment(r)
	s.Java = findJava(r, s.jobPath(r), s.Env["JAVA_HOME"])
	if d, err := NewApt().dpkg.read(r); err != nil {
		s.unseen("the Phoronix Test Suite and the JDK's package", err)
	} else if d.Package(ptsPackage).installed() {
		s.PTS = upstream(d.Package(ptsPackage).Version)
	}
	s.Governors = governors(r)
	return s, nil
}

// unseen notes what could not be looked at. What is not there was looked at.
func (s *Survey) unseen(what string, err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Unseen = append(s.Unseen, what+": "+plain(err.Error()))
	}
}

func (s *Survey) registration(r host.Reader) error {
	const next = "; write its spec by hand, and benchctl apply registers it"
	l, err := readLocal(wary{r}, s.Dir)
	var fault unusable
	switch {
	case errors.As(err, &fault):
		return fmt.Errorf("cannot import the runner in %s: %s; register it again as it was, or%s", plain(s.Dir), fault, next[1:])
	case err != nil:
		return fmt.Errorf("cannot import the runner in %s: %w; run benchctl as root", plain(s.Dir), err)
	case l != nil:
		s.Registration = Registration{
			ID: int64(l.ID), URL: l.URL, Name: l.Name, Group: l.Group, WorkDir: l.workDir(),
			Ephemeral: bool(l.Ephemeral), AutoUpdate: !bool(l.DisableUpdate),
		}
		return nil
	}
	if programVersion(r, s.Dir) == "" {
		return fmt.Errorf("cannot import the runner in %s: there is none (no .runner, no bin); name its directory with --install-dir", plain(s.Dir))
	}
	return fmt.Errorf("cannot import the runner in %s: it was unpacked and never registered, or its registration is gone (no .runner)%s", plain(s.Dir), next)
}

// unit finds what starts the runner.
func (s *Survey) unit(r host.Reader) {
	for _, u := range runnerUnits(r) {
		if u.dir() != s.Dir {
			continue
		}
		s.Unit, s.User = u.name, u.keys["User"]
		if s.User == "" {
			s.User = "root" // systemd.exec(5)
		}
		s.DropIns, _, _ = foreignDropIns(r, host.Unit{Name: u.name})
		return
	}
}

// account looks the runner's user up; without a unit it is whose `.runner` is.
func (s *Survey) account(r host.Reader) error {
	for _, name := range []string{".runner", ".runner_migrated"} {
		if info, err := (wary{r}).Lstat(s.Dir + "/" + name); err == nil && s.User == "" {
			s.User = userName(r, info.UID)
		}
	}
	a, err := r.Account(s.User)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look up the account %s, which the runner in %s runs as: %w", plain(s.User), plain(s.Dir), err)
	}
	s.Home = a.Home
	all, err := groups(r)
	s.unseen("the account's group", err)
	for _, g := range all {
		others := slices.DeleteFunc(g.members, func(name string) bool { return name == a.Name })
		if g.gid == a.GID && (g.name != a.Name || len(others) > 0) {
			s.SharedGroup = g.name
		}
	}
	info, err := r.Lstat(a.Home)
	s.Own = err == nil && info.IsDir() && info.UID == 0 && info.GID == a.GID && info.Mode == homeMode && a.UID < firstPerson
	return nil
}

// unsafe looks at each directory above the runner's, as kind user does.
func (s *Survey) unsafe(r host.Reader) string {
	for p := path.Dir(s.Dir); p != "/"; p = path.Dir(p) {
		if s.Own && p == s.Home {
			continue // the sticky bit keeps what is root's in its place
		}
		if err := checkRoots(r, p); err != nil {
			return err.Error()
		}
	}
	return ""
}

// listenerVersion is in the list of what the program depends on.
var listenerVersion = regexp.MustCompile(`"Runner\.Listener/([0-9]+\.[0-9]+\.[0-9]+)"`)

var javaPackage = regexp.MustCompile(`jdk|jre|java|graal|corretto`)

// Strays lists directories with a runner that no unit starts, in the places where
// people unpack one.
func Strays(r host.Reader) []string {
	units := runnerUnits(r)
	var dirs []string
	for _, pattern := range []string{"/home/*/actions-runner*", "/opt/actions-runner*", "/srv/actions-runner*", "/var/lib/*/actions-runner*", "/root/actions-runner*"} {
		found, _ := r.Glob(pattern + "/.runner") // the patterns are well-formed
		for _, file := range found {
			dir := path.Dir(file)
			if !slices.ContainsFunc(units, func(u foundUnit) bool { return u.dir() == dir }) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// ReadFile reads what may lie where somebody who is not root can put a link.
func (w wary) ReadFile(p string) ([]byte, error) {
	data, err := w.ReadBelow(path.Dir(p), path.Base(p))
	if errors.Is(err, host.ErrHostile) {
		return nil, fs.ErrNotExist
	}
	return data, err
}
