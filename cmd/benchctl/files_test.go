package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
)

// What somebody names comes first, then the spec in its usual place, then what
// the agent reads.
func TestFilesOr(t *testing.T) {
	t.Parallel()
	e := &env{machine: &linux.Machine{Root: t.TempDir()}}
	put := func(file, text string) {
		t.Helper()
		file = filepath.Join(e.machine.Root, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wants := func(named []string, want ...string) {
		t.Helper()
		if got := filesOr(e, named); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	wants(nil, defaultFile)
	put(agentUnit, "[Service]\nExecStart=/usr/local/bin/benchctl agent\n\n[X-Benchctl]\nSchedule=@hourly\nSource=https://specs.example/a b.yaml\nSource=/etc/benchctl/box.yaml\n")
	wants(nil, "https://specs.example/a b.yaml", "/etc/benchctl/box.yaml")
	wants([]string{"x.yaml"}, "x.yaml")
	put(defaultFile, "version: 1\n")
	wants(nil, defaultFile)
}

func TestAgain(t *testing.T) {
	t.Parallel()
	e := &env{machine: &linux.Machine{Root: t.TempDir()}}
	for want, files := range map[string][]string{
		"":                   {defaultFile},
		" -f a.yaml -f b":    {"a.yaml", "b"},
		` -f 'it'\''s here'`: {"it's here"},
		" -f 'https://specs.example/x?ref=a&b=c'": {"https://specs.example/x?ref=a&b=c"},
		" -f github.com/octo/r/hosts/b.yaml@main": {"github.com/octo/r/hosts/b.yaml@main"},
	} {
		if got := (&flags{files: files}).again(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
