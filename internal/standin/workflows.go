package standin

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Workflow of a repository. Its file is one of the [Repository], for those who
// read it; what the server does when it is dispatched stands here.
type Workflow struct {
	ID    int64
	Name  string
	Path  string // .github/workflows/FILE.yml
	State string // active, disabled_manually, ...

	Jobs      []Job      // of a run; nil: it cannot be dispatched
	Inputs    []string   // that it may be given
	Artifacts []Artifact // that a run leaves
}

// An Artifact of a run. {run} in its name is the run's id.
type Artifact struct {
	Name    string
	Zip     []byte
	Expired bool
}

// A Run is one run of a workflow, started by a dispatch.
type Run struct {
	ID       int64
	Workflow Workflow
	Scope    Scope
	Name     string // OWNER/NAME, as whoever started it wrote it
	Ref      string
	Inputs   map[string]string
	Actor    string
	Created  time.Time
	Jobs     []string // ids, see [Server.Job]
}

// AddWorkflow adds a workflow to a repository; an empty state is active.
func (s *Server) AddWorkflow(scope Scope, w Workflow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.State == "" {
		w.State = "active"
	}
	if w.ID == 0 {
		w.ID = s.world.id()
	}
	s.world.workflows[scope] = append(s.world.workflows[scope], w)
}

// Runs lists every run, oldest first.
func (s *Server) Runs() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Run
	for _, r := range s.world.runs {
		list = append(list, *r)
	}
	return list
}

// How a dispatch is answered by servers that do not tell the run.
const (
	SilentDispatch = "silent" // they ignore that they are asked to (before February 2026)
	StrictDispatch = "strict" // they refuse to be asked
)

// AnswerDispatch has dispatches answered as older servers do.
func (s *Server) AnswerDispatch(how string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.dispatches = how
}

// DispatchAs starts a run as somebody else would. It returns the run's id.
func (s *Server) DispatchAs(actor string, scope Scope, file, ref string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.world.workflows[scope] {
		if path.Base(w.Path) == file {
			return s.start(scope, strings.TrimPrefix(string(scope), "repos/"), w, ref, nil, actor).ID
		}
	}
	return 0
}

func (s *Server) listWorkflows(c *call) reply {
	all := s.world.workflows[c.scope()]
	shown, header := page(c, all)
	views := []map[string]any{}
	for _, w := range shown {
		views = append(views, map[string]any{"id": w.ID, "name": w.Name, "path": w.Path, "state": w.State})
	}
	return reply{http.StatusOK, map[string]any{"total_count": len(all), "workflows": views}, header}
}

// withWorkflow finds the workflow that the path names, by id or by file name.
func (s *Server) withWorkflow(handle func(*call, Workflow) reply) apiHandler {
	return func(c *call) reply {
		asked := c.PathValue("workflow_id")
		for _, w := range s.world.workflows[c.scope()] {
			if strconv.FormatInt(w.ID, 10) == asked || path.Base(w.Path) == asked {
				return handle(c, w)
			}
		}
		return notFound
	}
}

// dispatch starts a run, or refuses in GitHub's words.
func (s *Server) dispatch(c *call, w Workflow) reply {
	var sent struct {
		Ref     string            `json:"ref"`
		Inputs  map[string]string `json:"inputs"`
		Details *bool             `json:"return_run_details"`
	}
	if answer, ok := c.decode(&sent); !ok {
		return answer
	}
	refs := append([]string{"main"}, s.world.repositories[c.scope()].Refs...)
	short := strings.TrimPrefix(strings.TrimPrefix(sent.Ref, "refs/heads/"), "refs/tags/")
	switch {
	case s.world.dispatches == StrictDispatch && sent.Details != nil:
		return refuse(http.StatusUnprocessableEntity, `Invalid request. "return_run_details" is not a permitted key.`)
	case !slices.Contains(refs, short):
		return refuse(http.StatusUnprocessableEntity, "No ref found for: "+sent.Ref)
	case w.State != "active":
		return refuse(http.StatusUnprocessableEntity, "Cannot trigger a 'workflow_dispatch' on a disabled workflow")
	case w.Jobs == nil:
		return refuse(http.StatusUnprocessableEntity, "Workflow does not have 'workflow_dispatch' trigger")
	}
	for name := range sent.Inputs {
		if !slices.Contains(w.Inputs, name) {
			return refuse(http.StatusUnprocessableEntity, fmt.Sprintf("Unexpected inputs provided: [%q]", name))
		}
	}
	r := s.start(c.scope(), c.PathValue("owner")+"/"+c.PathValue("repo"), w, short, sent.Inputs, login)
	if sent.Details == nil || !*sent.Details || s.world.dispatches == SilentDispatch {
		return reply{status: http.StatusNoContent}
	}
	return ok(map[string]any{"workflow_run_id": r.ID, "run_url": runAddress(c, r), "html_url": runPage(r)})
}

// start makes a run, and puts its jobs into the queue. It needs the lock.
func (s *Server) start(scope Scope, name string, w Workflow, ref string, inputs map[string]string, actor string) *Run {
	r := &Run{ID: 1_000_000 + s.world.id(), Workflow: w, Scope: scope, Name: name, Ref: ref, Inputs: inputs, Actor: actor, Created: time.Now()}
	for _, job := range w.Jobs {
		job.Repository, job.Workflow = name, w.Name
		r.Jobs = append(r.Jobs, s.enqueue(job, r.ID))
	}
	s.world.runs = append(s.world.runs, r)
	return r
}

// login is whose the API tokens are.
const login = "octocat"

func (s *Server) user(c *call) reply { return ok(userView(c, login)) }
