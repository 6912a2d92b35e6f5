package github

import (
	"context"
	"fmt"
	"net/http"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// mostIssuePages is how far a search goes: the thousand newest that are open.
const mostIssuePages = 10

// forIssues is what the credentials need for an issue, in place of what they
// need for runners.
const forIssues = "the repository permission `Issues: write` (a classic token: the scope repo)"

// OpenIssue finds the newest open issue with a title; its number is 0 when
// there is none.
func (c *Client) OpenIssue(ctx context.Context, title string) (actions.Issue, error) {
	for page := 1; page <= mostIssuePages; page++ {
		var list []actions.Issue
		next, err := c.issue(ctx, call{
			op:     "list the issues of " + c.where(),
			method: http.MethodGet, path: fmt.Sprintf("%s/issues?state=open&per_page=%d&page=%d", c.prefix, perPage, page),
		}, &list)
		if err != nil {
			return actions.Issue{}, err
		}
		for _, i := range list {
			if i.Title == title && i.PullRequest == nil {
				return i, nil
			}
		}
		if next <= page {
			break
		}
	}
	return actions.Issue{}, nil
}

// CreateIssue opens an issue and returns its number.
func (c *Client) CreateIssue(ctx context.Context, title, body string) (int, error) {
	rq := call{
		op:     "open an issue in " + c.where(),
		method: http.MethodPost, path: c.prefix + "/issues", write: true,
		body: map[string]string{"title": title, "body": body},
	}
	var made actions.Issue
	if _, err := c.issue(ctx, rq, &made); err != nil {
		return 0, err
	}
	if made.Number == 0 {
		rq.host = c.api.BaseURL.Host
		return 0, c.explain(rq, errNotJSON)
	}
	return made.Number, nil
}

// SetIssue gives an issue its text and its state, open or closed. The error
// wraps [actions.ErrNotFound] when there is no such issue, or none any more.
func (c *Client) SetIssue(ctx context.Context, number int, body, state string) error {
	_, err := c.issue(ctx, call{
		op:     fmt.Sprintf("edit issue %d of %s", number, c.where()),
		method: http.MethodPatch, path: fmt.Sprintf("%s/issues/%d", c.prefix, number), write: true,
		body: map[string]string{"body": body, "state": state},
	}, nil)
	return err
}

// CommentIssue adds a comment to an issue. The error wraps
// [actions.ErrNotFound] as SetIssue's does.
func (c *Client) CommentIssue(ctx context.Context, number int, body string) error {
	_, err := c.issue(ctx, call{
		op:     fmt.Sprintf("comment on issue %d of %s", number, c.where()),
		method: http.MethodPost, path: fmt.Sprintf("%s/issues/%d/comments", c.prefix, number), write: true,
		body: map[string]string{"body": body},
	}, nil)
	return err
}

// issue sends a call about issues, which only a repository has.
func (c *Client) issue(ctx context.Context, rq call, out any) (next int, err error) {
	if c.place.Scope != spec.Repository {
		return 0, &sentence{text: fmt.Sprintf("cannot %s: an issue belongs to a repository, and runner.url names the %s; use notify.webhook, webhookFile or command", rq.op, c.where())}
	}
	rq.needs, rq.gone = forIssues, "; if the repository's issues are turned off, turn them on or take notify.issue out of the spec"
	return c.do(ctx, c.api, rq, out)
}
