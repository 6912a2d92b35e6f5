package history

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const specText = "version: 1\n"

func digestOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// machine is a host whose state directory is the user's own, so that the tests
// need not be root.
func machine(t *testing.T) *hosttest.Machine {
	t.Helper()
	own(t)
	m := hosttest.New(t, "")
	m.WriteFile(Dir+"/", "")
	return m
}

// own gives notes to who runs the test.
func own(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the notes are root's")
	}
}

func outcome(kind string, status reconcile.Status, changes ...reconcile.Change) reconcile.Outcome {
	return reconcile.Outcome{ID: reconcile.ID{Kind: kind}, Kind: kind, Status: status, Changes: changes}
}

// run is a run of a minute that ends at a time.
func run(verb string, ended time.Time, outcomes ...reconcile.Outcome) Run {
	return Run{
		Report: reconcile.NewReport(verb, "bench7", reconcile.SpecRef{File: "runner.yaml", SHA256: digestOf(specText)},
			ended.Add(-time.Minute), time.Minute, outcomes),
		Spec: []byte(specText), Build: "1.0 abc", Ended: ended,
	}
}

func record(t *testing.T, h host.Host, r Run) *Book {
	t.Helper()
	b, err := Record(h, r)
	if err != nil || b.Warnings != nil {
		t.Fatalf("%v, %q", err, b.Warnings)
	}
	return b
}

// lastReport reads what is there for programs to read.
func lastReport(t *testing.T, m *hosttest.Machine) *reconcile.Report {
	t.Helper()
	report := &reconcile.Report{}
	if err := json.Unmarshal([]byte(m.Text(LastRun)), report); err != nil {
		t.Fatal(err)
	}
	return report
}

var governor = reconcile.Change{Field: "policy1", Have: "powersave", Want: "performance", Corrective: true, Cause: "tuned started 11:50"}

// What is written is what is read, a run later by another process.
func TestWhatIsRememberedIsReadAgain(t *testing.T) {
	t.Parallel()
	m := machine(t)
	yes := true
	first := run("apply", noon, outcome("user", reconcile.Unchanged), outcome("cpufreq", reconcile.Changed, governor))
	first.Online = &yes
	record(t, m, first)
	b := Load(m)
	if got := b.Resources["user"]; !got.InStep.Equal(noon.Add(-time.Minute)) || got.Build != "1.0 abc" || got.Spec != digestOf(specText) {
		t.Errorf("user: %+v", got)
	}
	if got := b.Resources["cpufreq"]; !got.InStep.Equal(noon) || got.Corrections != 1 || !slices.Equal(got.Corrected, []time.Time{noon}) {
		t.Errorf("cpufreq: %+v", got)
	}
	if !b.InStep.Equal(noon) || !b.InStepSince.Equal(noon) || b.Online == nil || !*b.Online || b.LastApply == nil || b.LastPass.Exit != 0 {
		t.Errorf("%+v", b)
	}
	if got := b.LastPass.Changes; len(got) != 1 || got[0].Status != reconcile.Changed || got[0].ID.Kind != "cpufreq" || got[0].Cause != governor.Cause {
		t.Errorf("%+v", got)
	}
	if want := []Counts{{"user", reconcile.Unchanged, 1}, {"cpufreq", reconcile.Changed, 1}}; !slices.Equal(b.Outcomes, want) {
		t.Errorf("%v", b.Outcomes)
	}
	report := lastReport(t, m)
	if len(report.Results) != 2 || report.Results[1].Corrected != 1 || time.Duration(report.Elapsed) != time.Minute {
		t.Errorf("%+v", report)
	}
	entries, damaged, err := Entries(m, 10)
	if err != nil || damaged != 0 || len(entries) != 1 || entries[0].Verb != "apply" {
		t.Errorf("%+v, %d, %v", entries, damaged, err)
	}
	for file, mode := range map[string]os.FileMode{Marks: 0o600, LastRun: 0o600, Lines: 0o600, Settled: 0o600} {
		if info, err := m.Lstat(file); err != nil || info.Mode != mode {
			t.Errorf("%s: %v, %v", file, info.Mode, err)
		}
	}
	for _, op := range m.Writes {
		if !strings.HasPrefix(op, "record ") {
			t.Errorf("remembering is a change of the host: %s", op)
		}
	}
}

