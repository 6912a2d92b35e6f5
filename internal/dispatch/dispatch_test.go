package dispatch

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const (
	token = "canary-of-a-token"
	unit  = "actions.runner.octo-bench.box.service"
	post  = "/repos/octo/bench/actions/workflows/*/dispatches"
)

var (
	repo = standin.Repo("octo/bench")
	ours = []string{"self-hosted", "bench-7"}
)

func TestARunOnThisHost(t *testing.T) {
	t.Parallel()
	d := newDesk(t, true)
	o := d.options()
	o.Download, o.Inputs = filepath.Join(t.TempDir(), "out"), map[string]string{"profile": "full"}
	r, err := Run(t.Context(), o)
	if err != nil || !r.OK || !r.Fired || len(r.Jobs) != 1 || len(r.Artifacts) != 2 {
		t.Fatalf("%+v, %v\n%s", r, err, d.saidAll())
	}
	j, run := r.Jobs[0], d.hub.Runs()[0]
	if !j.Here || j.Runner != "box" || j.Said.IsZero() || j.Conclusion != success || len(j.Steps) != 3 || r.Run.ID != run.ID || run.Inputs["profile"] != "full" {
		t.Errorf("the job: %+v, of %+v", j, run)
	}
	a := r.Artifacts[0]
	if text, err := os.ReadFile(filepath.Join(o.Download, fmt.Sprint("records-", run.ID), "deep/b.txt")); string(text) != "b" || a.Files != 2 || a.Dir == "" {
		t.Errorf("the artifact: %q, %v, %+v", text, err, a)
	}
	if left, _ := filepath.Glob(o.Download + "/.*"); r.Artifacts[1].Dir != "" || !r.Artifacts[1].Expired || len(left) > 0 {
		t.Errorf("the expired one: %+v; left over: %q", r.Artifacts[1], left)
	}
	for _, line := range []string{
		"job engine asks for self-hosted, BENCH-7: box has them all", "job report asks for ubuntu-latest: not for this runner",
		"bench.yml at main is run " + fmt.Sprint(run.ID), "engine: picked up by box", "engine: this host's journal has it: Running job: engine, at",
		"engine: step Run script: success", "engine: success", "fetching records-",
	} {
		if !strings.Contains(d.saidAll(), line) {
			t.Errorf("nothing says %q in\n%s", line, d.saidAll())
		}
	}
	if d.fires() != 1 {
		t.Errorf("it was fired %d times", d.fires())
	}

	// Whoever follows the run has the same answer, and overwrites nothing.
	o.Workflow, o.Ref, o.Run = "", "", run.ID
	r, err = Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "is there already; move it away") || r.OK || r.Fired || r.Workflow != ".github/workflows/bench.yml" || !r.Jobs[0].Here {
		t.Errorf("a second time: %+v, %v", r, err)
	}
	o.Download = ""
	if r, err = Run(t.Context(), o); err != nil || !r.OK || d.fires() != 1 {
		t.Errorf("a third time: %+v, %v; fired %d times", r, err, d.fires())
	}
}

