package standin

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// A Checker holds an exchange to a description of GitHub's API.
type Checker interface {
	// Check returns what is wrong with the exchange; known is false if the
	// description has no such operation.
	Check(Exchange) (known bool, problems []string)
}

// An Exchange is one request and its answer, as they were sent.
type Exchange struct {
	Method string
	Path   string // without /api/v3
	Query  string
	Sent   []byte
	Status int
	Answer []byte
}

// A Shape is an endpoint that GitHub's published description, as far as we
// keep it, lacks: where its shape is known from, and the keys that must be in
// a request and in a successful answer.
type Shape struct {
	Endpoint string // METHOD PATTERN
	Source   string
	Request  []string
	Answer   []string
}

// The sources of shapes.
const (
	docsRunners  = "docs.github.com, enterprise cloud, REST: self-hosted runners"
	docsGroups   = "docs.github.com, enterprise cloud, REST: self-hosted runner groups"
	docsApps     = "docs.github.com, REST: apps, create an installation access token"
	docsFlows    = "docs.github.com, REST: workflows, list repository workflows"
	docsFetch    = "docs.github.com, REST: artifacts, download an artifact; it redirects to an address that is good for a minute"
	docsUser     = "docs.github.com, REST: users, get the authenticated user"
	docsIssues   = "docs.github.com, REST: issues; comments; 410 where issues are disabled, or the issue was deleted"
	changelog    = "github.blog changelog of 2026-09-03: deprecation of runner versions"
	runnerConfig = "actions/runner, Runner.Listener/Configuration/ConfigurationManager.cs and Runner.Common/RunnerDotcomServer.cs"
	runnerBroker = "actions/runner, Sdk/WebApi/WebApi/BrokerHttpClient.cs"
	runnerRun    = "actions/runner, Sdk/RSWebApi/RunServiceHttpClient.cs"
	runnerOAuth  = "actions/runner, Sdk/WebApi/WebApi/OAuth"
	ours         = "ours: when a worker is really there no runner says"
)

