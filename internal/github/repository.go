package github

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// forContents is what the credentials need to read a repository's files.
const forContents = "the repository permission `Contents: read` (a classic token: the scope repo; a public repository needs none)"

// workflowsDir is where GitHub looks for workflows.
const workflowsDir = ".github/workflows"

// mostWorkflows bounds how many files are read, one request each.
const mostWorkflows = 100

// Repository says what GitHub shows of the repository that the runner belongs
// to. It is only for a client of that scope.
func (c *Client) Repository(ctx context.Context) (actions.Repository, error) {
	var r actions.Repository
	_, err := c.do(ctx, c.api, call{
		op: "look at " + c.where(), method: http.MethodGet, path: c.prefix, needs: "the repository permission `Metadata: read`",
	}, &r)
	return r, err
}

// Workflows reads the workflows of the repository as its default branch has
// them, and says how many more there are than it reads: those beyond the first
// hundred and those that are too large. None is no error. With an error come
// those that were read before it.
func (c *Client) Workflows(ctx context.Context) (files []actions.File, unread int, err error) {
	var entries []struct{ Name, Path, Type string }
	_, err = c.do(ctx, c.api, call{
		op: "list the workflows of " + c.where(), method: http.MethodGet, path: c.prefix + "/contents/" + workflowsDir, needs: forContents,
	}, &entries)
	if errors.Is(err, actions.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		if ext := path.Ext(e.Name); e.Type != "file" || ext != ".yml" && ext != ".yaml" {
			continue
		}
		if err != nil || len(files) == mostWorkflows {
			unread++
			continue
		}
		var text []byte
		switch text, err = c.File(ctx, e.Path, ""); {
		case err == nil:
			files = append(files, actions.File{Path: e.Path, Text: text})
		case errors.Is(err, actions.ErrNotFound): // since the list was made
			err = nil
		case errors.Is(err, errTooLarge):
			unread, err = unread+1, nil
		default:
			unread++
		}
	}
	return files, unread, err
}

// errTooLarge is a file beyond the megabyte up to which GitHub hands out what is in
// it; of a larger one it says that the encoding is "none".
var errTooLarge = errors.New("it has more than the 1 MiB that GitHub hands out")

// File reads a file of the repository as it is at a branch or tag, "" being the
// default branch. It comes in base64 (docs.github.com, REST: get repository
// content). The error wraps [actions.ErrNotFound] when GitHub answers 404.
func (c *Client) File(ctx context.Context, name, ref string) ([]byte, error) {
	var file struct{ Encoding, Content string }
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	rq := call{
		op: "read " + name + " of " + c.where(), method: http.MethodGet,
		path: c.prefix + "/contents/" + strings.Join(parts, "/"), needs: forContents,
	}
	if ref != "" {
		rq.op += " at " + ref
		rq.path += "?ref=" + url.QueryEscape(ref)
	}
	if _, err := c.do(ctx, c.api, rq, &file); err != nil {
		return nil, err
	}
	if file.Encoding == "none" {
		return nil, fmt.Errorf("cannot %s: %w", rq.op, errTooLarge)
	}
	text, err := base64.StdEncoding.DecodeString(file.Content)
	if err != nil || file.Encoding != "base64" {
		rq.host = c.api.BaseURL.Host
		return nil, c.explain(rq, errNotJSON)
	}
	return text, nil
}
