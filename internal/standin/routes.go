package standin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// apiHandler answers one call with the server's lock held.
type apiHandler func(*call) reply

// A route is one operation: answered by handle, or by raw without the lock,
// which is for what takes its time.
type route struct {
	endpoint string // METHOD PATTERN
	public   bool   // needs no credentials that may administer the scope
	handle   apiHandler
	raw      http.HandlerFunc
}

// answer has the route's handler answer, if the caller may ask.
func (s *Server) answer(at route, r *http.Request, body []byte) reply {
	c := &call{Request: r, base: apiBase(r), body: body}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !at.public {
		if no, admitted := s.admit(c); !admitted {
			return no
		}
	}
	return at.handle(c)
}

// match finds the route of a request and sets its path values: of two that
// fit, the one with the earlier literal part.
func match(routes []route, r *http.Request) (route, bool) {
	asked := strings.Split(r.Method+r.URL.EscapedPath(), "/")
	var best route
	var values map[string]string
	for _, candidate := range routes {
		if found, ok := fit(strings.Split(strings.Replace(candidate.endpoint, " ", "", 1), "/"), asked); ok {
			if values == nil || moreLiteral(candidate.endpoint, best.endpoint) {
				best, values = candidate, found
			}
		}
	}
	for name, value := range values {
		r.SetPathValue(name, value)
	}
	return best, values != nil
}

// fit takes the values of a pattern's parts from a path. A last part such as
// {path...} takes all that is left.
func fit(pattern, asked []string) (map[string]string, bool) {
	if last := len(pattern) - 1; strings.HasSuffix(pattern[last], "...}") && len(asked) > last {
		asked = append(slices.Clone(asked[:last]), strings.Join(asked[last:], "/"))
	}
	if len(pattern) != len(asked) {
		return nil, false
	}
	values := map[string]string{}
	for i, part := range pattern {
		if name, ok := strings.CutPrefix(part, "{"); ok && asked[i] != "" {
			value, err := url.PathUnescape(asked[i])
			if err != nil {
				return nil, false
			}
			values[strings.TrimSuffix(strings.TrimSuffix(name, "}"), "...")] = value
		} else if part != asked[i] {
			return nil, false
		}
	}
	return values, true
}

func moreLiteral(a, b string) bool {
	theirs := strings.Split(b, "/")
	for i, part := range strings.Split(a, "/") {
		if mine, other := !strings.HasPrefix(part, "{"), !strings.HasPrefix(theirs[i], "{"); mine != other {
			return mine
		}
	}
	return false
}

// apiBase is the API's address as the caller of r reaches it.
func apiBase(r *http.Request) string {
	base := origin(r)
	if host, _, _ := strings.Cut(r.Host, ":"); host != HostAPI {
		base += "/api/v3"
	}
	return base
}

