package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// perPage is the most that GitHub gives at once.
const perPage = 100

type runnersPage struct {
	Runners []actions.Runner `json:"runners"`
}

func (p runnersPage) items() []actions.Runner { return p.Runners }

// Runners lists the scope's runners, all pages of them. With a name, GitHub is
// asked for that name alone; a GHES too old to filter returns everyone, so the
// caller still has to compare.
func (c *Client) Runners(ctx context.Context, name string) ([]actions.Runner, error) {
	return list[actions.Runner, runnersPage](ctx, c, call{op: "list the runners of " + c.where(), wish: wish{lasting: true}}, func(n int) string {
		q := url.Values{"per_page": {fmt.Sprint(perPage)}, "page": {fmt.Sprint(n)}}
		if name != "" {
			q.Set("name", name)
		}
		return c.prefix + "/actions/runners?" + q.Encode()
	})
}

// Runner returns one registration. The error wraps [actions.ErrNotFound] when
// GitHub answers 404.
func (c *Client) Runner(ctx context.Context, id int64) (actions.Runner, error) {
	var r actions.Runner
	_, err := c.do(ctx, c.api, call{
		op:     fmt.Sprintf("look at runner %d of %s", id, c.where()),
		method: http.MethodGet, path: c.runner(id), wish: wish{lasting: true},
	}, &r)
	return r, err
}

// DeleteRunner removes a registration. The error wraps [actions.ErrNotFound]
// when GitHub answers 404.
func (c *Client) DeleteRunner(ctx context.Context, id int64) error {
	_, err := c.do(ctx, c.api, call{
		op:     fmt.Sprintf("delete runner %d of %s", id, c.where()),
		method: http.MethodDelete, path: c.runner(id), write: true,
	}, nil)
	return err
}

type labels struct {
	Labels []actions.Label `json:"labels"`
}

// Labels returns the labels of a runner.
func (c *Client) Labels(ctx context.Context, id int64) ([]actions.Label, error) {
	var out labels
	_, err := c.do(ctx, c.api, call{
		op:     fmt.Sprintf("read the labels of runner %d of %s", id, c.where()),
		method: http.MethodGet, path: c.runner(id) + "/labels",
	}, &out)
	return out.Labels, err
}

// SetLabels makes names the custom labels of a runner, and its only ones. The
// read-only labels stay and must not be among names.
func (c *Client) SetLabels(ctx context.Context, id int64, names []string) error {
	if names == nil {
		names = []string{} // GitHub wants a list, not null
	}
	_, err := c.do(ctx, c.api, call{
		op:     fmt.Sprintf("set the labels of runner %d of %s", id, c.where()),
		method: http.MethodPut, path: c.runner(id) + "/labels", write: true,
		body: map[string][]string{"labels": names},
	}, nil)
	return err
}

type groupsPage struct {
	Groups []actions.Group `json:"runner_groups"`
}

func (p groupsPage) items() []actions.Group { return p.Groups }

// Groups lists the runner groups of an organisation or enterprise; a
// repository has none. An answer that is younger than age will do.
func (c *Client) Groups(ctx context.Context, age time.Duration) ([]actions.Group, error) {
	return list[actions.Group, groupsPage](ctx, c, call{op: "list the runner groups of " + c.where(), wish: wish{lasting: true, fresh: age}}, func(n int) string {
		return fmt.Sprintf("%s/actions/runner-groups?per_page=%d&page=%d", c.prefix, perPage, n)
	})
}

// MoveRunner puts a runner into a group.
func (c *Client) MoveRunner(ctx context.Context, id, group int64) error {
	_, err := c.do(ctx, c.api, call{
		op:     fmt.Sprintf("move runner %d of %s into runner group %d", id, c.where(), group),
		method: http.MethodPut, write: true,
		path: fmt.Sprintf("%s/actions/runner-groups/%d/runners/%d", c.prefix, group, id),
	}, nil)
	return err
}

// RegistrationToken has a token made that registers runners for an hour. Ask
// at the moment of use.
func (c *Client) RegistrationToken(ctx context.Context) (actions.Secret, error) {
	return c.mint(ctx, "registration-token", "get a registration token for ")
}

// RemoveToken has a token made that lets runners remove themselves for an
// hour. Ask at the moment of use.
func (c *Client) RemoveToken(ctx context.Context) (actions.Secret, error) {
	return c.mint(ctx, "remove-token", "get a remove token for ")
}

// JIT registers a runner for one job and returns its configuration. The error
// wraps [actions.ErrForbidden] or [actions.ErrNotFound] where the credentials
// may not, or GitHub cannot: an older GHES has no such endpoint.
func (c *Client) JIT(ctx context.Context, asked actions.JITRequest) (actions.JIT, error) {
	var out struct {
		Runner actions.Runner `json:"runner"`
		Config actions.Secret `json:"encoded_jit_config"`
	}
	rq := call{
		op:     "get a just-in-time registration for " + c.where(),
		method: http.MethodPost, path: c.prefix + "/actions/runners/generate-jitconfig", body: asked, write: true,
	}
	if _, err := c.do(ctx, c.api, rq, &out); err != nil {
		return actions.JIT{}, err
	}
	if out.Runner.ID == 0 || out.Config == "" {
		rq.host = c.api.BaseURL.Host
		return actions.JIT{}, c.explain(rq, errNotJSON)
	}
	return actions.JIT{Runner: out.Runner, Config: out.Config}, nil
}

func (c *Client) mint(ctx context.Context, kind, op string) (actions.Secret, error) {
	var out struct {
		Token actions.Secret `json:"token"`
	}
	rq := call{op: op + c.where(), method: http.MethodPost, path: c.prefix + "/actions/runners/" + kind, write: true}
	if _, err := c.do(ctx, c.api, rq, &out); err != nil {
		return "", err
	}
	if out.Token == "" {
		rq.host = c.api.BaseURL.Host
		return "", c.explain(rq, errNotJSON)
	}
	return out.Token, nil
}

func (c *Client) runner(id int64) string {
	return fmt.Sprintf("%s/actions/runners/%d", c.prefix, id)
}

// where names the scope for a person.
func (c *Client) where() string {
	if c.place.Repo != "" {
		return c.place.Owner + "/" + c.place.Repo
	}
	return string(c.place.Scope) + " " + c.place.Owner
}
