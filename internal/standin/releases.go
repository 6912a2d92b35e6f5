package standin

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// release is one release of a repository.
type release struct {
	id     int64
	tag    string
	body   string
	at     time.Time
	assets []Asset
}

// AddRelease publishes a release of OWNER/NAME, the newest so far; body is its
// text.
func (s *Server) AddRelease(repository, tag, body string, assets ...Asset) error {
	for i := range assets {
		var err error
		if assets[i], err = assets[i].digested(); err != nil {
			return fmt.Errorf("cannot publish %s: %w", assets[i].Name, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	repository = strings.ToLower(repository)
	s.world.releases[repository] = append(s.world.releases[repository],
		&release{id: s.world.id(), tag: tag, body: body, at: time.Now(), assets: assets})
	return nil
}

// PublishRunner publishes the runner's package as release vVERSION of
// actions/runner, its digest both in the asset and in the text, and as what
// the downloads endpoints offer.
func (s *Server) PublishRunner(version string, archive Asset) error {
	archive, err := archive.digested()
	if err != nil {
		return fmt.Errorf("cannot publish the runner %s: %w", version, err)
	}
	archive.Name = "actions-runner-linux-x64-" + version + ".tar.gz"
	body := fmt.Sprintf("## SHA-256 Checksums\n\n- %s <!-- BEGIN SHA linux-x64 -->%s<!-- END SHA linux-x64 -->\n",
		archive.Name, archive.SHA256)
	if err := s.AddRelease("actions/runner", "v"+version, body, archive); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.downloads = []Asset{archive}
	return nil
}

// SetDownloads replaces what the downloads endpoints offer for linux x64; none
// makes the list empty.
func (s *Server) SetDownloads(assets ...Asset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.downloads = assets
}

// web is where the caller of r reaches the server's github.com.
func web(r *http.Request) string {
	if host, _, _ := strings.Cut(r.Host, ":"); host == HostAPI {
		return strings.Replace(origin(r), r.Host, HostWeb, 1)
	}
	return origin(r)
}

func (s *Server) listDownloads(c *call) reply {
	list := []map[string]any{}
	for _, a := range s.world.downloads {
		version := strings.TrimSuffix(strings.TrimPrefix(a.Name, "actions-runner-linux-x64-"), ".tar.gz")
		item := map[string]any{
			"os": "linux", "architecture": "x64", "filename": a.Name,
			"download_url": web(c.Request) + "/actions/runner/releases/download/v" + version + "/" + a.Name,
		}
		if !a.NoDigest {
			item["sha256_checksum"] = a.SHA256
		}
		list = append(list, item)
	}
	return ok(list)
}

func (s *Server) latestRelease(c *call) reply {
	all := s.world.releases[repositoryOf(c)]
	if len(all) == 0 {
		return notFound
	}
	return ok(s.releaseView(c, all[len(all)-1]))
}

func (s *Server) releaseByTag(c *call) reply {
	for _, r := range s.world.releases[repositoryOf(c)] {
		if r.tag == c.PathValue("tag") {
			return ok(s.releaseView(c, r))
		}
	}
	return notFound
}

func repositoryOf(c *call) string {
	return strings.ToLower(c.PathValue("owner") + "/" + c.PathValue("repo"))
}

func (s *Server) releaseView(c *call, r *release) map[string]any {
	repository := c.PathValue("owner") + "/" + c.PathValue("repo")
	api, page, at := c.base+"/repos/"+repository, web(c.Request)+"/"+repository, r.at.UTC().Format(time.RFC3339)
	assets := []map[string]any{}
	for i, a := range r.assets {
		var digest any
		if !a.NoDigest {
			digest = "sha256:" + a.SHA256
		}
		file, size, err := a.open()
		if err == nil {
			file.Close()
		}
		id := r.id*1000 + int64(i)
		assets = append(assets, map[string]any{
			"id": id, "node_id": fmt.Sprint("RA_", id), "name": a.Name, "label": "", "state": "uploaded", "size": size,
			"content_type": "application/x-gzip", "digest": digest, "download_count": 1, "uploader": author(c),
			"url": fmt.Sprintf("%s/releases/assets/%d", api, id), "created_at": at, "updated_at": at,
			"browser_download_url": page + "/releases/download/" + url.PathEscape(r.tag) + "/" + url.PathEscape(a.Name),
		})
	}
	address := fmt.Sprintf("%s/releases/%d", api, r.id)
	return map[string]any{
		"id": r.id, "node_id": fmt.Sprint("RE_", r.id), "tag_name": r.tag, "name": r.tag, "target_commitish": "main",
		"draft": false, "prerelease": false, "body": r.body, "created_at": at, "published_at": at, "author": author(c),
		"url": address, "html_url": page + "/releases/tag/" + r.tag, "assets_url": address + "/assets",
		"upload_url": address + "/assets{?name,label}", "tarball_url": api + "/tarball/" + r.tag,
		"zipball_url": api + "/zipball/" + r.tag, "assets": assets,
	}
}

// author is the account that publishes releases.
func author(c *call) map[string]any {
	user := map[string]any{
		"login": "github-actions[bot]", "id": 41898282, "node_id": "MDM6Qm90NDE4OTgyODI=", "gravatar_id": "",
		"type": "Bot", "site_admin": false, "avatar_url": web(c.Request) + "/avatar.png", "html_url": web(c.Request) + "/apps/github-actions",
	}
	for _, link := range []string{
		"url", "followers_url", "following_url", "gists_url", "starred_url", "subscriptions_url",
		"organizations_url", "repos_url", "events_url", "received_events_url",
	} {
		user[link] = c.base + "/users/github-actions/" + link
	}
	return user
}
