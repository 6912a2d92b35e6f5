package github

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// authenticate puts the credentials in front of a transport.
func (c *Client) authenticate(base http.RoundTripper) (http.RoundTripper, error) {
	switch {
	case c.cred.Token != "":
		return bearer{c.cred.Token.Reveal(), base}, nil
	case c.cred.App == nil:
		return base, nil
	}
	app, err := c.app(base)
	if err != nil {
		return nil, err
	}
	return app, nil
}

// bearer sends a token with every request. A redirect never leaves the host
// (see stayHome), so neither does the token.
type bearer struct {
	token string
	next  http.RoundTripper
}

func (t bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+t.token)
	return t.next.RoundTrip(req)
}

func (c *Client) app(base http.RoundTripper) (*ghinstallation.Transport, error) {
	app := c.cred.App
	t, err := ghinstallation.New(&minter{base, &c.appTokens}, app.ID, app.Installation, []byte(app.Key.Reveal()))
	if err != nil {
		return nil, &sentence{text: fmt.Sprintf("cannot use the GitHub App's key from %s: it is no RSA private key in PEM form; download a new one from the App's page", c.cred.Source)}
	}
	t.BaseURL = strings.TrimSuffix(c.place.API, "/")
	return t, nil
}

// InstallationToken has GitHub make a token of the App's installation, which is
// good for an hour. It is a POST.
func InstallationToken(ctx context.Context, o Options) (actions.Secret, error) {
	c := &Client{place: o.URL, cred: o.Credentials}
	t, err := c.app(newTransport(o.Dial))
	if err != nil {
		return "", err
	}
	token, err := t.Token(ctx)
	if err != nil {
		return "", &sentence{text: fmt.Sprintf("cannot have GitHub make App %d an installation token: %v; see whether github.app in the spec is right", c.cred.App.ID, err), kind: err}
	}
	return actions.Secret(token), nil
}

// minter counts the requests for an installation token, and sees to it that the
// answer really holds one: ghinstallation takes a null or an empty object for a
// token.
type minter struct {
	next  http.RoundTripper
	count *atomic.Int64
}

func (t *minter) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil || req.Method != http.MethodPost || !strings.HasSuffix(req.URL.Path, "/access_tokens") {
		return resp, err
	}
	t.count.Add(1)
	if resp.StatusCode/100 != 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var out struct {
		Token string `json:"token"`
	}
	if json.Unmarshal(data, &out) != nil || out.Token == "" {
		return nil, errNotJSON
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
}
