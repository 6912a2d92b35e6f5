package standin

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// An Issue of a repository. GitHub lists pull requests among them.
type Issue struct {
	Number   int
	Title    string
	Body     string
	State    string // open or closed
	Pull     bool   // it is a pull request
	Comments []string
}

// AddIssue opens an issue, as if somebody else had, and returns its number.
func (s *Server) AddIssue(scope Scope, i Issue) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world.open(scope, i).Number
}

// Issues lists a repository's issues as they are now, oldest first.
func (s *Server) Issues(scope Scope) []Issue {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Issue
	for _, i := range s.world.issues[scope] {
		shown := *i
		shown.Comments = slices.Clone(i.Comments)
		list = append(list, shown)
	}
	return list
}

// ChangeIssue edits an issue in place; it says whether there is one.
func (s *Server) ChangeIssue(scope Scope, number int, edit func(*Issue)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.world.issue(scope, number)
	if i != nil {
		edit(i)
	}
	return i != nil
}

// DeleteIssue removes an issue for good, which GitHub remembers.
func (s *Server) DeleteIssue(scope Scope, number int) {
	s.ChangeIssue(scope, number, func(i *Issue) { i.State = deleted })
}

const deleted = "deleted"

// DisableIssues turns a repository's issues off in its settings.
func (s *Server) DisableIssues(scope Scope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.noIssues[scope] = true
}

func (w *world) open(scope Scope, i Issue) *Issue {
	i.Number, i.State = len(w.issues[scope])+1, "open"
	w.issues[scope] = append(w.issues[scope], &i)
	return &i
}

func (w *world) issue(scope Scope, number int) *Issue {
	if all := w.issues[scope]; number > 0 && number <= len(all) {
		return all[number-1]
	}
	return nil
}

func issueView(c *call, i *Issue) map[string]any {
	address := fmt.Sprintf("%s/%s/issues/%d", c.base, c.scope(), i.Number)
	view := map[string]any{
		"id": 1000 + i.Number, "number": i.Number, "title": i.Title, "body": i.Body, "state": i.State,
		"comments": len(i.Comments), "url": address, "user": map[string]any{"login": "octocat", "id": 1},
	}
	if i.Pull {
		view["pull_request"] = map[string]any{"url": fmt.Sprintf("%s/%s/pulls/%d", c.base, c.scope(), i.Number)}
	}
	return view
}

// withIssues answers for repositories that have issues at all.
func (s *Server) withIssues(handle apiHandler) apiHandler {
	return func(c *call) reply {
		if s.world.noIssues[c.scope()] {
			return refuse(http.StatusGone, "Issues are disabled for this repo")
		}
		return handle(c)
	}
}

// withIssue finds the issue that the path names.
func (s *Server) withIssue(handle func(*call, *Issue) reply) apiHandler {
	return s.withIssues(func(c *call) reply {
		i := s.world.issue(c.scope(), int(c.id("issue_number")))
		switch {
		case i == nil:
			return notFound
		case i.State == deleted:
			return refuse(http.StatusGone, "This issue was deleted")
		}
		return handle(c, i)
	})
}

// listIssues shows the newest first, the open ones unless asked otherwise.
func (s *Server) listIssues(c *call) reply {
	state := c.URL.Query().Get("state")
	if state == "" {
		state = "open"
	}
	views := []map[string]any{}
	for _, i := range slices.Backward(s.world.issues[c.scope()]) {
		if i.State == state || state == "all" && i.State != deleted {
			views = append(views, issueView(c, i))
		}
	}
	shown, header := page(c, views)
	return reply{http.StatusOK, shown, header}
}

func (s *Server) createIssue(c *call) reply {
	var sent struct{ Title, Body string }
	if answer, ok := c.decode(&sent); !ok {
		return answer
	}
	if sent.Title == "" || len(sent.Title) > 256 || len(sent.Body) > 65536 {
		return refuse(http.StatusUnprocessableEntity, "Validation Failed")
	}
	i := s.world.open(c.scope(), Issue{Title: sent.Title, Body: sent.Body})
	return reply{status: http.StatusCreated, body: issueView(c, i)}
}

// editIssue changes what is sent and leaves the rest.
func (s *Server) editIssue(c *call, i *Issue) reply {
	var sent struct{ Title, Body, State *string }
	if answer, ok := c.decode(&sent); !ok {
		return answer
	}
	for _, field := range []struct{ to, from *string }{{&i.Title, sent.Title}, {&i.Body, sent.Body}, {&i.State, sent.State}} {
		if field.from != nil {
			*field.to = *field.from
		}
	}
	return ok(issueView(c, i))
}

func (s *Server) commentIssue(c *call, i *Issue) reply {
	var sent struct{ Body string }
	if answer, ok := c.decode(&sent); !ok {
		return answer
	}
	if sent.Body == "" {
		return refuse(http.StatusUnprocessableEntity, "Validation Failed")
	}
	i.Comments = append(i.Comments, sent.Body)
	return reply{status: http.StatusCreated, body: map[string]any{
		"id": 5000 + len(i.Comments), "body": sent.Body, "created_at": time.Now().UTC().Format(time.RFC3339),
		"user": map[string]any{"login": "octocat", "id": 1},
	}}
}
