package workflow

import (
	"slices"
	"strings"
	"testing"
)

const bench = `
on:
  schedule: [{cron: "0 3 * * *"}]
  workflow_dispatch:
    inputs:
      profile: {type: choice, options: [quick, full], required: true}
      note: {description: anything}
      rounds: {type: number, default: 3, required: true}
      dry: {type: boolean}
x: &own [self-hosted, Linux, BENCH-7]
jobs:
  alias: {runs-on: *own}
  called: {uses: ./.github/workflows/other.yml}
  engine: {runs-on: [self-hosted, Linux, X64, BENCH-7], steps: []}
  grouped: {runs-on: {group: fast, labels: bench-7}}
  hosted: {runs-on: ubuntu-latest}
  matrix: {runs-on: "${{ matrix.os }}"}
  nowhere: {steps: []}
`

func TestParse(t *testing.T) {
	t.Parallel()
	w, err := Parse([]byte(bench))
	if err != nil || !w.Dispatchable() || !slices.Equal(w.Triggers, []string{"schedule", Dispatch}) || len(w.Jobs) != 7 {
		t.Fatalf("%+v, %v", w, err)
	}
	have := []string{"self-hosted", "linux", "x64", "bench-7"}
	for i, want := range []struct {
		name, lacks, group, dynamic, calls string
		meant                              bool
	}{
		{name: "alias", meant: true},
		{name: "called", calls: "./.github/workflows/other.yml"},
		{name: "engine", meant: true},
		{name: "grouped", group: "fast", meant: true},
		{name: "hosted", lacks: "ubuntu-latest"},
		{name: "matrix", lacks: "${{ matrix.os }}", dynamic: "${{ matrix.os }}"},
		{name: "nowhere"},
	} {
		j := w.Jobs[i]
		if j.Name != want.name || strings.Join(j.Lacks(have), " ") != want.lacks || j.Group != want.group || j.Dynamic != want.dynamic || j.Calls != want.calls || j.Meant(have) != want.meant {
			t.Errorf("%+v, wanted %+v", j, want)
		}
	}
	for _, text := range []string{"jobs: [1, 2", "on: &a [*a]\njobs: 7", "jobs: {a: 1}"} {
		if w, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, w)
		}
	}
}

func TestInputs(t *testing.T) {
	t.Parallel()
	w, err := Parse([]byte(bench))
	if err != nil {
		t.Fatal(err)
	}
	for want, given := range map[string]map[string]string{
		"": {"profile": "full", "rounds": "2.5", "dry": "true", "note": "${{ anything }}"},
		"the input profile is required and not given":                                           {"note": "x"},
		"there is no input colour":                                                              {"profile": "full", "colour": "red"},
		"the input profile is one of quick, full, not \"slow\"":                                 {"profile": "slow"},
		"the input dry is true or false, not \"1\"; the input rounds is a number, not \"many\"": {"profile": "full", "dry": "1", "rounds": "many"},
	} {
		if got := strings.Join(w.Problems(given), "; "); got != want {
			t.Errorf("%v: %q, want %q", given, got, want)
		}
	}
	for _, text := range []string{"on: push", "on: workflow_dispatch", "on: [workflow_dispatch]", "on: {workflow_dispatch: }", "on: {workflow_dispatch: {inputs: [1]}}"} {
		w, err := Parse([]byte(text + "\njobs: {}\n"))
		if err != nil || len(w.Inputs) != 0 || w.Dispatchable() != strings.Contains(text, Dispatch) {
			t.Errorf("%q is %+v, %v", text, w, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("on: push\njobs: {a: {runs-on: [self-hosted]}}")
	f.Add("on: &a [*a]\njobs: {a: {runs-on: {group: [1], labels: {x: y}}}}")
	f.Add(bench)
	f.Fuzz(func(t *testing.T, text string) {
		w, _ := Parse([]byte(text))
		w.Problems(map[string]string{"a": "b"})
		for _, j := range w.Jobs {
			j.Lacks([]string{"self-hosted"})
			j.Meant(nil)
		}
	})
}
