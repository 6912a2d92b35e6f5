package resources

import (
	"os"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A rehearsal with real downloads tries an apply's own way to the runner, here
// with the stand-in in GitHub's place.
func TestFetchRunner(t *testing.T) {
	t.Parallel()
	m, _ := runnerHost(t)
	data := map[string]string{"runner": m.Text("/srv/runner.tar.gz")}
	archive(t, m, "/srv/other.tar.gz", map[string]string{"README": "no runner"})
	data["other"] = m.Text("/srv/other.tar.gz")
	hub, err := standin.Start(standin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hub.Close() })
	const file = "actions-runner-linux-x64-2.336.0.tar.gz"
	for version, asset := range map[string]standin.Asset{
		"v2.336.0": {Name: file, Data: []byte(data["runner"])},
		"v2.335.0": {Name: file, Data: []byte(data["runner"]), SHA256: strings.Repeat("0", 64)},
		"v2.334.0": {Name: file, Data: []byte(data["runner"]), NoDigest: true},
		"v2.333.0": {Name: file, Data: []byte(data["other"])},
	} {
		asset.Name = "actions-runner-linux-x64-" + version[1:] + ".tar.gz"
		if err := hub.AddRelease("actions/runner", version, "", asset); err != nil {
			t.Fatal(err)
		}
	}
	url := spec.URL{Scope: spec.Repository, Owner: "octo", Repo: "bench", API: hub.URL() + "/api/v3/"}
	client, err := github.New(github.Options{URL: url, PublicAPI: url.API, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for version, says := range map[string]string{
		"2.336.0": "",
		"2.335.0": "and not " + strings.Repeat("0", 64),
		"2.334.0": "nothing says which digest it should have",
		"2.333.0": "is no runner for Linux",
		"2.1.0":   "GitHub has none of that name",
	} {
		t.Run(version, func(t *testing.T) {
			s := &spec.Spec{Runner: spec.Runner{Version: version,
				Archive: hub.URL() + "/actions/runner/releases/download/v" + version + "/actions-runner-linux-x64-" + version + ".tar.gz"}}
			s.User.Name, s.InstallDir = "gha", runnerDir
			got, err := FetchRunner(t.Context(), m, s, Options{Releases: client, Attended: true}, "/srv/fetched-"+version)
			if says != "" {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("the error is %v, want %q", err, says)
				}
				return
			}
			if err != nil || got.Version != version || got.Size != int64(len(data["runner"])) || got.SHA256 != hexDigest([]byte(data["runner"])) {
				t.Errorf("got %+v, %v", got, err)
			}
			if m.Text("/srv/fetched-"+version+"/bin/Runner.Listener") != "listener" {
				t.Error("nothing was unpacked")
			}
		})
	}
	if _, err := os.Lstat(m.Path(runnerDir)); err == nil {
		t.Error("the runner's own directory was touched")
	}
}