// What keeps the answer from being yes.
func TestRunsThatAreNotWanted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		works bool
		edit  func(*standin.Workflow)
		set   func(*desk, *Options)
		says  string
	}{
		"it fails":       {true, func(w *standin.Workflow) { w.Jobs[0].Script, w.Jobs[0].Step = "false", "Measure" }, nil, "ended with failure (job engine: failure at step Measure); see https://github.com/octo/bench/actions/runs/"},
		"another runner": {false, nil, func(d *desk, _ *Options) { d.hub.Pretend(d.hub.AddRunner(repo, "other", "bench-7")) }, "it did not run on box: job engine ran on other, which has the same labels"},
		"elsewhere":      {false, func(w *standin.Workflow) { w.Jobs[0].Labels = []string{"ubuntu-latest"} }, func(d *desk, _ *Options) { d.hub.Pretend(d.hub.AddRunner(repo, "hosted", "ubuntu-latest")) }, "succeeded, but none of its jobs ran on box: engine on hosted"},
		"an impostor":    {true, nil, func(d *desk, o *Options) { o.Host.Reader = &journal{hub: d.hub, silent: true} }, "GitHub says that box ran job engine, and the journal of this host knows of none"},
		"a token that ends": {true, nil, func(d *desk, _ *Options) {
			d.hub.Fail(standin.Fault{Path: "/repos/octo/bench/actions/runs/*", Mode: standin.Unauthorized})
		}, "wrong, revoked or expired; make new ones; run "},
		"a journal cut off": {true, nil, func(d *desk, o *Options) { o.Host.Reader = &journal{hub: d.hub, silent: true, empty: true} }, ""},
		"another machine":   {true, nil, func(_ *desk, o *Options) { o.Host = nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edit := c.edit
			if edit == nil {
				edit = func(*standin.Workflow) {}
			}
			d := newDesk(t, c.works, edit)
			o := d.options()
			if c.set != nil {
				c.set(d, &o)
			}
			r, err := Run(t.Context(), o)
			if c.says == "" {
				if err != nil || !r.OK || !r.Jobs[0].Said.IsZero() {
					t.Errorf("%+v, %v", r, err)
				}
				return
			}
			if err == nil || r == nil || r.OK || r.Error != err.Error() || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v, %v, wanted %q", r, err, c.says)
			}
		})
	}
}

// What is wrong is said before anything is started.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	file := func(text string) func(*desk, *Options) {
		return func(d *desk, _ *Options) { d.hub.WriteFile(repo, ".github/workflows/bench.yml", text) }
	}
	for name, c := range map[string]struct {
		set  func(*desk, *Options)
		says string
	}{
		"no such workflow": {func(_ *desk, o *Options) { o.Workflow = "bunch.yml" }, "cannot find the workflow bunch.yml: octo/bench has bench.yml (Bench); one that is new must be on the default branch first"},
		"two of a name": {func(d *desk, o *Options) {
			o.Workflow = "bench"
			d.hub.AddWorkflow(repo, standin.Workflow{Name: "bench", Path: ".github/workflows/b.yml"})
		}, "bench.yml (Bench), b.yml (bench) are called bench; name its file"},
		"disabled": {func(d *desk, o *Options) {
			o.Workflow = "off.yml"
			d.hub.AddWorkflow(repo, standin.Workflow{Name: "Off", Path: ".github/workflows/off.yml", State: "disabled_manually"})
		}, "it is disabled at GitHub (disabled_manually); enable it at https://github.com/octo/bench/actions/workflows/off.yml"},
		"no trigger":       {file("on: [push, schedule]\njobs: {engine: {runs-on: bench-7}}\n"), "only push, schedule start it; add workflow_dispatch"},
		"no workflow":      {file("jobs: [1, 2"), "cannot dispatch bench.yml at main: it is not a workflow; correct the file"},
		"unknown input":    {func(_ *desk, o *Options) { o.Inputs = map[string]string{"colour": "red"} }, "there is no input colour; it takes --input profile"},
		"a bad choice":     {func(_ *desk, o *Options) { o.Inputs = map[string]string{"profile": "slow"} }, "the input profile is one of quick, full, not \"slow\""},
		"a required input": {file("on: {workflow_dispatch: {inputs: {who: {required: true}}}}\njobs: {e: {runs-on: bench-7}}\n"), "the input who is required and not given; it takes --input who (required)"},
		"no such ref":      {func(_ *desk, o *Options) { o.Ref = "gone" }, "cannot dispatch bench.yml at gone: octo/bench has no branch or tag of that name, or the file is not on it; check --ref"},
		"a label lacks":    {file("on: workflow_dispatch\njobs: {gpu: {runs-on: [self-hosted, gpu]}}\n"), "none of its jobs can come to box: job gpu asks for self-hosted, gpu, and box lacks gpu"},
		"no such runner":   {func(_ *desk, o *Options) { o.Runner = "nobody" }, "GitHub has no runner of that name; run benchctl apply on its host"},
		"a guessed runner": {func(_ *desk, o *Options) { o.Runner, o.Unsure = "nobody", true }, "name another one with --runner"},
		"no such run":      {func(_ *desk, o *Options) { o.Workflow, o.Run = "", 7 }, "cannot look at run 7 of octo/bench: GitHub answers 404"},
		"a directory":      {func(_ *desk, o *Options) { o.Download = "/proc/self/exe/out" }, "cannot put artifacts into /proc/self/exe/out: not a directory"},
		"a closed repository": {func(d *desk, _ *Options) {
			d.hub.Fail(standin.Fault{Path: "/repos/octo/bench/contents/.github/workflows/bench.yml", Mode: standin.Forbidden})
		}, "the repository permission `Contents: read`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, false)
			o := d.options()
			c.set(d, &o)
			r, err := Run(t.Context(), o)
			if r != nil || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v, %v, wanted %q", r, err, c.says)
			}
			if d.fires() != 0 {
				t.Error("it was fired")
			}
		})
	}
}

