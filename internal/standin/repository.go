package standin

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

// A Repository is what a repository has beside its runners.
type Repository struct {
	Private bool
	Files   map[string]string // by path, on every branch and tag
	Refs    []string          // branches and tags; main is always there
}

// SetRepository makes a repository known. Until then it is public and empty.
func (s *Server) SetRepository(scope Scope, r Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.repositories[scope] = r
}

// WriteFile puts a file into a repository, or another text into it.
func (s *Server) WriteFile(scope Scope, name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.world.repositories[scope]
	r.Files = maps.Clone(r.Files)
	if r.Files == nil {
		r.Files = map[string]string{}
	}
	r.Files[name] = text
	s.world.repositories[scope] = r
}

// visible says who may ask: anyone for a public repository, and whoever may
// administer a private one. To others that one is not there.
func (s *Server) visible(handle apiHandler) apiHandler {
	return func(c *call) reply {
		if s.world.repositories[c.scope()].Private {
			if secret(c.Request) == "" {
				return notFound
			}
			if no, admitted := s.admit(c); !admitted {
				return no
			}
		}
		return handle(c)
	}
}

// repository answers what GitHub says of one. Its many links are alike.
func (s *Server) repository(c *call) reply {
	view := repositoryView(c)
	private := s.world.repositories[c.scope()].Private
	view["private"], view["visibility"] = private, map[bool]string{true: "private", false: "public"}[private]
	for _, count := range []string{"forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers", "watchers_count", "network_count", "subscribers_count"} {
		view[count] = 0
	}
	for _, flag := range []string{"has_issues", "has_projects", "has_wiki", "has_pages", "has_discussions", "archived", "disabled"} {
		view[flag] = false
	}
	for _, empty := range []string{"homepage", "language", "mirror_url", "license"} {
		view[empty] = nil
	}
	for _, at := range []string{"pushed_at", "created_at", "updated_at"} {
		view[at] = "2026-01-02T03:04:05Z"
	}
	for _, link := range []string{"clone_url", "git_url", "ssh_url", "svn_url"} {
		view[link] = view["html_url"]
	}
	view["default_branch"] = "main"
	return ok(view)
}

// repositoryLinks are the links of every repository that is mentioned.
const repositoryLinks = "archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads events forks " +
	"git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages merges milestones notifications pulls releases " +
	"stargazers statuses subscribers subscription tags teams trees"

// repositoryView is a repository as other things mention it.
func repositoryView(c *call) map[string]any {
	full := strings.TrimPrefix(string(c.scope()), "repos/")
	owner, name, _ := strings.Cut(full, "/")
	address := c.base + "/repos/" + full
	view := map[string]any{
		"id": 1296269, "node_id": "R_1", "name": name, "full_name": full, "private": false, "fork": false, "description": nil,
		"owner": userView(c, owner), "url": address, "html_url": "https://github.com/" + full,
	}
	for link := range strings.FieldsSeq(repositoryLinks) {
		view[link+"_url"] = address + "/" + link
	}
	return view
}

func userView(c *call, login string) map[string]any {
	address := c.base + "/users/" + login
	view := map[string]any{
		"login": login, "id": 1, "node_id": "U_1", "type": "User", "site_admin": false, "gravatar_id": "",
		"avatar_url": address, "url": address, "html_url": "https://github.com/" + login,
	}
	for link := range strings.FieldsSeq("events followers following gists organizations received_events repos starred subscriptions") {
		view[link+"_url"] = address + "/" + link
	}
	return view
}

// contents answers with a file, or with the list of a directory.
func (s *Server) contents(c *call) reply {
	r := s.world.repositories[c.scope()]
	if ref := c.URL.Query().Get("ref"); ref != "" && ref != "main" && !slices.Contains(r.Refs, ref) {
		return refuse(http.StatusNotFound, "No commit found for the ref "+ref)
	}
	asked := strings.Trim(c.PathValue("path"), "/")
	if text, there := r.Files[asked]; there {
		view := entryView(c, asked, "file", text)
		view["encoding"], view["content"] = "base64", base64.StdEncoding.EncodeToString([]byte(text))
		return ok(view)
	}
	entries := map[string]map[string]any{}
	for name, text := range r.Files {
		rest, below := strings.CutPrefix(name, asked+"/")
		if !below {
			continue
		}
		entry, _, deeper := strings.Cut(rest, "/")
		kind := "file"
		if deeper {
			kind, text = "dir", ""
		}
		entries[entry] = entryView(c, asked+"/"+entry, kind, text)
	}
	if len(entries) == 0 {
		return notFound
	}
	var list []map[string]any
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		list = append(list, entries[name])
	}
	return ok(list)
}

func entryView(c *call, name, kind, text string) map[string]any {
	address := c.base + "/" + string(c.scope()) + "/contents/" + name
	return map[string]any{
		"type": kind, "name": path.Base(name), "path": name, "size": len(text), "sha": fmt.Sprintf("%x", sha1.Sum([]byte(text))),
		"url": address, "git_url": address, "html_url": address, "download_url": address,
		"_links": map[string]any{"self": address, "git": address, "html": address},
	}
}
