package standin_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

const repoPath = "/repos/example/bench"

// bench is a workflow whose one job a runner with the label bench may have.
var bench = standin.Workflow{
	Name: "Bench", Path: ".github/workflows/bench.yml", Inputs: []string{"profile"},
	Jobs:      []standin.Job{{Name: "engine", Labels: []string{"self-hosted", "bench"}, Script: "echo $GITHUB_RUN_ID"}},
	Artifacts: []standin.Artifact{{Name: "records-{run}", Zip: []byte("PK")}, {Name: "old", Expired: true}},
}

func TestDispatchedWorkflowRuns(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	a := api{t, srv, "t"}
	srv.AddWorkflow(scope, bench)
	b := newBox(t, srv)
	b.register("box", "--labels", "bench")
	made := a.ask("POST", repoPath+"/actions/workflows/bench.yml/dispatches",
		map[string]any{"ref": "main", "inputs": map[string]string{"profile": "full"}, "return_run_details": true})
	run := srv.Runs()[0]
	at := fmt.Sprintf("%s/actions/runs/%d", repoPath, run.ID)
	if made.status != 200 || made.body["workflow_run_id"] != float64(run.ID) || run.Inputs["profile"] != "full" {
		t.Fatalf("%d %s, %+v", made.status, made.raw, run)
	}
	if got := a.ask("GET", at, nil); got.body["status"] != "queued" || got.body["conclusion"] != nil {
		t.Errorf("before a runner is there: %s", got.raw)
	}
	if got := a.ask("GET", at+"/artifacts", nil); got.body["total_count"] != 0.0 {
		t.Errorf("before its end it left %s", got.raw)
	}
	b.listen("box")
	j := b.reach(run.Jobs[0], standin.JobState.Over)
	if !strings.Contains(j.Log, fmt.Sprint(run.ID)) {
		t.Errorf("the job is not told its run: %s", j.Log)
	}
	if got := a.ask("GET", at, nil); got.body["status"] != "completed" || got.body["conclusion"] != "success" {
		t.Errorf("at its end: %s", got.raw)
	}
	jobs := a.ask("GET", at+"/jobs?filter=latest", nil)
	if got := jobs.names("jobs", "runner_name"); got[0] != "box" || jobs.names("jobs", "conclusion")[0] != "success" {
		t.Errorf("the jobs: %s", jobs.raw)
	}
	downloads(t, a, at)
}

// downloads fetches the artifact of a run as a client that follows redirects,
// and leaves its credentials at home.
func downloads(t *testing.T, a api, run string) {
	t.Helper()
	list := a.ask("GET", run+"/artifacts", nil)
	first, second := list.body["artifacts"].([]any)[0].(map[string]any), list.body["artifacts"].([]any)[1].(map[string]any)
	home := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(artifact map[string]any) *http.Response {
		req, _ := http.NewRequest("GET", artifact["archive_download_url"].(string), nil)
		req.Header.Set("Authorization", "Bearer t")
		resp, err := home.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	resp := ask(first)
	if resp.StatusCode != http.StatusFound {
		t.Fatalf("a download: %d", resp.StatusCode)
	}
	there, err := http.Get(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	defer there.Body.Close()
	if data, _ := io.ReadAll(there.Body); string(data) != "PK" || !strings.HasPrefix(first["name"].(string), "records-100") {
		t.Errorf("%v has %q", first, data)
	}
	if resp := ask(second); resp.StatusCode != http.StatusGone || second["expired"] != true {
		t.Errorf("an expired one: %d", resp.StatusCode)
	}
	if resp, err := http.Get(strings.TrimSuffix(resp.Header.Get("Location"), "signed")); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("without its signature: %v, %v", resp, err)
	}
}

func TestDispatchIsRefused(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	a := api{t, srv, "t"}
	srv.AddWorkflow(scope, bench)
	srv.AddWorkflow(scope, standin.Workflow{Name: "Off", Path: ".github/workflows/off.yml", State: "disabled_manually", Jobs: bench.Jobs})
	srv.AddWorkflow(scope, standin.Workflow{Name: "Push", Path: ".github/workflows/push.yml"})
	for _, c := range []struct {
		file, ref, input string
		status           int
		says             string
	}{
		{"none.yml", "main", "profile", 404, "Not Found"},
		{"bench.yml", "gone", "profile", 422, "No ref found for: gone"},
		{"bench.yml", "main", "colour", 422, "Unexpected inputs provided"},
		{"off.yml", "main", "profile", 422, "disabled workflow"},
		{"push.yml", "main", "profile", 422, "does not have 'workflow_dispatch' trigger"},
	} {
		got := a.ask("POST", repoPath+"/actions/workflows/"+c.file+"/dispatches", map[string]any{"ref": c.ref, "inputs": map[string]string{c.input: "x"}})
		if got.status != c.status || !strings.Contains(fmt.Sprint(got.body["message"]), c.says) {
			t.Errorf("%s at %s: %d %s", c.file, c.ref, got.status, got.raw)
		}
	}
	if runs := srv.Runs(); len(runs) != 0 {
		t.Errorf("refused, and run all the same: %+v", runs)
	}
}

func TestOlderServersDoNotTellTheRun(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	a := api{t, srv, "t"}
	srv.AddWorkflow(scope, bench)
	fire := func(details bool) int {
		body := map[string]any{"ref": "main"}
		if details {
			body["return_run_details"] = true
		}
		return a.ask("POST", repoPath+"/actions/workflows/bench.yml/dispatches", body).status
	}
	srv.AnswerDispatch(standin.SilentDispatch)
	if got := fire(true); got != http.StatusNoContent {
		t.Errorf("silent: %d", got)
	}
	srv.AnswerDispatch(standin.StrictDispatch)
	if got := fire(true); got != http.StatusUnprocessableEntity {
		t.Errorf("strict: %d", got)
	}
	if got := fire(false); got != http.StatusNoContent {
		t.Errorf("not asked: %d", got)
	}
	other := srv.DispatchAs("ana", scope, "bench.yml", "main")
	list := repoPath + "/actions/workflows/bench.yml/runs?event=workflow_dispatch"
	if got := a.ask("GET", list, nil).names("workflow_runs", "id"); len(got) != 3 || got[0] != fmt.Sprint(float64(other)) {
		t.Errorf("the newest is not first: %v, want %d", got, other)
	}
	if got := a.ask("GET", list+"&actor=ana", nil).names("workflow_runs", "id"); len(got) != 1 {
		t.Errorf("of one actor: %v", got)
	}
	if got := a.ask("GET", "/user", nil); got.body["login"] != "octocat" {
		t.Errorf("who: %s", got.raw)
	}
}
