package github

import (
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"
)

// A repository with more workflows than are read says how many more.
func TestWorkflowsSaysWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if path.Base(r.URL.Path) != path.Base(workflowsDir) {
			answer(w, http.StatusOK, map[string]string{"encoding": "base64", "content": "b246IHB1c2gK"})
			return
		}
		entries := []map[string]string{{"type": "dir", "name": "old.yml"}, {"type": "file", "name": "README.md"}}
		for i := range mostWorkflows + 3 {
			name := fmt.Sprintf("w%03d.yml", i)
			entries = append(entries, map[string]string{"type": "file", "name": name, "path": workflowsDir + "/" + name})
		}
		answer(w, http.StatusOK, entries)
	})
	files, unread, err := s.repo(t).Workflows(t.Context())
	if err != nil || len(files) != mostWorkflows || unread != 3 || string(files[0].Text) != "on: push\n" {
		t.Errorf("%d files, %d unread, %v", len(files), unread, err)
	}
}

// A workflow that cannot be read does not keep the others from being read.
func TestWorkflowsBesideOneThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers func(w http.ResponseWriter)
		files   int
		unread  int
		says    string
	}{
		"too large": {func(w http.ResponseWriter) { answer(w, http.StatusOK, map[string]string{"encoding": "none"}) }, 2, 1, ""},
		"gone":      {func(w http.ResponseWriter) { answer(w, http.StatusNotFound, map[string]string{"message": "Not Found"}) }, 2, 0, ""},
		"refused":   {func(w http.ResponseWriter) { answer(w, http.StatusUnauthorized, map[string]string{}) }, 1, 2, "cannot read .github/workflows/b.yml of "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch path.Base(r.URL.Path) {
				case path.Base(workflowsDir):
					var entries []map[string]string
					for _, name := range []string{"a.yml", "b.yml", "c.yml"} {
						entries = append(entries, map[string]string{"type": "file", "name": name, "path": workflowsDir + "/" + name})
					}
					answer(w, http.StatusOK, entries)
				case "b.yml":
					c.answers(w)
				default:
					answer(w, http.StatusOK, map[string]string{"encoding": "base64", "content": "b246IHB1c2gK"})
				}
			})
			files, unread, err := s.repo(t).Workflows(t.Context())
			if len(files) != c.files || unread != c.unread || (err == nil) != (c.says == "") || err != nil && !strings.HasPrefix(err.Error(), c.says) {
				t.Errorf("%d files, %d unread, %v", len(files), unread, err)
			}
		})
	}
}
