package spec

import (
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// scpForm is how git names a repository for ssh.
var scpForm = pattern(`^(?:ssh://)?git@([A-Za-z0-9.-]+)[:/]([A-Za-z0-9_./-]+)$`)

func ownerName(s string) bool { return word(s, alnum, alnum+"_-", 100) }

func repoName(s string) bool {
	return word(s, alnum+"._-", alnum+"._-", 100) && s != "." && s != ".."
}

// scp returns host and path of such a name, else nil.
func scp(s string) []string {
	if !strings.Contains(s, "git@") {
		return nil
	}
	return scpForm().FindStringSubmatch(s)
}

// url reads where the runner is registered. What people paste (a trailing
// slash, .git) is tolerated; what they paste by mistake gets a next step.
func (l *loader) url(f *field) URL {
	text := f.text()
	if !f.has() {
		return URL{}
	}
	if scp := scp(text); scp != nil {
		l.fault(f, "write https://"+scp[1]+"/"+strings.TrimSuffix(scp[2], ".git"), "%s is git's way to name a repository", quote(text))
		return URL{}
	}
	if !strings.Contains(text, "://") && strings.Contains(text, "/") {
		l.fault(f, "write https://"+short(text), "%s has no https:// before it", quote(text))
		return URL{}
	}
	u := l.web(f)
	if u == nil {
		return URL{}
	}
	if u.RawQuery != "" || u.ForceQuery {
		l.fault(f, "remove it", "the address has a question (?...)")
		return URL{}
	}
	return l.scope(f, u)
}

// ParseURL reads where a runner is registered, as a spec has it under runner.url.
func ParseURL(text string) (URL, error) {
	l := &loader{seen: map[string]bool{}, src: &source{}}
	at := l.url(&field{path: "runner.url", src: l.src, node: &yaml.Node{Kind: yaml.ScalarNode, Value: text}, value: text, schema: shape()})
	if len(l.found) > 0 {
		return URL{}, l.found
	}
	return at, nil
}

// scope tells repository, organisation and enterprise from each other.
func (l *loader) scope(f *field, u *url.URL) URL {
	host := strings.TrimSuffix(strings.ToLower(u.Host), map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	base := u.Scheme + "://" + host
	if host == "www.github.com" || host == "api.github.com" {
		l.fault(f, "did you mean https://github.com"+strings.TrimPrefix(u.Path, "/repos")+"?", "%s is not where runners are registered", host)
		return URL{}
	}
	if l.forge(f, host) {
		return URL{}
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	at := URL{Host: host, API: apiBase(u.Scheme, host)}
	switch {
	case u.Path == "" || parts[0] == "":
		l.fault(f, "add /OWNER/REPO, /ORG or /enterprises/NAME", "%s names no repository, organisation or enterprise", quote(base))
		return URL{}
	case parts[0] == "enterprises" && len(parts) == 2:
		at.Scope, at.Owner = Enterprise, parts[1]
	case parts[0] == "orgs" && len(parts) > 1:
		l.fault(f, "write "+base+"/"+parts[1], "this is the address of a page about the organisation")
		return URL{}
	case len(parts) == 1:
		at.Scope, at.Owner = Organization, parts[0]
	case len(parts) == 2:
		at.Scope, at.Owner, at.Repo = Repository, parts[0], strings.TrimSuffix(parts[1], ".git")
	default:
		n := 2
		if parts[0] == "enterprises" {
			n = 3
		}
		l.fault(f, "did you mean "+base+"/"+strings.Join(parts[:min(2, n)], "/")+"?", "this is the address of a page below it")
		return URL{}
	}
	return l.named(f, base, at)
}

// Words that stand where an owner's name would, and are GitHub's own pages.
var ownPages = []string{"apps", "enterprises", "login", "marketplace", "orgs", "settings", "topics", "users"}

// named checks the names and writes the URL anew from them.
func (l *loader) named(f *field, base string, at URL) URL {
	switch {
	case !ownerName(at.Owner) || at.Scope != Enterprise && slices.Contains(ownPages, strings.ToLower(at.Owner)):
		l.fault(f, "write "+base+"/OWNER/REPO, /ORG or /enterprises/NAME", "%s is not the name of an owner at GitHub", quote(at.Owner))
		return URL{}
	case at.Scope == Repository && !repoName(at.Repo):
		l.fault(f, "write "+base+"/OWNER/REPO", "%s is not the name of a repository", quote(at.Repo))
		return URL{}
	}
	switch at.Scope {
	case Repository:
		at.Text = base + "/" + at.Owner + "/" + at.Repo
	case Enterprise:
		at.Text = base + "/enterprises/" + at.Owner
	default:
		at.Text = base + "/" + at.Owner
	}
	return at
}

// apiBase is where the REST API of a host is. Tenants of GitHub Enterprise
// Cloud with data residency (SUBDOMAIN.ghe.com) have it beside, not below.
// https://docs.github.com/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom
func apiBase(scheme, host string) string {
	switch {
	case host == "github.com" && scheme == "https":
		return "https://api.github.com/"
	case strings.HasSuffix(host, ".ghe.com") && scheme == "https":
		return "https://api." + host + "/"
	}
	return scheme + "://" + host + "/api/v3/"
}
