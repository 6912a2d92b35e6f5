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
	kept := r.Store.load(at.name)
	fresh, err := r.ask(ctx, at, kept.ETag)
	switch {
	case err == nil && fresh == nil:
		return []byte(kept.Text), nil
	case err == nil:
		r.keep(*fresh)
		return []byte(fresh.Text), nil
	case kept.Text == "":
		return nil, err
	}
	r.say(fmt.Sprintf("%v; the copy of %s is used", err, kept.Fetched.UTC().Format(time.RFC3339)))
	return []byte(kept.Text), nil
}

func (r *Reader) keep(c Copy) {
	if err := r.Store.keep(c); err != nil {
		r.say(fmt.Sprintf("cannot keep a copy of the spec %s: %v", c.Name, err))
	}
}

func (r *Reader) say(line string) {
	if r.Said != nil {
		r.Said(line)
	}
}

// ask fetches a text; nil is one that has not changed.
func (r *Reader) ask(ctx context.Context, at location, etag string) (*Copy, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.url, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch the spec %s: %w", at.name, err)
	}
	for name, value := range at.header {
		req.Header.Set(name, value)
	}
	if at.api && r.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := r.http().Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch the spec %s: %w; see whether this host reaches it", at.name, withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && etag != "" {
		return nil, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("cannot fetch the spec %s: the server answered %s; %s", at.name, resp.Status, r.next(at, resp.StatusCode))
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
	return &Copy{Name: at.name, ETag: resp.Header.Get("ETag"), Text: string(text), Fetched: time.Now()}, nil
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
func (r *Reader) next(at location, status int) string {
	switch {
	case at.api && r.Token == "" && (status == http.StatusNotFound || status == http.StatusForbidden || status == http.StatusTooManyRequests):
		return "see whether repository, path and ref are right; a private repository, or one asked often, needs GITHUB_TOKEN"
	case at.api && status == http.StatusUnauthorized:
		return "GITHUB_TOKEN holds a token that GitHub does not know, or no longer"
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

func (r *Reader) http() *http.Client {
	if r.client != nil {
		return r.client
	}
	return &http.Client{CheckRedirect: sameScheme}
}

// sameScheme follows a redirect that stays with https. The token goes along
// only to the same host: net/http takes it off for any other.
func sameScheme(req *http.Request, via []*http.Request) error {
	if len(via) >= 5 || via[0].URL.Scheme != req.URL.Scheme {
		return errors.New("the answer is a redirect to somewhere that is not trusted")
	}
	return nil
}
