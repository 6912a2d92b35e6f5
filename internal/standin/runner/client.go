package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// A client makes the runner's calls. Its answers are JSON.
type client struct {
	auth string // the Authorization header
	http http.Client
}

// A statusError is an answer that is not a success.
type statusError struct {
	Method, URL string
	Status      int
	RequestID   string
	Body        []byte
}

// Error is the line that the real runner prints.
func (e *statusError) Error() string {
	return fmt.Sprintf("Http response code: %s from '%s %s' (Request Id: %s)",
		strings.ReplaceAll(http.StatusText(e.Status), " ", ""), e.Method, e.URL, e.RequestID)
}

func (e *statusError) refusal() Refusal {
	var r Refusal
	if json.Unmarshal(e.Body, &r) != nil {
		return Refusal{}
	}
	return r
}

// call sends body as JSON, unless it is nil or url.Values, and decodes the
// answer into into, unless that is nil. It returns the status of a success.
func (c *client) call(ctx context.Context, method, address string, body, into any) (int, error) {
	req, err := request(ctx, method, address, body)
	if err != nil {
		return 0, err
	}
	if c.auth != "" {
		req.Header.Set("Authorization", c.auth)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return 0, err
	}
	if resp.StatusCode >= 300 {
		return 0, &statusError{method, address, resp.StatusCode, resp.Header.Get("X-GitHub-Request-Id"), data}
	}
	if into == nil || len(data) == 0 {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, json.Unmarshal(data, into)
}

func request(ctx context.Context, method, address string, body any) (*http.Request, error) {
	var reader io.Reader
	kind := "application/json"
	switch body := body.(type) {
	case nil:
	case url.Values:
		kind, reader = "application/x-www-form-urlencoded", strings.NewReader(body.Encode())
	default:
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "GitHubActionsRunner")
	req.Header.Set("Accept", "application/json")
	if reader != nil {
		req.Header.Set("Content-Type", kind)
	}
	return req, nil
}

// signIn exchanges the runner's key for an access token.
func signIn(ctx context.Context, root string) (*client, error) {
	var cred Credentials
	if err := readJSON(filepath.Join(root, credentialsFile), &cred); err != nil {
		return nil, err
	}
	key, err := readKey(filepath.Join(root, keyFile))
	if err != nil {
		return nil, err
	}
	signed, err := assertion(key, cred.value("clientId"), cred.value("authorizationUrl"), time.Now())
	if err != nil {
		return nil, err
	}
	var token AccessToken
	c := &client{}
	_, err = c.call(ctx, "POST", cred.value("authorizationUrl"), url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {signed},
	}, &token)
	if err != nil {
		return nil, err
	}
	c.auth = "Bearer " + token.AccessToken
	return c, nil
}
