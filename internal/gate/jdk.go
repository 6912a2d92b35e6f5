package gate

import (
	"path"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
)

// jdk looks which Java a step would start, without starting it: a JVM takes
// longer than all the rest of the gate.
func (g Gate) jdk(want *expect.Expected) []Finding {
	if want.JavaHome == "" {
		return nil
	}
	home := g.real(want.JavaHome)
	if have := g.Getenv("JAVA_HOME"); g.real(have) != home {
		return []Finding{differs("JAVA_HOME is %s, not %s", orAbsent(have), want.JavaHome)}
	}
	if first := g.lookPath("java"); g.real(first) != g.real(home+"/bin/java") {
		return []Finding{differs("the first java on PATH is %s, not %s/bin/java", orAbsent(first), want.JavaHome)}
	}
	text, err := g.Host.ReadFile(home + "/release")
	if err != nil {
		return []Finding{cannotSee(err)}
	}
	version := plain(releaseValue(string(text), "JAVA_VERSION"))
	if want.JavaVersion != "" && !isMajor(version, want.JavaVersion) {
		return []Finding{differs("%s is Java %s, not %s", want.JavaHome, orAbsent(version), want.JavaVersion)}
	}
	if maker := releaseValue(string(text), "IMPLEMENTOR"); maker != "" {
		version += " of " + plain(maker)
	}
	return []Finding{inStep("Java %s, first on PATH", version)}
}

// releaseValue is a variable of a JDK's release file, which is one a line,
// quoted.
func releaseValue(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// isMajor reports whether 21.0.5 is a 21, and 1.8.0_432 an 8.
func isMajor(version, major string) bool {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(version, "1."), major)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], "._+-"))
}

// lookPath is the file that a shell of the job would start.
func (g Gate) lookPath(program string) string {
	for dir := range strings.SplitSeq(g.Getenv("PATH"), ":") {
		if !path.IsAbs(dir) {
			continue // a directory of the job's, which nobody can know yet
		}
		file := path.Join(dir, program)
		if info, err := g.Host.Lstat(g.real(file)); err == nil && info.IsRegular() && info.Mode.Perm()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// real is a path with its links followed, as far as they lead.
func (g Gate) real(file string) string {
	const longest = 40 // links, as in the kernel
	if file == "" {
		return ""
	}
	at, rest := "/", components(file)
	for links := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		target, err := g.Host.Readlink(next)
		if err != nil {
			at = next
			continue
		}
		if links++; links > longest {
			return ""
		}
		if path.IsAbs(target) {
			at = "/"
		}
		rest = slices.Concat(components(target), rest)
	}
	return at
}

func components(file string) []string { return strings.Split(strings.Trim(path.Clean(file), "/"), "/") }

func orAbsent(text string) string {
	if text == "" {
		return "absent"
	}
	return plain(text)
}
