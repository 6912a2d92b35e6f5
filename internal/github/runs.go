package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// What the credentials need for workflows and their runs.
const (
	forRuns     = "the repository permission `Actions: read` (a classic token: the scope repo)"
	forDispatch = "the repository permission `Actions: write` (a classic token: the scope repo)"
)

type workflowsPage struct {
	Workflows []actions.Workflow `json:"workflows"`
}

func (p workflowsPage) items() []actions.Workflow { return p.Workflows }

// ListWorkflows lists the workflows of the repository that GitHub knows of:
// those whose files are, or were, on the default branch, and those that ran.
func (c *Client) ListWorkflows(ctx context.Context) ([]actions.Workflow, error) {
	rq := call{op: "list the workflows of " + c.where(), needs: forRuns}
	return list[actions.Workflow, workflowsPage](ctx, c, rq, c.paged("/actions/workflows?"))
}

// Dispatch starts a workflow at a branch or tag, and returns the run's id; 0
// when GitHub does not say. It is sent once: an error that wraps
// [actions.ErrUnsure] leaves open whether a run was started.
func (c *Client) Dispatch(ctx context.Context, workflow int64, ref string, inputs map[string]string) (run int64, err error) {
	body := map[string]any{"ref": ref, "return_run_details": true}
	if len(inputs) > 0 {
		body["inputs"] = inputs
	}
	rq := call{
		op: "dispatch a workflow of " + c.where(), method: http.MethodPost, write: true, once: true, needs: forDispatch,
		path: fmt.Sprintf("%s/actions/workflows/%d/dispatches", c.prefix, workflow), body: body,
	}
	var made struct {
		ID int64 `json:"workflow_run_id"`
	}
	_, err = c.do(ctx, c.api, rq, &made)
	if err != nil && strings.Contains(err.Error(), "(422") && strings.Contains(err.Error(), "return_run_details") {
		// A GHES that does not know the key refuses it, and starts nothing.
		delete(body, "return_run_details")
		_, err = c.do(ctx, c.api, rq, &made)
	}
	return made.ID, err
}

type runsPage struct {
	Runs []actions.Run `json:"workflow_runs"`
}

// Dispatched lists the newest runs of a workflow that somebody dispatched, at
// most a hundred, the newest first.
func (c *Client) Dispatched(ctx context.Context, workflow int64) ([]actions.Run, error) {
	var out runsPage
	_, err := c.do(ctx, c.api, call{
		op: "list the runs of a workflow of " + c.where(), method: http.MethodGet, needs: forRuns,
		path: fmt.Sprintf("%s/actions/workflows/%d/runs?event=workflow_dispatch&per_page=%d", c.prefix, workflow, perPage),
	}, &out)
	return out.Runs, err
}

// Run returns one run. The error wraps [actions.ErrNotFound] when GitHub
// answers 404.
func (c *Client) Run(ctx context.Context, id int64) (actions.Run, error) {
	var r actions.Run
	_, err := c.do(ctx, c.api, call{
		op: fmt.Sprintf("look at run %d of %s", id, c.where()), method: http.MethodGet, path: c.run(id), needs: forRuns,
	}, &r)
	return r, err
}

type jobsPage struct {
	Jobs []actions.RunJob `json:"jobs"`
}

func (p jobsPage) items() []actions.RunJob { return p.Jobs }

// RunJobs lists the jobs of a run's latest attempt.
func (c *Client) RunJobs(ctx context.Context, id int64) ([]actions.RunJob, error) {
	rq := call{op: fmt.Sprintf("list the jobs of run %d of %s", id, c.where()), needs: forRuns}
	return list[actions.RunJob, jobsPage](ctx, c, rq, c.paged(strings.TrimPrefix(c.run(id), c.prefix)+"/jobs?filter=latest&"))
}

type artifactsPage struct {
	Artifacts []actions.Artifact `json:"artifacts"`
}

func (p artifactsPage) items() []actions.Artifact { return p.Artifacts }

// Artifacts lists what a run left.
func (c *Client) Artifacts(ctx context.Context, run int64) ([]actions.Artifact, error) {
	rq := call{op: fmt.Sprintf("list the artifacts of run %d of %s", run, c.where()), needs: forRuns}
	return list[actions.Artifact, artifactsPage](ctx, c, rq, c.paged(strings.TrimPrefix(c.run(run), c.prefix)+"/artifacts?"))
}

// Login is the name of whose token it is, "" where GitHub does not say, as for
// an App.
func (c *Client) Login(ctx context.Context) string {
	if c.cred.App != nil {
		return ""
	}
	var me struct{ Login string }
	if _, err := c.do(ctx, c.api, call{op: "see whose token it is", method: http.MethodGet, path: "user"}, &me); err != nil {
		return ""
	}
	return me.Login
}

func (c *Client) run(id int64) string { return fmt.Sprintf("%s/actions/runs/%d", c.prefix, id) }

// paged makes the path of each page of a listing.
func (c *Client) paged(path string) func(n int) string {
	return func(n int) string {
		q := url.Values{"per_page": {fmt.Sprint(perPage)}, "page": {fmt.Sprint(n)}}
		return c.prefix + path + q.Encode()
	}
}
