package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// What this host has for another GitHub is not shown to github.com.
func TestSourceToken(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "github-token"), []byte("systemd's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(host string) *spec.Spec {
		s := &spec.Spec{User: spec.User{Home: "/home/x"}, GitHub: spec.GitHub{TokenFile: "/etc/benchctl/none"}}
		s.Runner.URL.Host = host
		return s
	}
	for _, c := range []struct {
		good        *spec.Spec
		env         map[string]string
		want, warns string
	}{
		{good: nil},
		{good: nil, env: map[string]string{"GITHUB_TOKEN": "typed"}, want: "typed"},
		{good: at("github.com"), env: map[string]string{"CREDENTIALS_DIRECTORY": "/"}, want: "systemd's"},
		{good: at("github.com"), env: map[string]string{"CREDENTIALS_DIRECTORY": "/", "GH_TOKEN": "typed"}, want: "typed"},
		{good: at("ghes.example"), env: map[string]string{"CREDENTIALS_DIRECTORY": "/"}},
		{good: at("ghes.example"), env: map[string]string{"CREDENTIALS_DIRECTORY": "/", "GH_TOKEN": "typed"}, want: "typed"},
		{good: at("github.com"), warns: "cannot use github.tokenFile /etc/benchctl/none: there is no such file"},
	} {
		var warned []string
		e := &env{machine: &linux.Machine{Root: root}, getenv: func(name string) string { return c.env[name] }}
		got := sourceToken(t.Context(), e, c.good, listener{note: func(string) {}, warn: func(line string) { warned = append(warned, line) }})
		if got != c.want || !strings.HasPrefix(strings.Join(warned, ""), c.warns) || c.warns == "" && warned != nil {
			t.Errorf("%v with %v: the token is %q, warned of %q; want %q and %q", c.good, c.env, got, warned, c.want, c.warns)
		}
	}
}
