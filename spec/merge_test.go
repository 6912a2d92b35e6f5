package spec_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/SKaiNET-developers/benchctl/spec"
)

// each case is the files in order, then what they are together or what is
// wrong with them.
const together = `
-- a host of its own: base.yaml --
version: 1
user: gha-runner
runner:
  url: https://github.com/octo/bench
  version: "2.336.0"   # the same on all hosts
  labels: [self-hosted, linux, x86_64]
  env: {LANG: C.UTF-8, "NO": "on"}
governor: performance
jdk: 21
-- host.yaml --
runner:
  name: box-7
  labels: [self-hosted, linux, x86_64, fast]
  env: {LANG: C, TZ: UTC}
governor: {ifUnsupported: skip}
jdk: 17
pts: 10.8
-- is --
version: 1
user: gha-runner
runner:
  url: https://github.com/octo/bench
  version: "2.336.0"
  labels: [self-hosted, linux, x86_64, fast]
  env:
    LANG: C
    NO: "on"
    TZ: UTC
  name: box-7
governor:
  name: performance
  ifUnsupported: skip
jdk: 17
pts: 10.8
-- the line that said it: base.yaml --
version: 1
user: gha-runner
runner:
  url: https://github.com/octo/bench
  version: "2.336.0"
gate: wran
-- host.yaml --
jkd: 21
governor: {ifUnsupported: never}
-- says --
base.yaml:6:7: gate: "wran" is not one of fail, warn, off
    6 | gate: wran
      |       ^ did you mean warn?
host.yaml:1:1: jkd: unknown key
    1 | jkd: 21
      | ^ did you mean jdk?
host.yaml:2:1: governor.name: is missing
    2 | governor: {ifUnsupported: never}
      | ^ add name: performance
host.yaml:2:27: governor.ifUnsupported: "never" is not one of fail, skip
    2 | governor: {ifUnsupported: never}
      |                           ^ one of: fail, skip
-- mended by the later file: base.yaml --
version: 1
user: gha-runner
runner: {url: https://github.com/octo/bench, version: latest}
gate: wran
-- host.yaml --
gate: fail
-- is --
version: 1
user: gha-runner
runner:
  url: https://github.com/octo/bench
  version: latest
gate: fail
-- one is no YAML: base.yaml --
version: 1
-- host.yaml --
runner: {url
-- says --
host.yaml:1:9: a list or mapping in brackets is not closed, or lacks a comma
    1 | runner: {url
      |         ^ add the comma or the bracket
`

func TestSeveralFiles(t *testing.T) {
	t.Parallel()
	var files []spec.File
	name := ""
	for _, f := range txtar.Parse([]byte(together)).Files {
		test, file, begins := strings.Cut(f.Name, ": ")
		switch {
		case begins:
			name, files = test, []spec.File{{Name: file, Text: f.Data}}
		case f.Name == "is" || f.Name == "says":
			t.Run(name, func(t *testing.T) { checkTogether(t, files, f.Name, string(f.Data)) })
		default:
			files = append(files, spec.File{Name: f.Name, Text: f.Data})
		}
	}
}

func checkTogether(t *testing.T, files []spec.File, kind, want string) {
	s, err := spec.LoadAll(files...)
	if kind == "says" {
		var problems spec.Problems
		if !errors.As(err, &problems) || problems.Error()+"\n" != want {
			t.Errorf("the problems are\n%v\nwant\n%s", err, want)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if string(s.Text) != want {
		t.Errorf("together they are\n%s\nwant\n%s", s.Text, want)
	}
	again, err := spec.Load(s.File, s.Text)
	if err != nil {
		t.Fatal(err)
	}
	s.Warnings, again.Warnings = nil, nil
	if !reflect.DeepEqual(s, again) {
		t.Errorf("the result, loaded by itself, is another spec:\n%+v\n%+v", again, s)
	}
}
