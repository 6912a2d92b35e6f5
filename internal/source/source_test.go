package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// server serves one text until told otherwise, and counts what it was asked.
type server struct {
	*httptest.Server
	text           string
	status         int
	full, unspoilt int
}

func newServer(t *testing.T) *server {
	s := &server{text: "version: 1\n"}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		etag := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(s.text)))
		switch {
		case s.status != 0:
			w.WriteHeader(s.status)
		case r.Header.Get("If-None-Match") == etag:
			s.unspoilt++
			w.WriteHeader(http.StatusNotModified)
		default:
			s.full++
			w.Header().Set("ETag", etag)
			fmt.Fprint(w, s.text)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestFetchedOnceKeptAndUsedWhenTheServerIsAway(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var said []string
	m := hosttest.New(t, "")
	r := &Reader{Copies: m, Said: func(line string) { said = append(said, line) }}
	name := s.URL + "/box.yaml"
	get := func(want string) {
		t.Helper()
		files, err := r.All(t.Context(), []string{name})
		if err != nil || string(files[0].Text) != want || files[0].Name != name {
			t.Fatalf("%q, %v; want %q", files, err, want)
		}
		if err := r.Keep(m); err != nil {
			t.Fatal(err)
		}
	}
	get("version: 1\n")
	get("version: 1\n")
	if again, _ := m.ReadDir(Dir); len(again) != 1 {
		t.Errorf("the copies are %q", again)
	}
	if s.full != 1 || s.unspoilt != 1 {
		t.Errorf("sent whole %d times and told unchanged %d times", s.full, s.unspoilt)
	}
	s.text = "version: 1\ngate: fail\n"
	get("version: 1\ngate: fail\n")
	s.status = http.StatusBadGateway
	get("version: 1\ngate: fail\n")
	if len(said) != 1 || !strings.Contains(said[0], "502 Bad Gateway") || !strings.Contains(said[0], "the copy of 2") {
		t.Errorf("said %q", said)
	}
	s.Close()
	get("version: 1\ngate: fail\n")
	said = nil
	r = &Reader{Copies: m, Kept: true}
	get("version: 1\ngate: fail\n")
	if said != nil {
		t.Errorf("who goes by copies said %q", said)
	}
}

// A reader that goes by copies asks for what there is none of, unless it is
// offline.
func TestCopiesAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	m := hosttest.New(t, "")
	r := &Reader{Copies: m, Offline: true}
	if _, err := r.All(t.Context(), []string{s.URL}); err == nil || !strings.Contains(err.Error(), "it is not to be fetched now, and there is no copy of it") {
		t.Errorf("the error is %v", err)
	}
	r = &Reader{Copies: m, Kept: true}
	for range 2 {
		if _, err := r.All(t.Context(), []string{s.URL}); err != nil {
			t.Fatal(err)
		}
		if err := r.Keep(m); err != nil {
			t.Fatal(err)
		}
	}
	s.text = "version: 2\n"
	r.Kept, r.Offline = false, true
	files, err := r.All(t.Context(), []string{s.URL})
	if err != nil || string(files[0].Text) != "version: 1\n" || s.full != 1 {
		t.Errorf("%q, %v, fetched %d times", files, err, s.full)
	}
}

// A copy that was damaged, or is one of something else, is none.
func TestACopyOfNoUse(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	m := hosttest.New(t, "")
	for _, text := range []string{"", "{", `{"name": "https://example/other.yaml", "text": "version: 3\n"}`} {
		m.WriteFile(copyPath(s.URL), text)
		files, err := (&Reader{Copies: m}).All(t.Context(), []string{s.URL})
		if err != nil || string(files[0].Text) != "version: 1\n" {
			t.Errorf("with a copy %q: %q, %v", text, files, err)
		}
	}
	s.Close()
	if _, err := (&Reader{Copies: m}).All(t.Context(), []string{s.URL}); err == nil {
		t.Error("the copy of something else served")
	}
}

func TestAnotherHostIsNotFollowed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	away := httptest.NewServer(http.RedirectHandler(s.URL, http.StatusFound))
	defer away.Close()
	_, err := (&Reader{}).All(t.Context(), []string{away.URL})
	if err == nil || !strings.Contains(err.Error(), "it is a redirect to "+strings.TrimPrefix(s.URL, "http://")) || s.full != 0 {
		t.Errorf("the error is %v, and it was fetched %d times", err, s.full)
	}
}

func TestTooMuch(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.text = strings.Repeat("#", spec.MaxSize+1)
	if _, err := (&Reader{}).All(t.Context(), []string{s.URL}); err == nil || !strings.Contains(err.Error(), "no file of the size of a spec") {
		t.Errorf("the error is %v", err)
	}
}