// A week of a host, and what is known of it at each turn.
func TestWhatIsKnownAtEachTurn(t *testing.T) {
	t.Parallel()
	m := machine(t)
	at := func(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour) }
	in, out := outcome("cpufreq", reconcile.Unchanged), outcome("cpufreq", reconcile.Pending, governor)

	record(t, m, run("apply", at(0), in))
	b := record(t, m, run("pass", at(1), in))
	if !b.InStep.Equal(at(1)) || !b.InStepSince.Equal(at(0)) || !b.OutOfStep().IsZero() {
		t.Errorf("in step: %v since %v, out of it %v", b.InStep, b.InStepSince, b.OutOfStep())
	}
	b = record(t, m, run("pass", at(2), out))
	if !b.OutOfStep().Equal(at(1)) || !b.Resources["cpufreq"].InStep.Equal(at(1).Add(-time.Minute)) {
		t.Errorf("out of step since %v: %+v", b.OutOfStep(), b.Resources)
	}
	deferred := outcome("cpufreq", reconcile.Deferred)
	for hours := 3; hours < 6; hours++ {
		b = record(t, m, run("apply", at(hours), deferred))
	}
	if !b.DeferredSince.Equal(at(3)) || b.Deferrals != 3 || b.LastPass.Exit != reconcile.ExitDeferred || !b.OutOfStep().Equal(at(1)) {
		t.Errorf("put off since %v, %d times: %+v", b.DeferredSince, b.Deferrals, b)
	}
	b = record(t, m, run("apply", at(6), outcome("cpufreq", reconcile.Changed, governor)))
	if !b.DeferredSince.IsZero() || b.Deferrals != 3 || !b.InStepSince.Equal(at(6)) || b.Resources["cpufreq"].Corrections != 1 {
		t.Errorf("mended: %+v", b)
	}
	failed := outcome("cpufreq", reconcile.Failed, governor)
	failed.Error = "it still differs"
	b = record(t, m, run("apply", at(7), failed))
	if b.Resources["cpufreq"].Corrections != 1 || b.LastPass.Error != failed.Error || b.LastPass.Exit != reconcile.ExitError {
		t.Errorf("a correction that failed counts: %+v", b)
	}
	entries, _, err := Entries(m, 2)
	if err != nil || len(entries) != 2 || entries[1].Error != failed.Error {
		t.Errorf("%+v, %v", entries, err)
	}
}

// What an intended change does is no correction, and a day later none counts.
func TestCorrectionsAreOfTheLastDay(t *testing.T) {
	t.Parallel()
	m := machine(t)
	asked := governor
	asked.Corrective = false
	b := record(t, m, run("apply", noon, outcome("cpufreq", reconcile.Changed, asked)))
	if b.Resources["cpufreq"].Corrections != 0 {
		t.Errorf("%+v", b.Resources)
	}
	id := reconcile.ID{Kind: "cpufreq"}
	for i := range 6 {
		r := run("apply", noon.Add(time.Duration(i)*time.Hour), outcome("cpufreq", reconcile.Changed, governor))
		b = record(t, m, r)
		if got := r.Report.Results[0].Corrected; got != i+1 {
			t.Errorf("the report says %d after %d corrections", got, i+1)
		}
	}
	for after, want := range map[time.Duration]int{5 * time.Hour: 6, 24 * time.Hour: 5, 28 * time.Hour: 1, 30 * time.Hour: 0, time.Hour: 2} {
		if got := b.CorrectedInADay(id, noon.Add(after)); got != want {
			t.Errorf("after %v: %d, want %d", after, got, want)
		}
	}
	b = record(t, m, run("apply", noon.Add(48*time.Hour), outcome("cpufreq", reconcile.Changed, governor)))
	if got := b.Resources["cpufreq"]; got.Corrections != 7 || len(got.Corrected) != 1 {
		t.Errorf("%+v", got)
	}
}

// A run of some kinds says nothing of the others, nor of the host as a whole.
func TestPartialRuns(t *testing.T) {
	t.Parallel()
	m := machine(t)
	record(t, m, run("apply", noon, outcome("user", reconcile.Unchanged), outcome("cpufreq", reconcile.Unchanged)))
	before := lastReport(t, m)
	some := run("apply", noon.Add(time.Hour), outcome("user", reconcile.Unchanged))
	some.Partial = true
	b := record(t, m, some)
	if _, ok := b.Resources["cpufreq"]; !ok || !b.InStep.Equal(noon) || len(b.Outcomes) != 2 || !b.LastPass.Partial {
		t.Errorf("%+v", b)
	}
	if after := lastReport(t, m); !after.Started.Equal(before.Started) {
		t.Error("the report of everything was replaced")
	}
	some.Report = run("apply", noon.Add(2*time.Hour), outcome("user", reconcile.Pending)).Report
	if b := record(t, m, some); !b.InStepSince.IsZero() || !b.InStep.Equal(noon) {
		t.Errorf("%+v", b)
	}
	// What the spec no longer has is forgotten with it.
	if b := record(t, m, run("apply", noon.Add(3*time.Hour), outcome("user", reconcile.Unchanged))); len(b.Resources) != 1 {
		t.Errorf("%+v", b.Resources)
	}
}

