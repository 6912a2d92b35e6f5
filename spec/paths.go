package spec

import (
	"path"
	"slices"
	"strings"
)

// A path of the spec ends in unit files, in scripts and on command lines: it
// holds nothing that any of them gives a meaning (spaces, quotes, %, $).
const pathChars = alnum + "/._@+-"

// absolute returns a field's path when it is absolute, clean and plain.
func (l *loader) absolute(f *field) string {
	p := f.text()
	switch {
	case p == "":
		if f.has() {
			l.fault(f, exampleHint(f), "is empty")
		}
		return ""
	case strings.HasPrefix(p, "~") || strings.HasPrefix(p, "$"):
		l.fault(f, "write the whole path, from /", "%s is not a path: nothing is expanded here", quote(p))
	case !strings.HasPrefix(p, "/"):
		l.fault(f, "write the whole path, from /", "%s is not an absolute path", quote(p))
	case !only(p, pathChars):
		l.fault(f, "use letters, digits, / and ._@+- alone", "%s holds a character that a systemd unit or a shell gives a meaning", quote(p))
	case path.Clean(p) != p:
		l.fault(f, "write "+path.Clean(p), "%s is not in its shortest form", quote(p))
	case len(p) > 255:
		l.fault(f, "choose one nearer to /", "the path has %d characters, more than 255", len(p))
	default:
		return p
	}
	return ""
}

// Directories that are the system's: what is in them is not for a runner, or
// does not outlive a reboot.
var systemDirs = []string{
	"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/lost+found", "/proc", "/root", "/run", "/sbin",
	"/sys", "/tmp", "/usr", "/var/lib/apt", "/var/lib/benchctl", "/var/lib/dpkg", "/var/lib/systemd", "/var/log",
	"/var/lock", "/var/run", "/var/tmp",
}

// Directories that many share: one below them is fine, they themselves are not.
var sharedDirs = []string{"/", "/home", "/media", "/mnt", "/opt", "/srv", "/var", "/var/cache", "/var/lib", "/var/opt", "/var/spool"}

// ownDir returns a field's path when a directory there can be the runner's own.
func (l *loader) ownDir(f *field, instead string) string {
	p := l.absolute(f)
	if slices.Contains(sharedDirs, p) {
		l.fault(f, "use "+instead, "%s is shared with others, and its owner and mode would be changed", p)
		return ""
	}
	for _, dir := range systemDirs {
		if within(p, dir) {
			l.fault(f, "use "+instead, "%s is the system's", dir)
			return ""
		}
	}
	return p
}

// within tells whether a clean absolute path is a directory or below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// rootFile returns the path of a file that is root's: absolute, and not where
// the runner's user can put another in its place.
func (l *loader) rootFile(f *field, home string) string {
	p := l.absolute(f)
	if p == "" {
		return ""
	}
	for _, dir := range []string{home, "/tmp", "/var/tmp", "/home", "/dev/shm"} {
		if dir != "" && within(p, dir) {
			l.fault(f, "keep it where only root writes: "+example(f), "%s is below %s, where others can write", p, dir)
			return ""
		}
	}
	return p
}
