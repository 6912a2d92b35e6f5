package github

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// An artifact is elsewhere, and whoever is there learns no credentials and gets
// no more than what was announced.
func TestDownload(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("it was shown credentials")
		}
		switch r.URL.Path {
		case "/on":
			http.Redirect(w, r, "/zip", http.StatusFound)
		case "/gone":
			w.WriteHeader(http.StatusForbidden)
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.Write([]byte("0123456789"))
		}
	}))
	t.Cleanup(elsewhere.Close)
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		most   int64
		says   string
		kind   error
	}{
		"well": {toward(elsewhere.URL + "/zip?sig=canary-sig"), 10, "", nil},
		"renamed": {func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/repositories/7/") {
				http.Redirect(w, r, "/repositories/7/actions/artifacts/7/zip", http.StatusMovedPermanently)
			} else if toward(elsewhere.URL+"/zip?sig=canary-sig")(w, r); r.Header.Get("Authorization") == "" {
				t.Error("GitHub itself was shown no credentials")
			}
		}, 10, "", nil},
		"too long":     {toward(elsewhere.URL + "/zip?sig=canary-sig"), 9, "it is larger than the 9 bytes that GitHub told", nil},
		"on and on":    {toward(elsewhere.URL + "/on?sig=canary-sig"), 10, "redirect", actions.ErrAway},
		"too late":     {toward(elsewhere.URL + "/gone?sig=canary-sig"), 10, "answers 403; run again", nil},
		"in trouble":   {toward(elsewhere.URL + "/down?sig=canary-sig"), 10, "answers 503; run again", actions.ErrAway},
		"nobody there": {toward("http://127.0.0.1:1/zip?sig=canary-sig"), 10, "127.0.0.1:1 refuses connections", actions.ErrAway},
		"a file":       {toward("file:///etc/passwd"), 10, "GitHub points to no address that can be used", nil},
		"nowhere":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) }, 10, "GitHub points to no address that can be used", nil},
		"a login page": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, 10, "the answer is not the JSON that was expected", nil},
		"expired":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, 10, "GitHub says that it is no more (410)", actions.ErrNotFound},
		"may not":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, 10, "they need the repository permission `Actions: read`", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := httptest.NewServer(http.HandlerFunc(c.answer))
			t.Cleanup(api.Close)
			client, err := New(Options{URL: spec.URL{Scope: spec.Repository, Owner: "octo", Repo: "bench", API: api.URL + "/"}, Credentials: Credentials{Token: canary, Source: "GH_TOKEN"}, PublicAPI: api.URL + "/"})
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			err = client.Download(t.Context(), actions.Artifact{ID: 7, Name: "records"}, &got, c.most)
			if c.says == "" {
				if err != nil || got.String() != "0123456789" {
					t.Errorf("%q, %v", got.String(), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") || c.kind != nil && !errors.Is(err, c.kind) || c.kind == nil && errors.Is(err, actions.ErrAway) {
				t.Errorf("%v, wanted %q", err, c.says)
			}
		})
	}
}

func toward(address string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", address)
		w.WriteHeader(http.StatusFound)
	}
}

// From a line that nobody can change, nothing leads to one that anybody can.
func TestDownloadStaysOnTLS(t *testing.T) {
	t.Parallel()
	const secure = "https://ghes.example/api/v3/"
	c, err := New(Options{URL: spec.URL{Scope: spec.Repository, Owner: "octo", Repo: "bench", API: secure}, PublicAPI: secure})
	if err != nil {
		t.Fatal(err)
	}
	resp := &http.Response{Header: http.Header{"Location": {"http://127.0.0.1:1/zip"}}}
	if at, err := c.location(call{op: "fetch it"}, resp); err == nil {
		t.Errorf("it goes to %v", at)
	}
}
