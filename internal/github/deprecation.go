package github

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// Deprecation says when a runner version stops working, the zero value when
// GitHub has not said so, which a GHES host never does.
func (c *Client) Deprecation(ctx context.Context, version string) (actions.Deprecation, error) {
	var d actions.Deprecation
	_, err := c.do(ctx, c.api, call{
		op:     "learn how long runner " + version + " will work",
		method: http.MethodGet, path: c.prefix + "/actions/runners/deprecations/" + url.PathEscape(version),
	}, &d)
	if errors.Is(err, actions.ErrNotFound) {
		return actions.Deprecation{}, nil
	}
	return d, err
}
