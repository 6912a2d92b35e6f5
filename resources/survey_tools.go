package resources

import (
	"path"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// programVersion is the version of the program in a directory, without running
// it: by the link that the runner's updater and benchctl leave, else by what its
// maker noted beside it. "" when neither says.
func programVersion(r host.Reader, dir string) string {
	if info, err := (wary{r}).Lstat(dir + "/bin"); err == nil && info.IsLink() {
		target, _ := r.Readlink(dir + "/bin")
		if part := versionedDir.FindStringSubmatch(path.Base(target)); part != nil {
			return part[2]
		}
	}
	text, err := wary{r}.ReadBelow(dir, "bin/Runner.Listener.deps.json")
	if err != nil {
		return ""
	}
	if part := listenerVersion.FindSubmatch(text); part != nil {
		return string(part[1])
	}
	return ""
}

// environment is that of the jobs, but for what benchctl itself decides.
func (s *Survey) environment(r host.Reader) {
	s.Env = map[string]string{}
	for _, file := range append([]string{unitDir + "/" + s.Unit}, s.DropIns...) {
		text, err := r.ReadFile(file)
		if err != nil || s.Unit == "" {
			continue
		}
		for name, value := range proxiesOf(string(text)) {
			s.Env[name] = value
		}
	}
	text, err := wary{r}.ReadBelow(s.Dir, ".env")
	s.unseen("the jobs' environment", err)
	for name, value := range variables(string(text)) {
		if !hookVariables.MatchString(strings.ToUpper(name)) && name != "LANG" && name != "PATH" {
			s.Env[name] = value
		}
	}
}

// proxiesOf are the proxies that a unit file gives its processes.
func proxiesOf(unit string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(unit) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), "Environment=")
		if !ok {
			continue
		}
		for _, word := range strings.Fields(value) {
			name, value, _ := strings.Cut(strings.Trim(word, `"'`), "=")
			if strings.HasSuffix(strings.ToLower(name), "_proxy") {
				found[name] = value
			}
		}
	}
	return found
}

// jobPath is where jobs look for programs.
func (s *Survey) jobPath(r host.Reader) []string {
	text, err := wary{r}.ReadBelow(s.Dir, ".path")
	s.unseen("the jobs' PATH", err)
	if err != nil {
		return strings.Split(systemPath, ":")
	}
	return strings.Split(strings.TrimSpace(string(text)), ":")
}

// findJava is the first Java on a PATH, else the one in JAVA_HOME.
func findJava(r host.Reader, dirs []string, home string) *Java {
	if path.IsAbs(home) {
		dirs = append(slices.Clone(dirs), home+"/bin")
	}
	for _, dir := range dirs {
		file := path.Join(dir, "java")
		if !path.IsAbs(file) {
			continue
		}
		if info, err := r.Lstat(file); err != nil || info.IsDir() {
			continue
		}
		real := follow(r, file)
		home, ok := strings.CutSuffix(real, "/bin/java")
		if !ok {
			return &Java{Home: real}
		}
		j := &Java{Home: home, Package: owner(r, real)}
		if major := javaCondition(wary{r}, home); strings.Trim(major, "0123456789") == "" {
			j.Version = major
		}
		return j
	}
	return nil
}

// follow is where a file's links end, as far as they can be followed.
func follow(r host.Reader, file string) string {
	for range 8 {
		target, err := r.Readlink(file)
		if err != nil {
			break
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(file), target)
		}
		file = path.Clean(target)
	}
	return file
}

// owner is the package that brought a Java, or "".
func owner(r host.Reader, file string) string {
	d, err := NewApt().dpkg.read(r)
	if err != nil {
		return ""
	}
	for _, name := range d.Find(javaPackage.MatchString) {
		for _, list := range []string{name + ".list", name + ":" + dpkgArch() + ".list"} {
			text, err := r.ReadFile(dpkgInfo + "/" + list)
			if err == nil && slices.Contains(strings.Split(string(text), "\n"), file) {
				return name
			}
		}
	}
	return ""
}

// governors counts the policies of each governor; nil without cpufreq.
func governors(r host.Reader) map[string]int {
	files, _ := r.Glob("/sys/devices/system/cpu/cpufreq/policy*/scaling_governor") // the pattern is well-formed
	var count map[string]int
	for _, file := range files {
		if text, err := r.ReadFile(file); err == nil {
			if count == nil {
				count = map[string]int{}
			}
			count[strings.TrimSpace(string(text))]++
		}
	}
	return count
}

// HasJDK reports whether a release's own archive has a JDK, as far as that is
// known of it.
func (s *Survey) HasJDK(version string) bool {
	has, known := jdkReleases[s.Release]
	return !known || slices.Contains(has, version)
}
