package spec_test

import (
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/spec"
)

func withURL(url string) string {
	return strings.Replace(head, "https://github.com/OWNER/REPO", "'"+url+"'", 1)
}

func TestURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		url  string
		want spec.URL
	}{
		{"https://github.com/o/r", spec.URL{Text: "https://github.com/o/r", Scope: spec.Repository, Host: "github.com", Owner: "o", Repo: "r", API: "https://api.github.com/"}},
		{"https://github.com/o/r.git/", spec.URL{Text: "https://github.com/o/r", Scope: spec.Repository, Host: "github.com", Owner: "o", Repo: "r", API: "https://api.github.com/"}},
		{"https://GitHub.com:443/o/r", spec.URL{Text: "https://github.com/o/r", Scope: spec.Repository, Host: "github.com", Owner: "o", Repo: "r", API: "https://api.github.com/"}},
		{"https://github.com/org/", spec.URL{Text: "https://github.com/org", Scope: spec.Organization, Host: "github.com", Owner: "org", API: "https://api.github.com/"}},
		{"https://github.com/enterprises/e", spec.URL{Text: "https://github.com/enterprises/e", Scope: spec.Enterprise, Host: "github.com", Owner: "e", API: "https://api.github.com/"}},
		{"https://ghes.example/o/r", spec.URL{Text: "https://ghes.example/o/r", Scope: spec.Repository, Host: "ghes.example", Owner: "o", Repo: "r", API: "https://ghes.example/api/v3/"}},
		{"https://ghes.example:8443/enterprises/e", spec.URL{Text: "https://ghes.example:8443/enterprises/e", Scope: spec.Enterprise, Host: "ghes.example:8443", Owner: "e", API: "https://ghes.example:8443/api/v3/"}},
		{"https://acme.ghe.com/o", spec.URL{Text: "https://acme.ghe.com/o", Scope: spec.Organization, Host: "acme.ghe.com", Owner: "o", API: "https://api.acme.ghe.com/"}},
		{"http://127.0.0.1:8080/o/r", spec.URL{Text: "http://127.0.0.1:8080/o/r", Scope: spec.Repository, Host: "127.0.0.1:8080", Owner: "o", Repo: "r", API: "http://127.0.0.1:8080/api/v3/"}},
		{"http://[::1]:80/o/r", spec.URL{Text: "http://[::1]/o/r", Scope: spec.Repository, Host: "[::1]", Owner: "o", Repo: "r", API: "http://[::1]/api/v3/"}},
	} {
		if got := load(t, withURL(test.url)).Runner.URL; got != test.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", test.url, got, test.want)
		}
	}
}

func TestBadURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ url, msg, hint string }{
		{"", `"" is not a URL`, "for example https://github.com/OWNER/REPO"},
		{"OWNER/REPO", "has no https:// before it", "write https://OWNER/REPO"},
		{"github.com/o/r", "has no https:// before it", "write https://github.com/o/r"},
		{"git@github.com:o/r.git", "git's way to name a repository", "write https://github.com/o/r"},
		{"ssh://git@github.com/o/r.git", "git's way to name a repository", "write https://github.com/o/r"},
		{"http://github.com/o/r", "plain http", "write https://"},
		{"http://127.0.0.1.example/o/r", "plain http", "write https://"},
		{"https://me:hunter2@github.com/o/r", "a name or a password does not belong", "remove what stands before the @"},
		{"ftp://github.com/o/r", `"ftp://" is not a kind of address`, "write https://"},
		{"https://github.com", "names no repository, organisation or enterprise", "add /OWNER/REPO"},
		{"https://github.com//", "names no repository, organisation or enterprise", "add /OWNER/REPO"},
		{"https://github.com/enterprises", `"enterprises" is not the name of an owner`, "/enterprises/NAME"},
		{"https://github.com/o/r/settings/actions/runners/new", "a page below it", "did you mean https://github.com/o/r?"},
		{"https://github.com/enterprises/e/settings", "a page below it", "did you mean https://github.com/enterprises/e?"},
		{"https://github.com/orgs/o/repositories", "a page about the organisation", "write https://github.com/o"},
		{"https://www.github.com/o/r", "www.github.com is not where runners are registered", "did you mean https://github.com/o/r?"},
		{"https://api.github.com/repos/o/r", "api.github.com is not where", "did you mean"},
		{"https://gitlab.com/group/project", "gitlab.com is GitLab, and benchctl looks after runners of GitHub Actions", "write where the repository is at GitHub"},
		{"https://www.codeberg.org/o/r", "www.codeberg.org is Codeberg", "write where the repository is at GitHub"},
		{"https://github.com/o/r?tab=readme", "a question (?...)", "remove it"},
		{"https://github.com/o/r#readme", "a #fragment is never sent", "remove it"},
		{"https://github.com/o/..", `".." is not the name of a repository`, "write https://github.com/OWNER/REPO"},
		{"https://github.com/-o/r", `"-o" is not the name of an owner`, "write https://github.com"},
		{"https://git hub.com/o/r", "is not a URL", "for example"},
		{"https://github.com:99999/o/r", `"github.com:99999" is not a host`, "for example"},
		{"https://github..com/o/r", `"github..com" is not a host`, "for example"},
		{"https://github.com/o/r\\x", "is not a URL", "for example"},
	} {
		_, err := spec.Load("runner.yaml", []byte(withURL(test.url)))
		problems, ok := err.(spec.Problems)
		if !ok || len(problems) != 1 {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		p := problems[0]
		if p.Path != "runner.url" || p.Line != 4 || p.Col != 8 || !strings.Contains(p.Msg, test.msg) || !strings.Contains(p.Hint, test.hint) {
			t.Errorf("%s:\n%s\nwant %q and %q", test.url, p, test.msg, test.hint)
		}
		if strings.Contains(p.String(), "hunter2") {
			t.Errorf("a password is shown:\n%s", p)
		}
	}
}
