package github

import (
	"net/http"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/spec"
)

func TestDigestAsksTheBestSourceFirst(t *testing.T) {
	t.Parallel()
	a, b, d := strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("d", 64)
	const file = "actions-runner-linux-x64-2.336.0.tar.gz"
	downloads := []any{map[string]any{"os": "linux", "architecture": "x64", "filename": file, "sha256_checksum": a}}
	asset := map[string]any{"name": file, "digest": "sha256:" + b}
	body := "<!-- BEGIN SHA linux-x64-noexternals -->" + b + "<!-- END SHA linux-x64-noexternals -->\n" +
		"- linux <!-- BEGIN SHA linux-x64 -->" + d + "<!-- END SHA linux-x64 -->"
	for name, c := range map[string]struct {
		anonymous bool
		downloads any
		release   any
		sum, from string
	}{
		"the list for the scope":  {false, downloads, nil, a, "list of runner packages"},
		"the asset, anonymously":  {true, nil, map[string]any{"assets": []any{asset}, "body": body}, b, "asset"},
		"the asset, older runner": {false, []any{}, map[string]any{"assets": []any{asset}}, b, "asset"},
		"the text":                {true, nil, map[string]any{"tag_name": "v2.336.0", "assets": []any{map[string]any{"name": file, "digest": nil}}, "body": body}, d, "release v2.336.0"},
		"a digest that is none":   {true, nil, map[string]any{"assets": []any{map[string]any{"name": file, "digest": "sha256:xyz"}}}, "", ""},
		"nobody":                  {true, nil, map[string]any{"body": "<!-- BEGIN SHA linux-x64 -->" + d}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/api/v3/repos/octo/bench/actions/runners/downloads":
					answer(w, 200, c.downloads)
				case "/public/repos/actions/runner/releases/tags/v2.336.0":
					if r.Header.Get("Authorization") != "" {
						t.Error("the token was sent to another server than the spec's")
					}
					answer(w, 200, c.release)
				default:
					t.Errorf("asked for %s", r.URL)
				}
			})
			cred := Credentials{Token: canary}
			if c.anonymous {
				cred = Credentials{}
			}
			sum, from, err := s.client(t, spec.Repository, cred).Digest(t.Context(), "2.336.0", "linux-x64")
			if err != nil || sum != c.sum || !strings.Contains(from, c.from) {
				t.Errorf("got %q from %q, %v", sum, from, err)
			}
		})
	}
}

func TestAReleaseThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(w, 404, map[string]string{"message": "Not Found"})
	})
	_, _, err := s.client(t, spec.Repository, Credentials{}).Digest(t.Context(), "9.9.9", "linux-x64")
	if err == nil || !strings.Contains(err.Error(), "release v9.9.9") || !strings.Contains(err.Error(), "runner.version") {
		t.Error(err)
	}
}

func TestLatestVersion(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/public/") {
			answer(w, 200, map[string]string{"tag_name": "v2.337.0"})
			return
		}
		answer(w, 200, []map[string]string{
			{"filename": "actions-runner-linux-arm64-2.335.0.tar.gz"},
			{"filename": "actions-runner-linux-x64-2.336.0.tar.gz"},
		})
	})
	if v, err := s.repo(t).LatestVersion(t.Context(), "linux-x64"); err != nil || v != "2.336.0" {
		t.Errorf("with credentials: %q, %v", v, err)
	}
	if v, err := s.client(t, spec.Repository, Credentials{}).LatestVersion(t.Context(), "linux-x64"); err != nil || v != "2.337.0" {
		t.Errorf("without: %q, %v", v, err)
	}
	if _, err := s.repo(t).LatestVersion(t.Context(), "linux-riscv64"); err == nil {
		t.Error("a platform that nobody offers has a latest version")
	}
}