// A workflow is found by each of its names; what cannot be told is said.
func TestStarted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set   func(*desk, *Options)
		fires int
		says  string
	}{
		"by path": {func(_ *desk, o *Options) { o.Workflow = ".github/workflows/bench.yml" }, 1, ""},
		"by name": {func(_ *desk, o *Options) { o.Workflow = "BENCH" }, 1, ""},
		"by id":   {func(d *desk, o *Options) { o.Workflow = strconv.FormatInt(d.id(), 10) }, 1, ""},
		"at a tag": {func(d *desk, o *Options) {
			o.Ref = "refs/tags/v1"
			d.at("v1")
			d.hub.AnswerDispatch(standin.SilentDispatch)
		}, 1, ""},
		"default branch": {func(_ *desk, o *Options) { o.Ref = "" }, 1, "bench.yml at main is run"},
		"an expression": {func(d *desk, _ *Options) {
			d.hub.WriteFile(repo, ".github/workflows/bench.yml", "on: workflow_dispatch\njobs: {m: {runs-on: '${{ inputs.where }}'}}\n")
		}, 1, "job m: where it runs cannot be told, it depends on an expression: ${{ inputs.where }}"},
		"a group": {func(d *desk, _ *Options) {
			d.hub.WriteFile(repo, ".github/workflows/bench.yml", "on: workflow_dispatch\njobs: {m: {runs-on: {group: fast}}, c: {uses: ./x.yml}}\n")
		}, 1, "job m asks for a runner of the group fast: whether box is in it cannot be told"},
		"labels unseen": {func(d *desk, _ *Options) {
			d.hub.Fail(standin.Fault{Path: "/repos/octo/bench/actions/runners", Mode: standin.Forbidden})
		}, 1, "the labels of box are taken from the spec: cannot list the runners of octo/bench"},
		"an older server":   {func(d *desk, _ *Options) { d.hub.AnswerDispatch(standin.SilentDispatch) }, 1, ""},
		"a stricter one":    {func(d *desk, _ *Options) { d.hub.AnswerDispatch(standin.StrictDispatch) }, 2, ""},
		"an answer cut off": {func(d *desk, _ *Options) { d.hub.Fail(standin.Fault{Path: post, Mode: standin.CutOff}) }, 1, "it is not known whether GitHub started it, and it is not asked twice"},
		"a limit meanwhile": {func(d *desk, _ *Options) {
			d.hub.Fail(standin.Fault{Path: "/repos/octo/bench/actions/runs/*", Mode: standin.PrimaryLimit, Times: 1, Delay: time.Second})
		}, 1, "the rate limit of 5000 requests an hour is used up; run again after"},
		"GitHub away for it": {func(d *desk, _ *Options) {
			d.hub.Fail(standin.Fault{Path: "/repos/octo/bench/actions/runs/*", Mode: standin.Unavailable, Times: 4})
		}, 1, "GitHub answers again, after"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, true)
			before := d.hub.DispatchAs("octocat", repo, "bench.yml", "main")
			o := d.options()
			c.set(d, &o)
			go func() { // somebody else's, at the same time
				for d.fires() == 0 && t.Context().Err() == nil {
					time.Sleep(time.Millisecond)
				}
				d.hub.DispatchAs("ana", repo, "bench.yml", "main")
			}()
			r, err := Run(t.Context(), o)
			if err != nil || !r.OK || r.Run.ID == before || d.fires() != c.fires || !strings.Contains(d.saidAll(), c.says) {
				t.Fatalf("%+v, %v, fired %d times\n%s", r, err, d.fires(), d.saidAll())
			}
			for _, run := range d.hub.Runs() {
				if run.ID == r.Run.ID && run.Actor != "octocat" {
					t.Errorf("it follows the run of %s", run.Actor)
				}
			}
		})
	}
}

