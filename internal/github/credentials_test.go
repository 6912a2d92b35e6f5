package github

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const home = "/var/lib/gha-runner"

func machine(t *testing.T, mode os.FileMode) *hosttest.Machine {
	t.Helper()
	m := hosttest.New(t, "")
	for path, text := range map[string]string{
		"/etc/benchctl/token":     canary + "\n",
		"/etc/benchctl/empty":     "\n",
		"/etc/benchctl/two":       canary + "\nsecond",
		"/etc/benchctl/huge":      strings.Repeat(canary, 1000),
		"/etc/benchctl/key.pem":   "-----BEGIN RSA PRIVATE KEY-----\n" + canary,
		home + "/token":           canary,
		"/run/creds/github-token": canary,
		"/run/key/github-app-key": canary,
	} {
		m.WriteFile(path, text)
		if err := os.Chmod(m.Path(path), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("token", m.Path("/etc/benchctl/link")); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheFirstCredentialsFoundAreTaken(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("files that belong to root take root")
	}
	m := machine(t, 0o600)
	file := spec.GitHub{TokenFile: "/etc/benchctl/token"}
	app := spec.GitHub{App: &spec.App{ID: 1, Installation: 2, KeyFile: "/etc/benchctl/key.pem"}}
	for name, c := range map[string]struct {
		env  map[string]string
		spec spec.GitHub
		want string
		app  bool
	}{
		"nothing":              {nil, spec.GitHub{}, "", false},
		"gh's own first":       {map[string]string{"GH_TOKEN": "a", "GITHUB_TOKEN": "b"}, file, "GH_TOKEN", false},
		"the other":            {map[string]string{"GITHUB_TOKEN": " b\n"}, file, "GITHUB_TOKEN", false},
		"systemd before files": {map[string]string{"CREDENTIALS_DIRECTORY": "/run/creds"}, file, "systemd's credential github-token", false},
		"systemd without one":  {map[string]string{"CREDENTIALS_DIRECTORY": "/run/none"}, file, "/etc/benchctl/token", false},
		"a file":               {nil, file, "/etc/benchctl/token", false},
		"an App":               {nil, app, "/etc/benchctl/key.pem", true},
		"an App by systemd":    {map[string]string{"CREDENTIALS_DIRECTORY": "/run/key"}, app, "systemd's credential github-app-key", true},
	} {
		got, err := FindCredentials(m, func(k string) string { return c.env[k] }, c.spec, home)
		if err != nil || got.Source != c.want || (got.App != nil) != c.app || got.API() != (c.want != "") {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", got, got, got.App), canary) {
			t.Errorf("%s: the secret prints", name)
		}
	}
	got, err := FindCredentials(m, func(k string) string { return map[string]string{"GH_RUNNER_TOKEN": "AAAA"}[k] }, file, home)
	if err != nil || got.Registration.Reveal() != "AAAA" || !got.API() {
		t.Errorf("a pasted token stands beside the others: %v, %v", got, err)
	}
}

func TestCredentialsThatAreRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("files that belong to root take root")
	}
	safe, open := machine(t, 0o600), machine(t, 0o640)
	if err := os.Chown(safe.Path("/etc/benchctl/key.pem"), 4711, 0); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"token":                            "absolute path",
		home + "/token":                    "lies in " + home,
		home + "/../x/../gha-runner/token": "lies in " + home,
		"/etc/benchctl/none":               "no such file",
		"/etc/benchctl/link":               "plain file",
		"/etc/benchctl":                    "plain file",
		"/etc/benchctl/key.pem":            "belongs to user 4711",
		"/etc/benchctl/huge":               "too many for a secret",
		"/etc/benchctl/empty":              "empty",
		"/etc/benchctl/two":                "blanks or unusual characters",
	} {
		refused(t, safe, nil, path, want)
	}
	refused(t, open, nil, "/etc/benchctl/token", "others can read it (mode 0640)")
	refused(t, safe, map[string]string{"GH_TOKEN": canary + "\n" + canary}, "", "the token in GH_TOKEN")
	refused(t, safe, map[string]string{"GH_RUNNER_TOKEN": canary + " x"}, "", "the token in GH_RUNNER_TOKEN")
}

func refused(t *testing.T, m *hosttest.Machine, env map[string]string, path, want string) {
	t.Helper()
	_, err := FindCredentials(m, func(k string) string { return env[k] }, spec.GitHub{TokenFile: path}, home)
	switch {
	case err == nil:
		t.Errorf("%s was accepted", path)
	case !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "cannot ") || !strings.Contains(err.Error(), "; "):
		t.Errorf("%s: %q is no sentence with %q", path, err, want)
	case strings.Contains(err.Error(), canary):
		t.Errorf("%s: the secret is in %q", path, err)
	}
}
