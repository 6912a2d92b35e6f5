package spec

import (
	"cmp"
	"strconv"
	"strings"
)

// minimumRunner is the oldest version that github.com registers; GHES hosts have
// minimums of their own.
// https://github.blog/changelog/2026-06-12-github-actions-minimum-version-enforcement-timeline-for-self-hosted-runners/
const minimumRunner = "2.329.0"

// TooOld reports whether a version of the runner cannot be registered there any
// more, and which is the oldest that can.
func (u URL) TooOld(version string) (least string, is bool) {
	hosted := u.Host == "github.com" || strings.HasSuffix(u.Host, ".ghe.com")
	return minimumRunner, hosted && numbers(version, 3) && compareVersions(version, minimumRunner) < 0
}

// outdated warns of a version that cannot be registered any more.
func (l *loader) outdated(f *field, r Runner) {
	if least, is := r.URL.TooOld(r.Version); is {
		l.warn(f, "see github.com/actions/runner/releases, or write latest", "GitHub registers no runner older than %s", least)
	}
}

// compareVersions compares dotted numbers, as [cmp.Compare] does.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, _ := strconv.ParseUint(as[i], 10, 64) // both are numbers
		y, _ := strconv.ParseUint(bs[i], 10, 64)
		if x != y {
			return cmp.Compare(x, y)
		}
	}
	return len(as) - len(bs)
}

// forges are places for repositories that know no GitHub Actions runner.
var forges = map[string]string{
	"gitlab.com": "GitLab", "bitbucket.org": "Bitbucket", "codeberg.org": "Codeberg", "gitea.com": "Gitea",
	"dev.azure.com": "Azure DevOps", "sr.ht": "sourcehut", "git.sr.ht": "sourcehut",
}

// forge reports, and says so of a field, whether a host is none of GitHub's.
func (l *loader) forge(f *field, host string) bool {
	name := forges[strings.TrimPrefix(host, "www.")]
	if name != "" {
		l.fault(f, "write where the repository is at GitHub, such as https://github.com/OWNER/REPO", "%s is %s, and benchctl looks after runners of GitHub Actions", host, name)
	}
	return name != ""
}
