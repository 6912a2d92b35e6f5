package standin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// HostBlobs is where GitHub keeps artifacts.
const HostBlobs = "productionresultssa0.blob.core.windows.net"

// withRun finds the run that the path names.
func (s *Server) withRun(handle func(*call, *Run) reply) apiHandler {
	return func(c *call) reply {
		for _, r := range s.world.runs {
			if r.Scope == c.scope() && r.ID == c.id("run_id") {
				return handle(c, r)
			}
		}
		return notFound
	}
}

// listRuns shows a workflow's runs, the newest first.
func (s *Server) listRuns(c *call, w Workflow) reply {
	query := c.URL.Query()
	views := []map[string]any{}
	for _, r := range slices.Backward(s.world.runs) {
		event, branch, actor := query.Get("event"), query.Get("branch"), query.Get("actor")
		if r.Workflow.ID == w.ID && r.Scope == c.scope() && (event == "" || event == "workflow_dispatch") &&
			(branch == "" || branch == r.Ref) && (actor == "" || actor == r.Actor) {
			views = append(views, s.runView(c, r))
		}
	}
	shown, header := page(c, views)
	return reply{http.StatusOK, map[string]any{"total_count": len(views), "workflow_runs": shown}, header}
}

func runAddress(c *call, r *Run) string {
	return fmt.Sprintf("%s/%s/actions/runs/%d", c.base, r.Scope, r.ID)
}

func runPage(r *Run) string {
	return fmt.Sprintf("https://%s/%s/actions/runs/%d", HostWeb, r.Name, r.ID)
}

// state sums the jobs of a run up, as GitHub does.
func (s *Server) state(r *Run) (status string, conclusion any) {
	status, result := "completed", "success"
	for _, id := range r.Jobs {
		switch j := s.job(id); {
		case !j.Over():
			if status == "completed" {
				status = "queued"
			}
			if !j.Acquired.IsZero() {
				status = "in_progress"
			}
		default:
			if concluded[j.Result] != "success" {
				result = concluded[j.Result]
			}
			if status == "queued" {
				status = "in_progress"
			}
		}
	}
	if status != "completed" {
		return status, nil
	}
	return status, result
}

// concluded is what the API calls the results that a runner reports.
var concluded = map[string]string{
	runner.Succeeded: "success", runner.Failed: "failure", runner.Canceled: "cancelled", runner.Abandoned: "failure",
}

const sha = "0123456789abcdef0123456789abcdef01234567"

func (s *Server) runView(c *call, r *Run) map[string]any {
	address := runAddress(c, r)
	status, conclusion := s.state(r)
	made := r.Created.UTC().Format(time.RFC3339)
	view := map[string]any{
		"id": r.ID, "node_id": "R_1", "name": r.Workflow.Name, "head_branch": r.Ref, "head_sha": sha, "path": r.Workflow.Path,
		"run_number": 1, "run_attempt": 1, "event": "workflow_dispatch", "status": status, "conclusion": conclusion,
		"workflow_id": r.Workflow.ID, "url": address, "html_url": runPage(r), "pull_requests": []any{}, "created_at": made, "updated_at": made,
		"run_started_at": made, "actor": userView(c, r.Actor), "triggering_actor": userView(c, r.Actor), "head_commit": nil,
		"repository": minimal(c), "head_repository": minimal(c), "display_title": r.Workflow.Name,
		"workflow_url": fmt.Sprintf("%s/%s/actions/workflows/%d", c.base, r.Scope, r.Workflow.ID),
	}
	for _, link := range []string{"jobs", "logs", "check_suite", "artifacts", "cancel", "rerun"} {
		view[link+"_url"] = address + "/" + link
	}
	return view
}

// minimal is a repository as runs mention it.
func minimal(c *call) map[string]any {
	view := repositoryView(c)
	view["hooks_url"] = view["url"]
	return view
}

func (s *Server) listRunJobs(c *call, r *Run) reply {
	var views []map[string]any
	for i, id := range r.Jobs {
		views = append(views, s.jobView(c, r, i, s.job(id)))
	}
	shown, header := page(c, views)
	return reply{http.StatusOK, map[string]any{"total_count": len(views), "jobs": shown}, header}
}

