package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
)

// Latest is the version that an attended apply resolves.
const Latest = "latest"

func (l *loader) runner(f *field, s *Spec) Runner {
	r := Runner{
		URL:         l.url(f.get("url")),
		Version:     l.runnerVersion(f.get("version")),
		SHA256:      l.sha256(f.get("sha256")),
		Archive:     l.download(f.get("archive")),
		Name:        l.runnerName(f.get("name")),
		Labels:      l.labels(f.get("labels")),
		AllowLabels: l.labels(f.get("allowLabels")),
		Group:       f.get("group").text(),
		WorkDir:     l.workDir(f.get("workDir"), s.InstallDir),
		Ephemeral:   f.get("ephemeral").flag(),
		AutoUpdate:  f.get("autoUpdate").flag(),
		Env:         l.env(f.get("env"), s.JDK != nil),
		Keep:        int(f.get("keep").number()),
	}
	l.runnerWhole(f, r)
	return r
}

// runnerWhole checks what keys mean to each other.
func (l *loader) runnerWhole(f *field, r Runner) {
	if r.Version == Latest && f.get("sha256").has() {
		l.fault(f.get("sha256"), "name the version, or remove sha256", "latest is another file each time: no digest fits it for long")
	}
	if r.Version == Latest && f.get("archive").has() {
		l.fault(f.get("archive"), "write the version that the archive holds into runner.version", "an archive holds one version, and that is not always the latest")
	}
	l.outdated(f.get("version"), r)
	if r.Archive != "" && r.Version != Latest {
		l.undigested(f.get("sha256"), "the archive")
	}
	group := f.get("group")
	if group.has() && r.URL.Scope == Repository {
		l.fault(group, "remove it, or register the runner at the organisation", "a repository has no runner groups")
	}
	if strings.ContainsFunc(r.Group, unicode.IsControl) || strings.TrimSpace(r.Group) != r.Group {
		l.fault(group, "write the name as GitHub shows it", "%s is not the name of a group", quote(r.Group))
	}
}

// oneJob checks that there is somebody who registers an ephemeral runner anew.
func (l *loader) oneJob(f *field, s *Spec, credentials bool) {
	switch {
	case !s.Runner.Ephemeral:
	case s.Schedule == nil:
		l.fault(f, `add schedule: "*/10 * * * *", or remove ephemeral`,
			"an ephemeral runner is gone after one job, and without a schedule nobody registers it anew")
	case !credentials:
		l.fault(f, "add github: {tokenFile: /etc/benchctl/token}, or remove ephemeral",
			"an ephemeral runner is gone after one job, and without credentials the agent cannot register it anew")
	}
}

func (l *loader) runnerVersion(f *field) string {
	v := f.text()
	bare := strings.TrimPrefix(v, "v")
	switch {
	case !f.has() || v == Latest || numbers(v, 3):
		return v
	case numbers(bare, 3):
		l.fault(f, "write "+bare, "%s is the name of a tag, not a version", quote(v))
	case numbers(v, 2):
		l.fault(f, fmt.Sprintf("did you mean %s.0?", v), "%s is not a version of the runner: those have three numbers", quote(v))
	default:
		l.fault(f, "write three numbers such as 2.336.0, or latest", "%s is not a version of the runner", quote(v))
	}
	return v
}

// Hostname is what stands for the host's name in a runner's name.
const Hostname = "{hostname}"

// runnerName allows what is safe in the root-run scripts and the unit's name
// that GitHub's own tools would put it into, and no more.
func runnerName(s string) bool { return word(s, alnum+"._-", alnum+"._-", 64) }

func (l *loader) runnerName(f *field) string {
	name := f.text()
	// One character is the shortest that a host's name can be.
	plain := strings.ReplaceAll(name, Hostname, "h")
	switch {
	case strings.ContainsAny(plain, "{}"):
		l.fault(f, "write {hostname}-bench", "only {hostname} is replaced in %s", quote(name))
	case name == "" || len(plain) > 64:
		l.fault(f, "use 1 to 64 characters", "%s is too short or too long for a name", quote(name))
	case !runnerName(plain):
		l.fault(f, "use letters, digits, dot, _ and -", "%s is not a name for a runner", quote(name))
	}
	return name
}

// ResolveName is the runner's name on a host of that name. An error says that
// the result is no name for a runner.
func (r Runner) ResolveName(hostname string) (string, error) {
	name := strings.ReplaceAll(r.Name, Hostname, hostname)
	if !runnerName(name) {
		return "", fmt.Errorf("cannot name the runner %q: a name has 1 to 64 of letters, digits, dot, _ and -; set runner.name", name)
	}
	return name, nil
}

// workDir is relative to the runner's directory and below it, or a directory
// of its own elsewhere.
func (l *loader) workDir(f *field, installDir string) string {
	dir := f.text()
	if path.IsAbs(dir) {
		dir = l.ownDir(f, "a directory of its own, such as /srv/bench/work")
		if within(installDir, dir) && dir != "" {
			l.fault(f, "use _work", "%s holds the runner itself", dir)
		}
		return dir
	}
	first, _, _ := strings.Cut(dir, "/")
	switch {
	case dir == "" || dir == "." || path.Clean(dir) != dir || first == "..":
		l.fault(f, "write a plain name such as _work", "%s is not a directory below installDir", quote(dir))
	case !only(dir, pathChars):
		l.fault(f, "use letters, digits, / and ._@+- alone", "%s holds a character that a systemd unit or a shell gives a meaning", quote(dir))
	case slices.Contains([]string{"bin", "externals", "_diag"}, first) || strings.HasPrefix(first, "bin.") || strings.HasPrefix(first, "externals."):
		l.fault(f, "use _work", "%s is the runner's own", quote(first))
	}
	return dir
}
