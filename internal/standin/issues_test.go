package standin_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

func TestIssues(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	a := api{t, srv, "t"}
	const path = "/repos/example/bench/issues"
	made := a.ask("POST", path, map[string]string{"title": "one", "body": "text"})
	if made.status != 201 || made.body["number"] != 1.0 || made.body["state"] != "open" {
		t.Fatalf("%d %s", made.status, made.raw)
	}
	if got := a.ask("POST", path+"/1/comments", map[string]string{"body": "more"}); got.status != 201 {
		t.Errorf("comment: %d %s", got.status, got.raw)
	}
	if got := a.ask("PATCH", path+"/1", map[string]string{"state": "closed"}); got.status != 200 || got.body["body"] != "text" || got.body["comments"] != 1.0 {
		t.Errorf("edit: %d %s", got.status, got.raw)
	}
	srv.AddIssue(scope, standin.Issue{Title: "two", Pull: true})
	for query, want := range map[string]int{"": 1, "?state=closed": 1, "?state=all": 2} {
		got := a.ask("GET", path+query, nil)
		var list []any
		if err := json.Unmarshal(got.raw, &list); err != nil {
			t.Fatal(err)
		}
		if n := len(list); got.status != 200 || n != want {
			t.Errorf("list %q: %d, %d issues, want %d", query, got.status, n, want)
		}
	}
	if got := srv.Issues(scope); len(got) != 2 || got[0].State != "closed" || !slices.Equal(got[0].Comments, []string{"more"}) {
		t.Errorf("%+v", got)
	}
	srv.DeleteIssue(scope, 1)
	for number, status := range map[string]int{"/1": 410, "/2": 200, "/3": 404} {
		if got := a.ask("GET", path+number, nil); got.status != status {
			t.Errorf("issue %s: %d, want %d", number, got.status, status)
		}
	}
	srv.DisableIssues(scope)
	for _, method := range []string{"GET", "POST"} {
		if got := a.ask(method, path, map[string]string{"title": "x"}); got.status != 410 {
			t.Errorf("%s of issues that are turned off: %d", method, got.status)
		}
	}
}