// rivalled is a GitHub where somebody else dispatches at the same time.
type rivalled struct {
	GitHub
	rival func()
}

func (r rivalled) Dispatch(ctx context.Context, workflow int64, ref string, inputs map[string]string) (int64, error) {
	defer r.rival()
	return r.GitHub.Dispatch(ctx, workflow, ref, inputs)
}

// Where GitHub does not say whose token it is, the run of somebody else is not
// taken for the one that may not even have been started.
func TestTheRunOfSomebodyElse(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*desk){
		"an answer that never came": func(d *desk) { d.hub.Fail(standin.Fault{Path: post, Mode: standin.Unavailable}) },
		"two at the same time":      func(d *desk) { d.hub.AnswerDispatch(standin.SilentDispatch) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, true)
			d.hub.Fail(standin.Fault{Path: "/user", Mode: standin.Forbidden})
			fault(d)
			o := d.options()
			o.GitHub = rivalled{o.GitHub, func() { d.hub.DispatchAs("ana", repo, "bench.yml", "main") }}
			r, err := Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), "cannot tell which run of bench.yml was started here: GitHub shows run ") || !strings.Contains(err.Error(), " of ana") {
				t.Errorf("%+v, %v\n%s", r, err, d.saidAll())
			}
		})
	}
}

// id is that of the workflow.
func (d *desk) id() int64 {
	o := d.options()
	all, err := o.GitHub.ListWorkflows(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return all[0].ID
}

// at makes a tag known.
func (d *desk) at(tag string) {
	d.hub.SetRepository(repo, standin.Repository{Refs: []string{tag, "refs/tags/" + tag}, Files: map[string]string{".github/workflows/bench.yml": benchYAML}})
}

// It is never fired twice, and a run that is not there is not invented.
func TestRefusedByGitHub(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode standin.Mode
		says string
	}{
		"no permission":     {standin.Forbidden, "cannot dispatch a workflow of octo/bench: the credentials from GITHUB_TOKEN may not do this (403: Resource not accessible by personal access token); they need the repository permission `Actions: write`"},
		"not to be seen":    {standin.Missing, "the credentials have the repository permission `Actions: write`"},
		"wrong credentials": {standin.Unauthorized, "GitHub does not accept the credentials from GITHUB_TOKEN"},
		"refused":           {standin.Unprocessable, "GitHub refuses it (422"},
		"a limit":           {standin.PrimaryLimit, "the rate limit of 5000 requests an hour is used up; run again after"},
		"in trouble":        {standin.Unavailable, "cannot find the run of bench.yml that was to be started: GitHub shows none yet; look at https://github.com/octo/bench/actions/workflows/bench.yml before you start another, and follow it with benchctl dispatch --run ID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, true)
			d.hub.Fail(standin.Fault{Method: "POST", Path: post, Mode: c.mode, Delay: time.Hour})
			r, err := Run(t.Context(), d.options())
			if r != nil || err == nil || !strings.Contains(err.Error(), c.says) || d.fires() != 1 || len(d.hub.Runs()) != 0 {
				t.Errorf("%+v, %v, fired %d times, wanted %q", r, err, d.fires(), c.says)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	o := d.options()
	o.Download = t.TempDir()
	o.Now = func(line string) { // the second look at a run of which there is nothing new
		if strings.HasPrefix(line, "engine: queued for") {
			cancel()
		}
	}
	r, err := Run(ctx, o)
	run := d.hub.Runs()[0]
	want := fmt.Sprintf("interrupted; run %d goes on: https://github.com/octo/bench/actions/runs/%d; take it up again with benchctl dispatch --run %d --download %s", run.ID, run.ID, run.ID, o.Download)
	if err == nil || err.Error() != want || r.OK || r.Run.Status != "queued" {
		t.Errorf("%+v, %v", r, err)
	}
	if !slices.ContainsFunc(d.hub.Requests(), func(r standin.Request) bool { return r.Status == http.StatusNotModified }) {
		t.Error("GitHub sent the same answer again")
	}
	if !strings.Contains(d.saidAll(), "box is offline at GitHub: its jobs wait until it is back") {
		t.Errorf("nothing says that it is offline:\n%s", d.saidAll())
	}
}

// An organisation's runner takes jobs of its repositories, and an App has no name
// by which its runs could be told from others.
func TestAnOrganisationAndItsApp(t *testing.T) {
	t.Parallel()
	d := newDesk(t, false)
	d.hub.Pretend(d.hub.AddRunner(standin.Org("octo"), "orgbox", "bench-7"))
	d.hub.AnswerDispatch(standin.SilentDispatch)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	d.hub.AddApp(7, &key.PublicKey)
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	app := github.Credentials{App: &github.App{ID: 7, Installation: 9, Key: actions.Secret(text)}, Source: "github.app"}
	o := d.options()
	o.Runner = "orgbox"
	as := func(scope spec.Scope) *github.Client {
		api := d.hub.URL() + "/api/v3/"
		c, err := github.New(github.Options{URL: spec.URL{Scope: scope, Owner: "octo", Repo: "bench", API: api}, Credentials: app, PublicAPI: api})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	o.Registry, o.GitHub = as(spec.Organization), as(spec.Repository)
	r, err := Run(t.Context(), o)
	if err != nil || !r.OK || r.Jobs[0].Runner != "orgbox" || d.fires() != 1 {
		t.Errorf("%+v, %v\n%s", r, err, d.saidAll())
	}
}

// The journal has the job by its name, else by its time.
func TestSighting(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	line := func(after time.Duration, text string) host.Message {
		at := began.Add(after)
		return host.Message{At: at, Text: at.Format("2006-01-02 15:04:05Z") + ": " + text}
	}
	for name, c := range map[string]struct {
		said []host.Message
		what string
		at   time.Duration
	}{
		"by name":             {[]host.Message{line(time.Second, "Running job: other"), line(90*time.Second, "Running job: a \x1b[31mjob")}, sighted, 90 * time.Second},
		"the nearest":         {[]host.Message{line(-100*time.Second, "Running job: a \x1b[31mjob"), line(time.Second, "Running job: a \x1b[31mjob"), line(60*time.Second, "Running job: a \x1b[31mjob")}, sighted, time.Second},
		"by time":             {[]host.Message{line(-60*time.Second, "Running job: x"), line(time.Second, "Running job: y")}, sighted, time.Second},
		"not at its place":    {[]host.Message{line(-time.Hour, "Listening for Jobs"), line(time.Second, "Job Running job: a \x1b[31mjob completed with result: Failed")}, missing, 0},
		"not at all":          {[]host.Message{line(-time.Hour, "Running job: a \x1b[31mjob")}, missing, 0},
		"nothing so far back": {nil, unread, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := hosttest.New(t, "")
			m.Said = map[string][]host.Message{unit: c.said}
			h := &Host{Reader: m, Unit: unit}
			got := h.sighting(t.Context(), actions.RunJob{Name: "a \x1b[31mjob", Started: began, Completed: began.Add(time.Minute)})
			if got.what != c.what || c.what == sighted && !got.at.Equal(began.Add(c.at)) {
				t.Errorf("%+v, wanted %s at %v", got, c.what, c.at)
			}
		})
	}
}

func TestNamesOfDirectories(t *testing.T) {
	t.Parallel()
	taken := map[string]bool{}
	var got []string
	for i, name := range []string{"records", "records", "../x", ".git", "", "-rf", "a\x1b\\b", strings.Repeat("ö", 300)} {
		got = append(got, dirName(actions.Artifact{ID: int64(i), Name: name}, taken))
	}
	want := []string{"records", "records-1", "_.._x", "_.git", "_", "_-rf", "a__b", strings.Repeat("ö", 100)}
	if !slices.Equal(got, want) {
		t.Errorf("%q, wanted %q", got, want)
	}
}
