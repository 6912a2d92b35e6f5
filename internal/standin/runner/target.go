package runner

import (
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
)

// A target is where a runner is registered, taken from its URL.
type target struct {
	url    string
	api    string // base of the API, ending in a slash
	entity string // repos/O/R, orgs/O or enterprises/E
	hosted bool   // github.com, as opposed to a GHES host
}

func parseTarget(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return target{}, fmt.Errorf("Invalid configuration provided for url. Terminating unattended configuration.")
	}
	t := target{url: strings.TrimSuffix(raw, "/"), hosted: u.Hostname() == "github.com"}
	t.api = u.Scheme + "://" + u.Host + "/api/v3/"
	if t.hosted {
		t.api = u.Scheme + "://api." + u.Host + "/"
	}
	switch parts := strings.Split(strings.Trim(u.Path, "/"), "/"); {
	case len(parts) == 1 && parts[0] != "":
		t.entity = "orgs/" + parts[0]
	case len(parts) == 2 && parts[0] == "enterprises":
		t.entity = strings.Join(parts, "/")
	case len(parts) == 2:
		t.entity = "repos/" + strings.Join(parts, "/")
	default:
		return target{}, fmt.Errorf("'%s' should point to an org or repository.", raw)
	}
	return t, nil
}

// labelsOf lists the default labels and the given ones. One that is too long
// drops all the given ones without a word, as the real validator does.
func labelsOf(in inputs) ([]Label, error) {
	given := in.values["labels"]
	if in.flags["no-default-labels"] && given == "" {
		return nil, errors.New("Disabling default labels via --no-default-labels without specifying --labels is not supported")
	}
	var labels []Label
	if !in.flags["no-default-labels"] {
		arch := map[string]string{"amd64": "X64", "arm64": "ARM64", "arm": "ARM"}[runtime.GOARCH]
		for _, name := range []string{"self-hosted", "Linux", arch} {
			labels = append(labels, Label{name, "System"})
		}
	}
	defaults := len(labels)
	for name := range strings.SplitSeq(given, ",") {
		if len(name) > 256 {
			return labels[:defaults], nil
		}
		if name != "" {
			labels = append(labels, Label{name, "User"})
		}
	}
	return labels, nil
}