// routing lists everything that is answered as JSON.
func (s *Server) routing() []route {
	routes := []route{
		{endpoint: "GET /rate_limit", public: true, handle: s.rateLimit},
		{endpoint: "GET /repos/{owner}/{repo}/releases/latest", public: true, handle: s.latestRelease},
		{endpoint: "GET /repos/{owner}/{repo}/releases/tags/{tag}", public: true, handle: s.releaseByTag},
		{endpoint: "GET /repos/{owner}/{repo}", public: true, handle: s.visible(s.repository)},
		{endpoint: "GET /repos/{owner}/{repo}/contents/{path...}", public: true, handle: s.visible(s.contents)},
		{endpoint: "GET /user", handle: s.user},
		{endpoint: "GET /repos/{owner}/{repo}/actions/workflows", handle: s.listWorkflows},
		{endpoint: "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches", handle: s.withWorkflow(s.dispatch)},
		{endpoint: "GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs", handle: s.withWorkflow(s.listRuns)},
		{endpoint: "GET /repos/{owner}/{repo}/actions/runs/{run_id}", handle: s.withRun(func(c *call, r *Run) reply { return ok(s.runView(c, r)) })},
		{endpoint: "GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs", handle: s.withRun(s.listRunJobs)},
		{endpoint: "GET /repos/{owner}/{repo}/actions/runs/{run_id}/artifacts", handle: s.withRun(s.listArtifacts)},
		{endpoint: "GET /repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}", handle: s.artifact},
		{endpoint: "GET /repos/{owner}/{repo}/issues", handle: s.withIssues(s.listIssues)},
		{endpoint: "POST /repos/{owner}/{repo}/issues", handle: s.withIssues(s.createIssue)},
		{endpoint: "GET /repos/{owner}/{repo}/issues/{issue_number}", handle: s.withIssue(func(c *call, i *Issue) reply { return ok(issueView(c, i)) })},
		{endpoint: "PATCH /repos/{owner}/{repo}/issues/{issue_number}", handle: s.withIssue(s.editIssue)},
		{endpoint: "POST /repos/{owner}/{repo}/issues/{issue_number}/comments", handle: s.withIssue(s.commentIssue)},
		{endpoint: "POST /app/installations/{installation_id}/access_tokens", public: true, handle: s.installationToken},
		{endpoint: "POST /actions/runner-registration", public: true, handle: s.grant},
		{endpoint: "POST /actions/runners/register", public: true, handle: s.register},
		{endpoint: "POST /_services/oauth2/token", public: true, handle: s.accessToken},
		{endpoint: "POST /_services/session", public: true, handle: s.openSession},
		{endpoint: "DELETE /_services/session", public: true, handle: s.closeSession},
		{endpoint: "GET /_services/message", raw: s.message},
		{endpoint: "POST /_services/acknowledge", raw: s.acknowledge},
		{endpoint: "POST /_services/run/acquirejob", raw: s.acquire},
		{endpoint: "POST /_services/run/renewjob", raw: s.renew},
		{endpoint: "POST /_services/run/completejob", raw: s.complete},
		{endpoint: "POST /_services/run/workerstarted", raw: s.workerStarted},
	}
	for _, scope := range []string{"/repos/{owner}/{repo}", "/orgs/{org}", "/enterprises/{enterprise}"} {
		routes = append(routes, s.scoped(scope)...)
	}
	return routes
}

// scoped lists what every scope has. A repository has no groups but the
// default one, which the runner asks for all the same.
func (s *Server) scoped(scope string) []route {
	var routes []route
	add := func(method, path string, h apiHandler) {
		routes = append(routes, route{endpoint: method + " " + scope + "/actions/" + path, handle: h})
	}
	add("GET", "runners", s.listRunners)
	add("GET", "runners/downloads", s.listDownloads)
	add("GET", "runners/deprecations/{version}", s.deprecation)
	add("POST", "runners/registration-token", s.newToken("register"))
	add("POST", "runners/remove-token", s.newToken("remove"))
	add("POST", "runners/generate-jitconfig", s.justInTime)
	add("GET", "runners/{runner_id}", s.withRunner(func(c *call, r *Runner) reply { return ok(s.view(r)) }))
	add("DELETE", "runners/{runner_id}", s.withRunner(s.removeRunner))
	add("GET", "runners/{runner_id}/labels", s.withRunner(func(c *call, r *Runner) reply { return labelList(r) }))
	add("POST", "runners/{runner_id}/labels", s.withRunner(s.postLabels))
	add("PUT", "runners/{runner_id}/labels", s.withRunner(s.putLabels))
	add("DELETE", "runners/{runner_id}/labels", s.withRunner(s.clearLabels))
	add("DELETE", "runners/{runner_id}/labels/{name}", s.withRunner(s.deleteLabel))
	add("GET", "runner-groups", s.listGroups)
	if strings.HasPrefix(scope, "/repos/") {
		return routes
	}
	add("GET", "runner-groups/{runner_group_id}", s.withGroup(func(c *call, g Group) reply { return ok(groupView(c, g)) }))
	add("GET", "runner-groups/{runner_group_id}/runners", s.withGroup(s.groupRunners))
	add("PUT", "runner-groups/{runner_group_id}/runners/{runner_id}", s.withGroup(s.joinGroup))
	add("DELETE", "runner-groups/{runner_group_id}/runners/{runner_id}", s.withGroup(s.leaveGroup))
	return routes
}