func TestDeferralsThatLookedAtNothing(t *testing.T) {
	t.Parallel()
	m := machine(t)
	later := noon.Add(time.Hour)
	for _, at := range []time.Time{noon, later} {
		if _, err := Defer(m, Deferral{At: at, Verb: "pass", Why: "a job is running", Job: true}); err != nil {
			t.Fatal(err)
		}
	}
	b := Load(m)
	if !b.DeferredSince.Equal(noon) || b.Deferrals != 2 || b.LastPass.Error != "a job is running" || !b.LastPass.At.Equal(later) {
		t.Errorf("%+v", b)
	}
	// A pause is somebody's wish: what waits for a job begins anew after it.
	b, err := Defer(m, Deferral{At: later, Verb: "pass", Why: "paused"})
	if err != nil || !b.DeferredSince.IsZero() || b.Deferrals != 3 {
		t.Errorf("%+v, %v", b, err)
	}
	if entries, _, _ := Entries(m, 10); len(entries) != 3 || entries[2].Exit != reconcile.ExitDeferred {
		t.Errorf("%+v", entries)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	m := machine(t)
	record(t, m, run("apply", noon, outcome("user", reconcile.Unchanged), outcome("cpufreq", reconcile.Changed, governor)))
	if err := Forget(m, []reconcile.ID{{Kind: "cpufreq"}}); err != nil {
		t.Fatal(err)
	}
	wrote := len(m.Writes)
	if err := Forget(m, []reconcile.ID{{Kind: "cpufreq"}, {Kind: "sysctl"}}); err != nil || len(m.Writes) != wrote {
		t.Errorf("nothing was to be forgotten, and it wrote %q: %v", m.Writes[wrote:], err)
	}
	b := Load(m)
	if got := b.Resources["cpufreq"]; !got.InStep.IsZero() || got.Corrections != 1 || b.Resources["user"].InStep.IsZero() || !b.InStepSince.IsZero() {
		t.Errorf("%+v", b)
	}
}

// The history keeps to its bounds, whole lines of it, and the newest.
func TestTheHistoryIsBounded(t *testing.T) {
	t.Parallel()
	m := machine(t)
	var changes []reconcile.Change
	for i := range 30 {
		changes = append(changes, reconcile.Change{Field: fmt.Sprint("field ", i), Have: strings.Repeat("ä", 500), Want: "b"})
	}
	record(t, m, run("apply", noon, outcome("user", reconcile.Changed, changes...)))
	longest := len(m.Text(Lines))
	if entries, _, _ := Entries(m, 1); longest > 5000 || entries[0].More != 18 {
		t.Errorf("a line has %d bytes: %+v", longest, entries)
	}
	line := `{"at":"2026-11-01T00:00:00Z","verb":"pass","elapsed_ms":1,"exit":0}` + "\n"
	m.WriteFile(Lines, strings.Repeat(line, mostBytes/len(line)+1))
	record(t, m, run("apply", noon, outcome("user", reconcile.Unchanged)))
	text := m.Text(Lines)
	if n := strings.Count(text, "\n"); n != leftLines+1 || len(text) > leftBytes+longest || !strings.HasPrefix(text, line) {
		t.Errorf("%d lines, %d bytes, from %.80q", n, len(text), text)
	}
	if entries, damaged, err := Entries(m, 1<<20); len(entries) != leftLines+1 || damaged != 0 || err != nil || !entries[leftLines].At.Equal(noon.Add(-time.Minute)) {
		t.Errorf("%d entries, %d damaged, %v", len(entries), damaged, err)
	}
	m.WriteFile(Lines, strings.Repeat(strings.Repeat("x", 4000)+"\n", 200))
	record(t, m, run("apply", noon, outcome("user", reconcile.Unchanged)))
	if text := m.Text(Lines); len(text) > leftBytes+longest || strings.Count(text, "\n") < 60 {
		t.Errorf("%d bytes are left", len(text))
	}
}

// A spec stays for as long as a resource was last in step under it.
func TestSpecsThatMarksSpeakOf(t *testing.T) {
	t.Parallel()
	m := machine(t)
	other := "version: 1 # another\n"
	record(t, m, run("apply", noon, outcome("user", reconcile.Unchanged), outcome("cpufreq", reconcile.Unchanged)))
	next := run("pass", noon.Add(time.Hour), outcome("user", reconcile.Unchanged), outcome("cpufreq", reconcile.Pending, governor))
	next.Report.Spec.SHA256, next.Spec = digestOf(other), []byte(other)
	record(t, m, next)
	for _, text := range []string{specText, other} {
		if got := SettledSpec(m, digestOf(text)); string(got) != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	next.Report = run("apply", noon.Add(2*time.Hour), outcome("user", reconcile.Unchanged), outcome("cpufreq", reconcile.Changed, governor)).Report
	next.Report.Spec.SHA256 = digestOf(other)
	record(t, m, next)
	record(t, m, next) // a text outlives its marks by a run
	if SettledSpec(m, digestOf(specText)) != nil || SettledSpec(m, digestOf(other)) == nil {
		t.Errorf("kept: %s", m.Text(Settled))
	}
	// A text that hands changed is not the one that the mark speaks of.
	m.WriteFile(Settled, strings.Replace(m.Text(Settled), "another", "yet another", 1))
	if got := SettledSpec(m, digestOf(other)); got != nil {
		t.Errorf("got %q", got)
	}
	for _, digest := range []string{"", "../../etc/passwd", "zz"} {
		if got := SettledSpec(m, digest); got != nil {
			t.Errorf("%q: %q", digest, got)
		}
	}
}
