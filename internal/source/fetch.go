package source

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/SKaiNET-developers/benchctl/spec"
)

// fetch asks for a text, unless the kept copy is what it would get. If the
// server cannot be asked, the copy serves, and that is said.
func (r *Reader) fetch(ctx context.Context, at location) ([]byte, error) {
	kept := r.kept(at.name)
	if kept != nil && (r.Kept || r.Offline) {
		return []byte(kept.Text), nil
	}
	if r.Offline {
		return nil, fmt.Errorf("cannot read the spec %s: it is not to be fetched now, and there is no copy of it on this host", at.name)
	}
	fresh, err := kept, error(nil)
	if why := r.resting(at); kept != nil && why != "" {
		err = fmt.Errorf("cannot fetch the spec %s: %s", at.name, why)
	} else {
		fresh, err = r.ask(ctx, at, kept)
	}
	if err == nil {
		if fresh != kept {
			r.fresh = append(r.fresh, *fresh)
		}
		return []byte(fresh.Text), nil
	}
	if kept == nil || ctx.Err() != nil {
		return nil, err
	}
	if r.Said != nil {
		r.Said(fmt.Sprintf("%v; the copy of %s is used", err, kept.Fetched.UTC().Format(time.RFC3339)))
	}
	return []byte(kept.Text), nil
}

// resting says why a place is not asked now, "" when it may be.
func (r *Reader) resting(at location) string {
	if !at.api || r.Resting == nil {
		return ""
	}
	return r.Resting()
}

// ask fetches a text. One that has not changed is the kept copy itself.
func (r *Reader) ask(ctx context.Context, at location, kept *Copy) (*Copy, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.url, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch the spec %s: %w", at.name, err)
	}
	for name, value := range at.header {
		req.Header.Set(name, value)
	}
	token := ""
	if at.api && r.Token != nil {
		token = r.Token(ctx)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if kept != nil && kept.ETag != "" {
		req.Header.Set("If-None-Match", kept.ETag)
	}
	resp, err := r.http().Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch the spec %s: %w; see whether this host reaches it", at.name, withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && kept != nil {
		return kept, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("cannot fetch the spec %s: the server answered %s; %s", at.name, resp.Status, next(at, token, resp.StatusCode))
	}
	text, err := bounded(resp.Body, at.name, 2*spec.MaxSize) // base64 makes it longer by a third
	if err != nil {
		return nil, err
	}
	if at.api {
		text, err = unwrap(text)
	}
	if err != nil || len(text) > spec.MaxSize {
		return nil, fmt.Errorf("cannot fetch the spec %s: it is no file of the size of a spec; see whether it is the right one", at.name)
	}
	fresh := &Copy{Name: at.name, ETag: resp.Header.Get("ETag"), Text: string(text), Fetched: time.Now()}
	if kept != nil && kept.ETag == fresh.ETag && kept.Text == fresh.Text {
		return kept, nil // a server without ETags
	}
	return fresh, nil
}

// unwrap takes the text of a file out of the API's answer, in which it is base64
// (docs.github.com, REST: get repository content). A directory is a list.
func unwrap(answer []byte) ([]byte, error) {
	var file struct{ Type, Encoding, Content string }
	if err := json.Unmarshal(answer, &file); err != nil {
		return nil, err
	}
	if file.Type != "file" || file.Encoding != "base64" {
		return nil, errors.New("it is no plain file")
	}
	return base64.StdEncoding.DecodeString(file.Content)
}

// next is what to do about an answer.
func next(at location, token string, status int) string {
	switch {
	case at.api && token == "" && (status == http.StatusNotFound || status == http.StatusForbidden || status == http.StatusTooManyRequests):
		return "see whether repository, path and ref are right; a private repository, or one asked often, needs GITHUB_TOKEN"
	case at.api && status == http.StatusUnauthorized:
		return "GitHub does not know the token that it was shown, or no longer; see GITHUB_TOKEN, and github.tokenFile of the spec before"
	case at.api && status == http.StatusNotFound:
		return "see whether repository, path and ref are right, and whether the token may read the repository's Contents"
	case status == http.StatusNotFound:
		return "see whether the name is right"
	}
	return "open it in a browser to see what it says"
}

// withoutURL is the reason alone of an error that repeats the request.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// http is a client that leaves nothing open behind.
func (r *Reader) http() *http.Client {
	if r.client != nil {
		return r.client
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableKeepAlives, t.MaxResponseHeaderBytes = true, 256<<10
	if r.Dial != nil {
		t.DialContext = r.Dial
	}
	return &http.Client{Transport: t, CheckRedirect: sameHost}
}

// sameHost follows no redirect to another host: whoever is trusted with the spec
// is named by whoever runs benchctl, and nobody else gets to see the token.
func sameHost(req *http.Request, via []*http.Request) error {
	if first := via[0].URL; len(via) >= 5 || first.Scheme != req.URL.Scheme || first.Host != req.URL.Host {
		return fmt.Errorf("it is a redirect to %s, which nobody named", req.URL.Host)
	}
	return nil
}
