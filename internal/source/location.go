package source

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// errLocal says that a name is that of a file on this host.
var errLocal = errors.New("a file of this host")

// A location is where a text is fetched from.
type location struct {
	name   string // as it was given
	url    string
	header map[string]string
	api    bool // it is GitHub's API, which takes a token and wraps the text
}

// atGitHub is OWNER/REPO/PATH@REF as people write it after github.com/.
var atGitHub = regexp.MustCompile(`^github\.com/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+)/([^@?#[:cntrl:]]+)@([^@?#\s]+)$`)

// locate understands a name; the error is errLocal for a path.
func locate(name string) (location, error) {
	switch {
	case strings.HasPrefix(name, "github.com/"):
		return locateAtGitHub(name)
	case strings.HasPrefix(name, "https://github.com/"):
		return location{}, fmt.Errorf("cannot fetch the spec %s: that is a page for people; write github.com/OWNER/REPO/PATH@REF, or the URL of the raw file", name)
	case !strings.HasPrefix(name, "https://") && !strings.HasPrefix(name, "http://"):
		return location{}, errLocal
	}
	u, err := url.Parse(name)
	if err != nil || u.Host == "" {
		return location{}, fmt.Errorf("cannot fetch the spec %s: it is not a URL", name)
	}
	if u.User != nil || confidential(u.Query()) {
		return location{}, fmt.Errorf("cannot fetch the spec from %s: the URL holds credentials, which anyone sees on a command line; write it without", u.Host)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return location{}, fmt.Errorf("cannot fetch the spec %s: anyone on the way could change it; use https", name)
	}
	return location{name: name, url: name}, nil
}

// secretName is a parameter whose value is hardly meant for everyone.
var secretName = regexp.MustCompile(`(?i)token|secret|password|signature|api_?key|^(key|sig|auth)$`)

func confidential(q url.Values) bool {
	for name := range q {
		if secretName.MatchString(name) {
			return true
		}
	}
	return false
}

func locateAtGitHub(name string) (location, error) {
	m := atGitHub.FindStringSubmatch(name)
	if m == nil {
		return location{}, fmt.Errorf("cannot fetch the spec %s: it has not the form github.com/OWNER/REPO/PATH@REF, such as github.com/octo/bench-hosts/hosts/box.yaml@main", name)
	}
	owner, repo, file, ref := m[1], m[2], m[3], m[4]
	u := url.URL{Scheme: "https", Host: "api.github.com", Path: "/repos/" + owner + "/" + repo + "/contents/" + file, RawQuery: url.Values{"ref": {ref}}.Encode()}
	return location{name: name, url: u.String(), api: true, header: map[string]string{
		"Accept":               "application/vnd.github+json",
		"X-GitHub-Api-Version": "2022-11-28",
	}}, nil
}

func loopback(hostname string) bool {
	ip := net.ParseIP(hostname)
	return hostname == "localhost" || ip != nil && ip.IsLoopback()
}
