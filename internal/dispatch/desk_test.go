package dispatch

import (
	"archive/zip"
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/openapi"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A desk is a GitHub with a workflow and a runner, and someone who dispatches.
type desk struct {
	t   *testing.T
	hub *standin.Server
	box int64

	mu   sync.Mutex
	said []string
}

const benchYAML = `
on:
  workflow_dispatch:
    inputs:
      profile: {type: choice, options: [quick, full]}
jobs:
  engine: {runs-on: [self-hosted, BENCH-7]}
  report: {runs-on: ubuntu-latest}
`

// newDesk has a runner called box, which is at work if that is wanted.
func newDesk(t *testing.T, works bool, edit ...func(*standin.Workflow)) *desk {
	t.Helper()
	hub, err := standin.Start(standin.Options{Check: openapi.GitHub()})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, hub: hub, box: hub.AddRunner(repo, "box", "bench-7")}
	t.Cleanup(func() {
		hub.Close()
		for _, v := range hub.Violations() {
			t.Error(v)
		}
		for _, line := range d.said {
			if strings.Contains(line, token) {
				t.Errorf("it says the token: %s", line)
			}
		}
	})
	hub.AcceptToken(token)
	if works {
		hub.Pretend(d.box)
	}
	w := standin.Workflow{
		Name: "Bench", Path: ".github/workflows/bench.yml", Inputs: []string{"profile"},
		Jobs:      []standin.Job{{Name: "engine", Labels: ours, Sleep: 20 * time.Millisecond}},
		Artifacts: []standin.Artifact{{Name: "records-{run}", Zip: zipped(t, "a.json", "{}", "deep/b.txt", "b")}, {Name: "old", Expired: true}},
	}
	for _, e := range edit {
		e(&w)
	}
	hub.WriteFile(repo, w.Path, benchYAML)
	hub.AddWorkflow(repo, w)
	return d
}

// options are a dispatch of bench.yml at main, from the runner's own host.
func (d *desk) options() Options {
	d.t.Helper()
	u := spec.URL{Text: "https://github.com/octo/bench", Scope: spec.Repository, Owner: "octo", Repo: "bench", API: d.hub.URL() + "/api/v3/"}
	c, err := github.New(github.Options{URL: u, Credentials: github.Credentials{Token: token, Source: "GITHUB_TOKEN"}, PublicAPI: u.API})
	if err != nil {
		d.t.Fatal(err)
	}
	const soon = 5 * time.Millisecond
	return Options{
		GitHub: c, Registry: c, Repo: "octo/bench", Page: u.Text, Runner: "box", Labels: ours, Host: &Host{Reader: &journal{hub: d.hub}, Unit: unit},
		Workflow: "bench.yml", Ref: "main", Again: "benchctl dispatch --run",
		Said: d.note, Now: func(string) {}, Pace: Pace{soon, soon, soon, 200 * time.Millisecond},
	}
}

func (d *desk) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, line)
}

// saidAll is all that was said so far.
func (d *desk) saidAll() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.said, "\n")
}

// fires counts how often the workflow was dispatched.
func (d *desk) fires() (n int) {
	for _, r := range d.hub.Requests() {
		if ok, _ := filepath.Match(post, r.Path); ok {
			n++
		}
	}
	return n
}

// A journal has a line of the Listener's for each job that the runner took,
// unless it is silent.
type journal struct {
	host.Reader
	hub    *standin.Server
	silent bool
	empty  bool
}

func (j *journal) Messages(_ context.Context, _ string, from, to time.Time, most int) (all []host.Message, err error) {
	if from.Unix() == 0 && !j.empty {
		return []host.Message{{At: time.Unix(1, 0), Text: "√ Connected to GitHub"}}, nil
	}
	for _, job := range j.hub.Jobs() {
		if at := job.Acquired; !at.IsZero() && !j.silent && at.After(from) && at.Before(to) {
			all = append(all, host.Message{At: at, Text: at.UTC().Format("2006-01-02 15:04:05Z") + ": Running job: " + job.Name})
		}
	}
	return all, nil
}

func zipped(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(files[i+1]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
