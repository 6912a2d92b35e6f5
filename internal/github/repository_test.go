package github

import (
	"fmt"
	"net/http"
	"path"
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
