//go:build e2e

package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/dispatch"
	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

const engineFlow = `on:
  workflow_dispatch:
    inputs: {profile: {type: choice, options: [quick, full]}}
jobs:
  engine: {runs-on: [self-hosted, linux, x86_64, SKAINET-bench-linux-x86]}
  publish: {runs-on: ubuntu-latest}
`

// dispatchable puts a workflow into the repository, whose one job is this.
func (w *world) dispatchable(file string, job standin.Job) {
	w.t.Helper()
	var records bytes.Buffer
	z := zip.NewWriter(&records)
	f, _ := z.Create("engine/full.json")
	f.Write([]byte(`{"cv": 0.021}`))
	if err := z.Close(); err != nil {
		w.t.Fatal(err)
	}
	job.Labels = []string{"self-hosted", "skainet-bench-linux-x86"}
	repo, path := standin.Repo(repository), ".github/workflows/"+file
	w.hub.WriteFile(repo, path, engineFlow)
	w.hub.AddWorkflow(repo, standin.Workflow{
		Name: strings.TrimSuffix(file, ".yml"), Path: path, Inputs: []string{"profile"}, Jobs: []standin.Job{job},
		Artifacts: []standin.Artifact{{Name: "engine-full-records-{run}", Zip: records.Bytes()}},
	})
}

// lastRun is the run that was started last.
func (w *world) lastRun() standin.Run {
	w.t.Helper()
	runs := w.hub.Runs()
	if len(runs) == 0 {
		w.t.Fatal("no run was started")
	}
	return runs[len(runs)-1]
}

// TestDispatch starts workflows from the host that is to run them: one that
// succeeds, one that fails, one that is let go and taken up again, and one that
// another host takes.
func TestDispatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.benchctl(0, "apply")
	w.dispatchable("engine-benchmarks.yml", standin.Job{
		Name: "engine (jmh)", Step: "Measure", Sleep: 4 * time.Second, Script: "test -n \"$GITHUB_RUN_ID\"",
		Windows: &standin.Windows{Delivery: standin.Span{Min: 1200 * time.Millisecond}, Acquire: standin.Span{Min: 400 * time.Millisecond}},
	})
	w.dispatchable("broken.yml", standin.Job{Name: "engine", Step: "Mea\x1b[31msure", Script: "exit 3"})

	r := w.benchctl(0, "dispatch", "engine-benchmarks.yml", "--ref", "main", "--input", "profile=full", "--download", "/root/records")
	w.t.Logf("\n%s%s", r.Stderr, r.Stdout)
	run := w.lastRun()
	w.says(lab.Result{Stdout: r.Stderr + r.Stdout},
		"job engine asks for self-hosted, linux, x86_64, SKAINET-bench-linux-x86: bench7-bench has them all",
		"job publish asks for ubuntu-latest: not for this runner",
		fmt.Sprintf("engine-benchmarks.yml at main is run %d: https://github.com/%s/actions/runs/%d", run.ID, repository, run.ID),
		"engine (jmh): picked up by bench7-bench, *", "engine (jmh): this host's journal has it: Running job: engine (jmh), at *",
		"engine (jmh): step Measure: success, *", "engine (jmh): success, *",
		fmt.Sprintf("run %d of engine-benchmarks.yml at main: success", run.ID),
		"engine (jmh): success on bench7-bench, which is this host; *",
		fmt.Sprintf("artifact engine-full-records-%d: *", run.ID), fmt.Sprintf("*, in /root/records/engine-full-records-%d (1 file)", run.ID))
	if got := w.look(fmt.Sprintf("cat /root/records/engine-full-records-%d/engine/full.json", run.ID)); got != `{"cv": 0.021}` {
		t.Errorf("the artifact holds %q", got)
	}

	// A failure is one, with all that came from others made printable.
	r = w.benchctl(1, "dispatch", "broken.yml")
	if out := r.Stdout + r.Stderr; !strings.Contains(out, `(job engine: failure at step Mea\u001b[31msure)`) || strings.Contains(out, "\x1b") {
		t.Errorf("it says %q", out)
	}

	w.letGo()
	w.takenByAnother()
}

// letGo interrupts a dispatch, which leaves the run alone, and takes it up again.
func (w *world) letGo() {
	w.t.Helper()
	began := len(w.hub.Runs())
	const script = `GITHUB_TOKEN=` + apiToken + ` timeout -s INT --preserve-status 120 benchctl dispatch engine-benchmarks.yml 2>/root/let-go & pid=$!
until grep -q "journal has it" /root/let-go; do sleep 0.05; done; pkill -INT -P $pid; wait $pid; echo "ended with $?"`
	got := w.look(script)
	run := w.lastRun()
	said := w.look("cat /root/let-go")
	want := fmt.Sprintf("benchctl: interrupted; run %d goes on: https://github.com/%s/actions/runs/%d; take it up again with benchctl dispatch --run %d", run.ID, repository, run.ID, run.ID)
	if !strings.Contains(got, "ended with 1") || !strings.Contains(said, want) || len(w.hub.Runs()) != began+1 {
		w.t.Errorf("interrupted: %s\n%s\nwanted %q", got, said, want)
	}
	r := w.benchctl(0, "dispatch", "--run", fmt.Sprint(run.ID), "-o", "json")
	var report dispatch.Report
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		w.t.Fatalf("%v\n%s", err, r.Stdout)
	}
	// Who is not root may not read the journal, which is said.
	nobody := w.look("runuser -u nobody -- env GITHUB_TOKEN=" + apiToken + " benchctl dispatch --run " + fmt.Sprint(run.ID))
	if !strings.Contains(nobody, "success on bench7-bench, by GitHub's account (this host's journal: it has nothing of that time that may be read)") {
		w.t.Errorf("nobody is told %s", nobody)
	}
	if j := w.waitJob(run.Jobs[0], over); j.Lost != "" || !report.OK || report.Fired || len(report.Jobs) != 1 || !report.Jobs[0].Here || report.Jobs[0].Said.IsZero() {
		w.t.Errorf("taken up: %+v; the job %+v", report, j)
	}
}

// takenByAnother has another host's runner take the job, while this one has
// another job to do.
func (w *world) takenByAnother() {
	w.t.Helper()
	nightly := w.lasts(standin.Job{Name: "nightly"})
	repo := standin.Repo(repository)
	w.hub.Pretend(w.hub.AddRunner(repo, "bench8-bench", "skainet-bench-linux-x86"))
	r := w.benchctl(1, "dispatch", "engine-benchmarks.yml", "-o", "json")
	if !strings.Contains(r.Stderr, "it did not run on bench7-bench: job engine (jmh) ran on bench8-bench, which has the same labels") ||
		!strings.Contains(r.Stderr, "engine (jmh): picked up by bench8-bench") || !strings.Contains(r.Stdout, `"ok": false`) {
		w.t.Errorf("it says %s\n%s", r.Stderr, r.Stdout)
	}
	nightly.ends()
}
