package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// Downloads lists the runner packages that GitHub wants this scope to use now,
// which lag behind the newest release while GitHub rolls it out.
func (c *Client) Downloads(ctx context.Context) ([]actions.Download, error) {
	var out []actions.Download
	_, err := c.do(ctx, c.api, call{
		op:     "list the runner packages for " + c.where(),
		method: http.MethodGet, path: c.prefix + "/actions/runners/downloads",
	}, &out)
	return out, err
}

// LatestVersion returns the runner version to install where the spec says
// latest: what GitHub wants this scope to use, or without credentials the
// newest release. platform is like linux-x64.
func (c *Client) LatestVersion(ctx context.Context, platform string) (string, error) {
	if !c.cred.API() {
		rel, err := c.release(ctx, "latest")
		return strings.TrimPrefix(rel.Tag, "v"), err
	}
	all, err := c.Downloads(ctx)
	if err != nil {
		return "", err
	}
	name := regexp.MustCompile(`^actions-runner-` + regexp.QuoteMeta(platform) + `-(\d[0-9A-Za-z.-]*)\.tar\.gz$`)
	for _, d := range all {
		if m := name.FindStringSubmatch(d.Filename); m != nil {
			return m[1], nil
		}
	}
	return "", &sentence{text: fmt.Sprintf("cannot find the latest runner for %s: GitHub offers %s no package for it; give runner.version a number", platform, c.where())}
}

// Digest returns the SHA-256 of a runner package in hex, and who vouches for
// it in words a person can check. GitHub has three places for it; "" says that
// none of them has one. platform is like linux-x64.
func (c *Client) Digest(ctx context.Context, version, platform string) (sum, source string, err error) {
	file := fmt.Sprintf("actions-runner-%s-%s.tar.gz", platform, version)
	if c.cred.API() {
		// Only the current version is there, and reading it takes a
		// permission that the release page does not: a failure here is
		// no reason to stop.
		all, _ := c.Downloads(ctx)
		for _, d := range all {
			if d.Filename == file && isSum(d.SHA256) {
				return strings.ToLower(d.SHA256), "GitHub's list of runner packages for " + c.where(), nil
			}
		}
	}
	rel, err := c.release(ctx, "tags/v"+url.PathEscape(version))
	if err != nil {
		return "", "", err
	}
	for _, a := range rel.Assets {
		if sum, ok := strings.CutPrefix(a.Digest, "sha256:"); ok && a.Name == file && isSum(sum) {
			return strings.ToLower(sum), "the release's asset " + file, nil
		}
	}
	if sum := bodySum(rel.Body, platform); sum != "" {
		return sum, "the text of release " + rel.Tag, nil
	}
	return "", "", nil
}

type release struct {
	Tag    string `json:"tag_name"`
	Body   string `json:"body"`
	Assets []struct {
		Name   string `json:"name"`
		Digest string `json:"digest"` // null for assets older than mid-2025
	} `json:"assets"`
}

func (c *Client) release(ctx context.Context, which string) (release, error) {
	var rel release
	_, err := c.do(ctx, c.public, call{
		op:     "look at the runner's release " + strings.TrimPrefix(which, "tags/"),
		method: http.MethodGet, path: "repos/actions/runner/releases/" + which,
	}, &rel)
	if errors.Is(err, actions.ErrNotFound) {
		return rel, &sentence{
			text: fmt.Sprintf("cannot find the runner's release %s: GitHub has none of that name; check runner.version", strings.TrimPrefix(which, "tags/")),
			kind: err,
		}
	}
	return rel, err
}

// bodySum finds a digest in a release's text, between the marker comments that
// the runner's release workflow writes. The marker must match whole: older
// releases also carried ones such as linux-x64-noexternals.
func bodySum(body, platform string) string {
	_, rest, _ := strings.Cut(body, "<!-- BEGIN SHA "+platform+" -->")
	sum, _, ok := strings.Cut(rest, "<!-- END SHA "+platform+" -->")
	if sum = strings.TrimSpace(sum); !ok || !isSum(sum) {
		return ""
	}
	return strings.ToLower(sum)
}

var sumShape = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)

func isSum(s string) bool { return sumShape.MatchString(s) }