// jobView is a job as the API shows it. One that waits has started when it was
// made, as at GitHub.
func (s *Server) jobView(c *call, r *Run, i int, j *JobState) map[string]any {
	id := r.ID*100 + int64(i)
	view := map[string]any{
		"id": id, "node_id": "J_1", "run_id": r.ID, "run_url": runAddress(c, r), "run_attempt": 1, "head_sha": sha, "head_branch": r.Ref,
		"workflow_name": r.Workflow.Name, "name": j.Name, "url": fmt.Sprintf("%s/%s/actions/jobs/%d", c.base, r.Scope, id),
		"html_url": fmt.Sprintf("%s/job/%d", runPage(r), id), "check_run_url": fmt.Sprintf("%s/%s/check-runs/%d", c.base, r.Scope, id),
		"status": "queued", "conclusion": nil, "created_at": at(j.Queued), "started_at": at(j.Queued), "completed_at": nil,
		"labels": append([]string{}, j.Labels...), "runner_id": nil, "runner_name": nil, "runner_group_id": nil, "runner_group_name": nil,
		"steps": []any{},
	}
	if j.Acquired.IsZero() {
		return view
	}
	view["status"], view["started_at"] = "in_progress", at(j.Acquired)
	view["runner_id"], view["runner_name"] = j.Runner, j.taker
	view["runner_group_id"], view["runner_group_name"] = 1, "Default"
	if j.Over() {
		view["status"], view["conclusion"], view["completed_at"] = "completed", concluded[j.Result], at(j.Ended)
	}
	view["steps"] = stepViews(j)
	return view
}

// stepViews are the steps of a job that some runner has.
func stepViews(j *JobState) []map[string]any {
	step := func(n int, name string, from, to time.Time, result string) map[string]any {
		view := map[string]any{"number": n, "name": name, "status": "queued", "conclusion": nil, "started_at": nil, "completed_at": nil}
		if !from.IsZero() {
			view["status"], view["started_at"] = "in_progress", at(from)
		}
		if !to.IsZero() {
			view["status"], view["conclusion"], view["completed_at"] = "completed", result, at(to)
		}
		return view
	}
	name := "Run script"
	if j.Step != "" {
		name = j.Step
	}
	return []map[string]any{
		step(1, "Set up job", j.Acquired, j.Started, "success"),
		step(2, name, j.Started, j.Ended, concluded[j.Result]),
		step(3, "Complete job", j.Ended, j.Ended, "success"),
	}
}

func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// The id of an artifact is its run's with its number behind.
func (r *Run) artifacts() map[int64]Artifact {
	all := map[int64]Artifact{}
	for i, a := range r.Workflow.Artifacts {
		a.Name = strings.ReplaceAll(a.Name, "{run}", strconv.FormatInt(r.ID, 10))
		all[r.ID*100+int64(i)] = a
	}
	return all
}

// listArtifacts shows what a run that is over has left.
func (s *Server) listArtifacts(c *call, r *Run) reply {
	views := []map[string]any{}
	if status, _ := s.state(r); status == "completed" {
		left := r.artifacts()
		for i := range r.Workflow.Artifacts {
			id := r.ID*100 + int64(i)
			views = append(views, artifactView(c, r, id, left[id]))
		}
	}
	shown, header := page(c, views)
	return reply{http.StatusOK, map[string]any{"total_count": len(views), "artifacts": shown}, header}
}

func artifactView(c *call, r *Run, id int64, a Artifact) map[string]any {
	address := fmt.Sprintf("%s/%s/actions/artifacts/%d", c.base, r.Scope, id)
	sum := sha256.Sum256(a.Zip)
	return map[string]any{
		"id": id, "node_id": "A_1", "name": a.Name, "size_in_bytes": len(a.Zip), "url": address, "archive_download_url": address + "/zip",
		"expired": a.Expired, "created_at": at(r.Created), "updated_at": at(r.Created), "expires_at": at(r.Created.Add(90 * 24 * time.Hour)),
		"digest": "sha256:" + hex.EncodeToString(sum[:]),
	}
}

// artifact answers with the address of an artifact elsewhere.
func (s *Server) artifact(c *call) reply {
	a, there := s.left(c.id("artifact_id"))
	switch {
	case !there || c.PathValue("archive_format") != "zip":
		return notFound
	case a.Expired:
		return refuse(http.StatusGone, "Artifact has expired")
	}
	to := origin(c.Request) + "/_blobs"
	if host, _, _ := strings.Cut(c.Host, ":"); host == HostAPI {
		to = "https://" + HostBlobs
	}
	header := http.Header{"Location": {fmt.Sprintf("%s/actions-results/%d?se=soon&sig=signed", to, c.id("artifact_id"))}}
	return reply{status: http.StatusFound, header: header}
}

func (s *Server) left(id int64) (Artifact, bool) {
	for _, r := range s.world.runs {
		if a, there := r.artifacts()[id]; there {
			return a, true
		}
	}
	return Artifact{}, false
}

// serveBlob gives out an artifact to whoever knows its address.
func (s *Server) serveBlob(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseInt(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], 10, 64)
	s.mu.Lock()
	a, there := s.left(id)
	s.mu.Unlock()
	if r.Header.Get("Authorization") != "" {
		s.violation("GET %s: a download carries credentials, which the host of the blobs must never see", r.URL.Path)
	}
	if !there || r.URL.Query().Get("sig") != "signed" {
		http.Error(w, "Server failed to authenticate the request", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Zip)))
	w.Write(a.Zip)
}
