package github

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/bradleyfalzon/ghinstallation/v2"
)

// authenticate puts the credentials in front of a transport.
func (c *Client) authenticate(base http.RoundTripper) (http.RoundTripper, error) {
	switch {
	case c.cred.Token != "":
		return bearer{c.cred.Token.Reveal(), base}, nil
	case c.cred.App != nil:
		return c.app(base)
	}
	return base, nil
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

func (c *Client) app(base http.RoundTripper) (http.RoundTripper, error) {
	app := c.cred.App
	t, err := ghinstallation.New(&minter{base, &c.appTokens}, app.ID, app.Installation, []byte(app.Key.Reveal()))
	if err != nil {
		return nil, &sentence{text: fmt.Sprintf("cannot use the GitHub App's key from %s: it is no RSA private key in PEM form; download a new one from the App's page", c.cred.Source)}
	}
	t.BaseURL = strings.TrimSuffix(c.place.API, "/")
	return t, nil
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
