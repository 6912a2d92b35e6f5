package standin_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/openapi"
)

func TestRepositoryAndContents(t *testing.T) {
	t.Parallel()
	s := newServer(t, standin.Options{Check: openapi.GitHub()})
	bench := standin.Repo("octo/bench")
	s.AcceptToken("good")
	s.SetRepository(bench, standin.Repository{Refs: []string{"v1"}})
	s.WriteFile(bench, ".github/workflows/bench.yml", "on: push\n")
	s.WriteFile(bench, "hosts/box.yaml", "version: 1\n")
	anyone, owner := api{t: t, srv: s}, api{t: t, srv: s, token: "good"}

	if a := anyone.ask("GET", "/repos/octo/bench", nil); a.status != http.StatusOK || a.body["visibility"] != "public" {
		t.Errorf("the repository: %d %s", a.status, a.raw)
	}
	a := anyone.ask("GET", "/repos/octo/bench/contents/.github/workflows/bench.yml?ref=v1", nil)
	text, _ := base64.StdEncoding.DecodeString(a.body["content"].(string))
	if a.status != http.StatusOK || string(text) != "on: push\n" {
		t.Errorf("a file: %d %s", a.status, a.raw)
	}
	if a := anyone.ask("GET", "/repos/octo/bench/contents/.github", nil); a.status != http.StatusOK || string(a.raw[:1]) != "[" {
		t.Errorf("a directory: %d %s", a.status, a.raw)
	}
	for _, path := range []string{"/repos/octo/bench/contents/none", "/repos/octo/bench/contents/hosts/box.yaml?ref=v2"} {
		if a := anyone.ask("GET", path, nil); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	s.SetRepository(bench, standin.Repository{Private: true})
	if a := anyone.ask("GET", "/repos/octo/bench", nil); a.status != http.StatusNotFound {
		t.Errorf("to anyone, a private repository is %d", a.status)
	}
	if a := owner.ask("GET", "/repos/octo/bench", nil); a.status != http.StatusOK || a.body["private"] != true {
		t.Errorf("its owner sees %d %s", a.status, a.raw)
	}
	if v := s.Violations(); v != nil {
		t.Errorf("violations: %q", v)
	}
}