// Beyond is everything the server answers that the description lacks.
var Beyond = []Shape{
	{"GET /enterprises/{enterprise}/actions/runners", docsRunners, nil, []string{"total_count", "runners"}},
	{"GET /enterprises/{enterprise}/actions/runners/downloads", docsRunners, nil, nil},
	{"POST /enterprises/{enterprise}/actions/runners/registration-token", docsRunners, nil, []string{"token", "expires_at"}},
	{"POST /enterprises/{enterprise}/actions/runners/remove-token", docsRunners, nil, []string{"token", "expires_at"}},
	{"POST /enterprises/{enterprise}/actions/runners/generate-jitconfig", docsRunners, []string{"name", "runner_group_id", "labels"}, []string{"runner", "encoded_jit_config"}},
	{"GET /enterprises/{enterprise}/actions/runners/{runner_id}", docsRunners, nil, []string{"id", "name", "os", "status", "busy", "labels"}},
	{"DELETE /enterprises/{enterprise}/actions/runners/{runner_id}", docsRunners, nil, nil},
	{"GET /enterprises/{enterprise}/actions/runners/{runner_id}/labels", docsRunners, nil, []string{"total_count", "labels"}},
	{"POST /enterprises/{enterprise}/actions/runners/{runner_id}/labels", docsRunners, []string{"labels"}, []string{"total_count", "labels"}},
	{"PUT /enterprises/{enterprise}/actions/runners/{runner_id}/labels", docsRunners, []string{"labels"}, []string{"total_count", "labels"}},
	{"DELETE /enterprises/{enterprise}/actions/runners/{runner_id}/labels", docsRunners, nil, []string{"total_count", "labels"}},
	{"DELETE /enterprises/{enterprise}/actions/runners/{runner_id}/labels/{name}", docsRunners, nil, []string{"total_count", "labels"}},
	{"GET /enterprises/{enterprise}/actions/runner-groups", docsGroups, nil, []string{"total_count", "runner_groups"}},
	{"GET /enterprises/{enterprise}/actions/runner-groups/{runner_group_id}", docsGroups, nil, []string{"id", "name", "default"}},
	{"GET /enterprises/{enterprise}/actions/runner-groups/{runner_group_id}/runners", docsGroups, nil, []string{"total_count", "runners"}},
	{"PUT /enterprises/{enterprise}/actions/runner-groups/{runner_group_id}/runners/{runner_id}", docsGroups, nil, nil},
	{"DELETE /enterprises/{enterprise}/actions/runner-groups/{runner_group_id}/runners/{runner_id}", docsGroups, nil, nil},
	{"GET /repos/{owner}/{repo}/actions/runners/deprecations/{version}", changelog, nil, []string{"runner_version", "runtime_deprecates_at", "registration_deprecates_at"}},
	{"GET /orgs/{org}/actions/runners/deprecations/{version}", changelog, nil, []string{"runner_version", "runtime_deprecates_at", "registration_deprecates_at"}},
	{"GET /enterprises/{enterprise}/actions/runners/deprecations/{version}", changelog, nil, []string{"runner_version", "runtime_deprecates_at", "registration_deprecates_at"}},
	{"GET /repos/{owner}/{repo}/actions/workflows", docsFlows, nil, []string{"total_count", "workflows"}},
	{"GET /repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}", docsFetch, nil, nil},
	{"GET /user", docsUser, nil, []string{"login", "id"}},
	{"GET /repos/{owner}/{repo}/issues", docsIssues, nil, nil},
	{"POST /repos/{owner}/{repo}/issues", docsIssues, []string{"title"}, []string{"number", "title", "body", "state"}},
	{"GET /repos/{owner}/{repo}/issues/{issue_number}", docsIssues, nil, []string{"number", "title", "body", "state"}},
	{"PATCH /repos/{owner}/{repo}/issues/{issue_number}", docsIssues, nil, []string{"number", "title", "body", "state"}},
	{"POST /repos/{owner}/{repo}/issues/{issue_number}/comments", docsIssues, []string{"body"}, []string{"id", "body"}},
	{"POST /app/installations/{installation_id}/access_tokens", docsApps, nil, []string{"token", "expires_at"}},
	{"GET /repos/{owner}/{repo}/actions/runner-groups", runnerConfig, nil, []string{"total_count", "runner_groups"}},
	{"POST /actions/runner-registration", runnerConfig, []string{"url", "runner_event"}, []string{"url", "token", "token_schema", "use_v2_flow"}},
	{"POST /actions/runners/register", runnerConfig, []string{"url", "group_id", "name", "version", "updates_disabled", "ephemeral", "labels", "public_key"}, []string{"id", "name", "authorization"}},
	{"POST /_services/oauth2/token", runnerOAuth, nil, []string{"access_token", "token_type", "expires_in"}},
	{"POST /_services/session", runnerBroker, []string{"agent"}, []string{"sessionId"}},
	{"DELETE /_services/session", runnerBroker, nil, nil},
	{"GET /_services/message", runnerBroker, nil, nil},
	{"POST /_services/acknowledge", runnerBroker, nil, nil},
	{"POST /_services/run/acquirejob", runnerRun, nil, nil},
	{"POST /_services/run/renewjob", runnerRun, nil, nil},
	{"POST /_services/run/completejob", runnerRun, nil, nil},
	{"POST /_services/run/workerstarted", ours, nil, nil},
}

var beyond = func() map[string]Shape {
	shapes := map[string]Shape{}
	for _, shape := range Beyond {
		shapes[shape.Endpoint] = shape
	}
	return shapes
}()

// check notes every way in which an exchange is not as described.
func (s *Server) check(endpoint string, e Exchange) {
	if shape, ok := beyond[endpoint]; ok {
		for _, problem := range shape.problems(e) {
			s.violation("%s %s: %s (%s)", e.Method, e.Path, problem, shape.Source)
		}
		return
	}
	if s.options.Check == nil || endpoint == "" {
		return
	}
	known, problems := s.options.Check.Check(e)
	if !known {
		problems = []string{"GitHub's description has no such operation, and neither has the table beyond it"}
	}
	for _, problem := range problems {
		s.violation("%s %s: %s", e.Method, e.Path, problem)
	}
}

func (shape Shape) problems(e Exchange) []string {
	problems := lacking("request", e.Sent, shape.Request)
	if e.Status < http.StatusMultipleChoices {
		problems = append(problems, lacking("answer", e.Answer, shape.Answer)...)
	}
	return problems
}

func lacking(what string, data []byte, keys []string) []string {
	if len(keys) == 0 {
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return []string{fmt.Sprintf("the %s is no JSON object", what)}
	}
	var problems []string
	for _, key := range keys {
		if _, ok := object[key]; !ok {
			problems = append(problems, fmt.Sprintf("the %s has no %q", what, key))
		}
	}
	return problems
}
