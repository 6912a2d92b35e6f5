package spec_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/SKaiNET-developers/benchctl/spec"
)

var update = flag.Bool("update", false, "write what is printed now into testdata")

// TestProblems holds every NAME.yaml of the corpus to the text in NAME.want:
// the problems, or the warnings of a file that can be used.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+1 < len(archive.Files); i += 2 {
				yaml, want := archive.Files[i], &archive.Files[i+1]
				name := strings.TrimSuffix(yaml.Name, ".yaml")
				t.Run(name, func(t *testing.T) {
					got := printed(t, yaml.Data)
					if *update {
						want.Name, want.Data = name+".want", []byte(got)
					} else if got != string(want.Data) {
						t.Errorf("got:\n%s\nwant:\n%s", got, want.Data)
					}
				})
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// printed is what a person sees of a text's problems and warnings.
func printed(t *testing.T, text []byte) string {
	t.Helper()
	s, err := spec.Load("runner.yaml", text)
	var problems spec.Problems
	switch {
	case err == nil && len(s.Warnings) == 0:
		return ""
	case err == nil:
		return s.Warnings.Error() + "\n"
	case !errors.As(err, &problems):
		t.Fatalf("%T is not Problems: %v", err, err)
	}
	return problems.Error() + "\n"
}
