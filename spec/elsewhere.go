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

// outdated warns of a version that cannot be registered any more.
func (l *loader) outdated(f *field, r Runner) {
	hosted := r.URL.Host == "github.com" || strings.HasSuffix(r.URL.Host, ".ghe.com")
	if hosted && numbers(r.Version, 3) && compareVersions(r.Version, minimumRunner) < 0 {
		l.warn(f, "see github.com/actions/runner/releases, or write latest", "GitHub registers no runner older than %s", minimumRunner)
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
