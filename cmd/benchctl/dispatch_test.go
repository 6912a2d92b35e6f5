package main

import (
	"testing"

	"github.com/SKaiNET-developers/benchctl/spec"
)

func TestWhoseWorkflowIsMeant(t *testing.T) {
	t.Parallel()
	at := func(url string) spec.URL {
		s, err := spec.Load("runner.yaml", []byte("version: 1\nuser: gha-runner\nrunner: {url: \""+url+"\", version: \"2.336.0\"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		return s.Runner.URL
	}
	for _, c := range []struct{ url, repo, text, api string }{
		{"https://github.com/octo/bench", "", "https://github.com/octo/bench", "https://api.github.com/"},
		{"https://github.com/octo/bench", "ana/other", "https://github.com/ana/other", "https://api.github.com/"},
		{"https://github.com/octo", "octo/bench", "https://github.com/octo/bench", "https://api.github.com/"},
		{"https://ghes.example/enterprises/octo", "octo/bench", "https://ghes.example/octo/bench", "https://ghes.example/api/v3/"},
		{"https://github.com/octo", "", "", ""},
		{"https://github.com/octo", "bench", "", ""},
		{"https://github.com/octo", "a/b/c", "", ""},
	} {
		got, err := repositoryOf(at(c.url), c.repo)
		if (err != nil) != (c.text == "") || err == nil && (got.Text != c.text || got.API != c.api || got.Scope != spec.Repository || got.Owner == "" || got.Repo == "") {
			t.Errorf("%s with --repo %q: %+v, %v", c.url, c.repo, got, err)
		}
	}
}
