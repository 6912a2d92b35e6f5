package lab

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// archive serves a package index and one package.
func archive(t *testing.T, digest, content string) Release {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /dists/x/main/binary-amd64/Packages.gz", func(w http.ResponseWriter, r *http.Request) {
		z := gzip.NewWriter(w)
		fmt.Fprintf(z, "Package: keyring-dev\nFilename: wrong\nSHA256: 00\n\nPackage: keyring\nFilename: pool/k.deb\nSHA256: %s\n\nPackage: zsh\nFilename: wrong\n", digest)
		z.Close()
	})
	mux.HandleFunc("GET /pool/k.deb", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, content) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return Release{Name: "test", suite: "x", mirror: server.URL}
}

func TestPackageIsVerified(t *testing.T) {
	t.Parallel()
	const sha = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"
	if deb, err := fetchPackage(t.Context(), archive(t, sha, "hello"), "keyring"); string(deb) != "hello" || err != nil {
		t.Errorf("got %q, %v", deb, err)
	}
	if _, err := fetchPackage(t.Context(), archive(t, sha, "hullo"), "keyring"); err == nil || !strings.Contains(err.Error(), sha) {
		t.Errorf("an altered package: %v, want an error with both digests", err)
	}
}

func TestNoMirror(t *testing.T) {
	t.Parallel()
	r := archive(t, "", "")
	if err := reach(t.Context(), r.mirror+"/dists/y/InRelease"); !errors.Is(err, ErrNoMirror) {
		t.Errorf("a suite that is not there: %v", err)
	}
	if err := reach(t.Context(), "http://127.0.0.1:1/"); !errors.Is(err, ErrNoMirror) {
		t.Errorf("a server that is not there: %v", err)
	}
}