func TestWithoutCopiesNothingIsKept(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := &Reader{}
	if _, err := r.All(t.Context(), []string{s.URL}); err != nil {
		t.Fatal(err)
	}
	s.status = http.StatusNotFound
	if _, err := r.All(t.Context(), []string{s.URL}); err == nil || !strings.Contains(err.Error(), "404 Not Found; see whether the name is right") {
		t.Errorf("the error is %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"runner.yaml":                               "local",
		"/etc/benchctl/x.yaml":                      "local",
		"https://example/x.yaml":                    "https://example/x.yaml",
		"http://127.0.0.1:8/x":                      "http://127.0.0.1:8/x",
		"http://example/x.yaml":                     "use https",
		"https://me:pw@example/x":                   "holds credentials",
		"https://example/x?private_token=pw":        "holds credentials",
		"https://example/x?ref=main":                "https://example/x?ref=main",
		"https://github.com/o/r/x":                  "a page for people",
		"github.com/octo/bench/hosts/box 7.yaml@v1": "https://api.github.com/repos/octo/bench/contents/hosts/box%207.yaml?ref=v1",
		"github.com/octo/bench/box.yaml@feature/x":  "https://api.github.com/repos/octo/bench/contents/box.yaml?ref=feature%2Fx",
		"github.com/octo/bench/box.yaml":            "OWNER/REPO/PATH@REF",
	} {
		at, err := locate(name)
		got := at.url
		switch {
		case errors.Is(err, errLocal):
			got = "local"
		case err != nil:
			got = err.Error()
		}
		if !strings.Contains(got, want) || strings.Contains(got, "pw") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestAToken(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	r := &Reader{Token: func(context.Context) string { return "secret" }, client: &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		seen[req.URL.Host] = req.Header.Get("Authorization")
		return nil, errors.New("no route")
	})}}
	for _, name := range []string{"github.com/octo/bench/x.yaml@main", "https://example/x.yaml"} {
		if _, err := r.All(t.Context(), []string{name}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if seen["api.github.com"] != "Bearer secret" || seen["example"] != "" {
		t.Errorf("the token went to %v", seen)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestAFileInARepository(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/repos/o/r/contents/box.yaml": `{"type":"file","encoding":"base64","content":"dmVyc2lv\nbjogMQo=\n"}`,
		"/repos/o/r/contents/hosts":    `[{"type":"file","name":"box.yaml"}]`,
	}
	r := &Reader{client: &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		fmt.Fprint(w, answers[req.URL.Path])
		return w.Result(), nil
	})}}
	files, err := r.All(t.Context(), []string{"github.com/o/r/box.yaml@main"})
	if err != nil || string(files[0].Text) != "version: 1\n" {
		t.Errorf("%q, %v", files, err)
	}
	if _, err := r.All(t.Context(), []string{"github.com/o/r/hosts@main"}); err == nil || !strings.Contains(err.Error(), "no file of the size of a spec") {
		t.Errorf("a directory: %v", err)
	}
}

// While GitHub wants to be left alone, the copy serves without a question; without
// a copy there is nothing else to do than to ask.
func TestGitHubIsLeftAlone(t *testing.T) {
	t.Parallel()
	asked := 0
	var said []string
	m := hosttest.New(t, "")
	r := &Reader{
		Copies: m, Said: func(line string) { said = append(said, line) },
		Resting: func() string { return "the rate limit of 5000 requests an hour is used up" },
		client: &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			asked++
			w := httptest.NewRecorder()
			fmt.Fprint(w, `{"type":"file","encoding":"base64","content":"dmVyc2lvbjogMQo="}`)
			return w.Result(), nil
		})},
	}
	for range 3 {
		files, err := r.All(t.Context(), []string{"github.com/o/r/box.yaml@main"})
		if err != nil || string(files[0].Text) != "version: 1\n" {
			t.Errorf("%q, %v", files, err)
		}
		if err := r.Keep(m); err != nil {
			t.Error(err)
		}
	}
	if asked != 1 || len(said) != 2 || !strings.Contains(said[0], "box.yaml@main: the rate limit of 5000 requests an hour is used up; the copy of 2") {
		t.Errorf("asked %d times, said %q", asked, said)
	}
}

func TestStandardInputOnce(t *testing.T) {
	t.Parallel()
	r := &Reader{Stdin: strings.NewReader("version: 1\n")}
	files, err := r.All(t.Context(), []string{"-"})
	if err != nil || string(files[0].Text) != "version: 1\n" {
		t.Errorf("%q, %v", files, err)
	}
	if _, err := r.All(t.Context(), []string{"-", "-"}); err == nil {
		t.Error("standard input was read twice")
	}
}
