package spec_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/tools/txtar"

	"github.com/SKaiNET-developers/benchctl/spec"
)

var token = regexp.MustCompile(`gh[opsru]_[A-Za-z0-9]{16}|github_pat_[A-Za-z0-9]{16}`)

// FuzzLoad holds for any text: Load ends, every problem has a place in the
// file and can be printed, no token is shown, and what is valid loads the
// same again.
func FuzzLoad(f *testing.F) {
	examples, _ := filepath.Glob("../examples/*.yaml")
	for _, file := range examples {
		if text, err := os.ReadFile(file); err == nil {
			f.Add(text)
		}
	}
	corpus, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range corpus {
		if archive, err := txtar.ParseFile(file); err == nil {
			for i := 0; i < len(archive.Files); i += 2 {
				f.Add(archive.Files[i].Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := spec.Load("runner.yaml", text)
		if err == nil {
			again, err := spec.Load("runner.yaml", text)
			if err != nil || !reflect.DeepEqual(s, again) {
				t.Fatalf("loads otherwise the second time: %v", err)
			}
			for _, w := range s.Warnings {
				checkProblem(t, text, w)
			}
			return
		}
		problems, ok := err.(spec.Problems)
		if !ok || len(problems) == 0 {
			t.Fatalf("%T: %v", err, err)
		}
		for _, p := range problems {
			checkProblem(t, text, p)
		}
	})
}

func checkProblem(t *testing.T, text []byte, p spec.Problem) {
	t.Helper()
	lines := bytes.Split(bytes.TrimPrefix(text, []byte("\ufeff")), []byte("\n"))
	if p.Line < 1 || p.Line > len(lines) || p.Col < 1 || p.Col > utf8.RuneCount(lines[p.Line-1])+1 {
		t.Errorf("no such place: %s", p)
	}
	if p.Msg == "" || p.Hint == "" {
		t.Errorf("no message, or no next step: %s", p)
	}
	shown := p.String()
	for _, r := range shown {
		if r != '\n' && r != '\t' && r != utf8.RuneError && !unicode.IsPrint(r) {
			t.Errorf("%U is printed: %q", r, shown)
		}
	}
	if token.MatchString(shown) {
		t.Errorf("a token is shown: %s", shown)
	}
	if strings.Count(shown, "\n") != 2 {
		t.Errorf("not three lines: %q", shown)
	}
}
