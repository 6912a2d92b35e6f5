package github

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const canary = "ghp_canaryCANARYcanaryCANARYcanaryCANARY"

// A server answers as a test wants and remembers what it was asked.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // METHOD path?query
	last  *http.Request
	body  string // of the last request
	slept []time.Duration
}

func serve(t *testing.T, h http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
		s.last = r
		body := make([]byte, r.ContentLength+1)
		n, _ := r.Body.Read(body)
		s.body = strings.TrimSpace(string(body[:n]))
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) client(t *testing.T, scope spec.Scope, cred Credentials) *Client {
	t.Helper()
	u := spec.URL{Scope: scope, Owner: "octo", API: s.URL + "/api/v3/"}
	if scope == spec.Repository {
		u.Repo = "bench"
	}
	c, err := New(Options{URL: u, Credentials: cred, Version: "1.2.3", PublicAPI: s.URL + "/public/",
		pause: func(ctx context.Context, d time.Duration) error {
			s.slept = append(s.slept, d)
			return ctx.Err()
		}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *server) repo(t *testing.T) *Client {
	t.Helper()
	return s.client(t, spec.Repository, Credentials{Token: canary, Source: "GH_TOKEN"})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func TestRunnersReadsEveryPage(t *testing.T) {
	t.Parallel()
	var s *server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		page := r.URL.Query().Get("page")
		var runners []actions.Runner
		if page == "1" {
			w.Header().Set("Link", fmt.Sprintf(`<%s%s?page=2>; rel="next"`, s.URL, r.URL.Path))
			for id := range 100 {
				runners = append(runners, actions.Runner{ID: int64(id + 1), Name: fmt.Sprintf("r%d", id)})
			}
		} else {
			runners = append(runners, actions.Runner{ID: 101, Name: "last", Labels: []actions.Label{{Name: "x", Type: "read-only"}}})
		}
		answer(w, 200, map[string]any{"total_count": 101, "runners": runners})
	})
	all, err := s.repo(t).Runners(t.Context(), "")
	if err != nil || len(all) != 101 || all[100].Name != "last" || !all[100].Labels[0].ReadOnly() {
		t.Fatalf("got %d runners, %v", len(all), err)
	}
	if got := s.last.Header.Get("User-Agent"); got != "benchctl/1.2.3" {
		t.Errorf("User-Agent is %q", got)
	}
	if got := s.last.Header.Get("Authorization"); got != "Bearer "+canary {
		t.Errorf("Authorization is %q", got)
	}
}

func TestPagesThatNeverEndDo(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", `</x?page=1>; rel="next"`)
		answer(w, 200, map[string]any{"runners": []any{}})
	})
	if _, err := s.repo(t).Runners(t.Context(), "n"); err != nil || len(s.asked) != 1 {
		t.Fatalf("asked %q, %v", s.asked, err)
	}
	asked := 0
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if asked <= 2*mostPages {
			w.Header().Set("Link", fmt.Sprintf(`</x?page=%d>; rel="next"`, page+1))
		}
		answer(w, 200, map[string]any{"runners": []any{}})
	})
	if _, err := s.repo(t).Runners(t.Context(), "n"); err == nil || !strings.Contains(err.Error(), "names more than 1000 pages") || asked != mostPages {
		t.Fatalf("asked %d times, %v", asked, err)
	}
}

func TestPathsOfEveryScope(t *testing.T) {
	t.Parallel()
	for scope, prefix := range map[spec.Scope]string{
		spec.Repository:   "/api/v3/repos/octo/bench",
		spec.Organization: "/api/v3/orgs/octo",
		spec.Enterprise:   "/api/v3/enterprises/octo",
	} {
		t.Run(string(scope), func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "downloads"):
					answer(w, 200, []actions.Download{})
				default:
					answer(w, 200, map[string]any{"token": "T", "name": "n", "id": 7})
				}
			})
			c, ctx := s.client(t, scope, Credentials{Token: canary}), t.Context()
			for want, do := range map[string]func() error{
				"GET /actions/runners?name=a+b&page=1&per_page=100": func() error { _, err := c.Runners(ctx, "a b"); return err },
				"GET /actions/runners/7":                            func() error { _, err := c.Runner(ctx, 7); return err },
				"DELETE /actions/runners/7":                         func() error { return c.DeleteRunner(ctx, 7) },
				"GET /actions/runners/7/labels":                     func() error { _, err := c.Labels(ctx, 7); return err },
				"PUT /actions/runners/7/labels":                     func() error { return c.SetLabels(ctx, 7, []string{"b"}) },
				"GET /actions/runner-groups?per_page=100&page=1":    func() error { _, err := c.Groups(ctx, 0); return err },
				"PUT /actions/runner-groups/3/runners/7":            func() error { return c.MoveRunner(ctx, 7, 3) },
				"POST /actions/runners/registration-token":          func() error { _, err := c.RegistrationToken(ctx); return err },
				"POST /actions/runners/remove-token":                func() error { _, err := c.RemoveToken(ctx); return err },
				"GET /actions/runners/downloads":                    func() error { _, err := c.Downloads(ctx); return err },
			} {
				if err := do(); err != nil {
					t.Errorf("%s: %v", want, err)
				}
				method, path, _ := strings.Cut(want, " ")
				if got := s.asked[len(s.asked)-1]; got != method+" "+prefix+path {
					t.Errorf("asked %s, want %s %s%s", got, method, prefix, path)
				}
			}
		})
	}
}

func TestSetLabelsSendsAList(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 200, nil) })
	c := s.repo(t)
	for want, names := range map[string][]string{
		`{"labels":["a","b"]}`: {"a", "b"},
		`{"labels":[]}`:        nil,
	} {
		if err := c.SetLabels(t.Context(), 1, names); err != nil || s.body != want {
			t.Errorf("sent %s, want %s; %v", s.body, want, err)
		}
	}
}

func TestAnswersBecomeSentences(t *testing.T) {
	t.Parallel()
	reset := time.Now().Add(20 * time.Minute).Truncate(time.Second)
	for name, c := range map[string]struct {
		status int
		header map[string]string
		body   string
		want   []string
	}{
		"bad token":       {401, nil, `{"message":"Bad credentials ` + canary + `"}`, []string{"GH_TOKEN", "401", "expired", "make new ones"}},
		"no permission":   {403, nil, `{"message":"Resource not accessible by personal access token"}`, []string{"403: Resource not accessible", "Administration: write"}},
		"not found":       {404, nil, `{"message":"Not Found"}`, []string{"no such thing", "may not see it", "runner.url", "Administration: write"}},
		"conflict":        {409, nil, `{"message":"Already exists"}`, []string{"409: Already exists"}},
		"refused":         {422, nil, `{"message":"Bad request","errors":[{"resource":"Runner","field":"name","code":"custom","message":"is still running a job"}]}`, []string{"422: Bad request: name is still running a job"}},
		"too many":        {429, map[string]string{"Retry-After": "3600"}, `{}`, []string{"429", "run again after"}},
		"rate limit":      {403, map[string]string{"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(reset.Unix())}, `{"message":"API rate limit exceeded"}`, []string{"rate limit of 5000", reset.UTC().Format("15:04:05 UTC")}},
		"secondary":       {403, map[string]string{"Retry-After": "3600"}, `{"message":"slow","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`, []string{"secondary rate limit", "run again after"}},
		"trouble":         {503, nil, `<html>unicorn</html>`, []string{"in trouble (503", "githubstatus.com"}},
		"a login page":    {200, map[string]string{"Content-Type": "text/html; charset=utf-8"}, `<html>pay here</html>`, []string{"not the JSON that was expected", "login page"}},
		"broken JSON":     {200, nil, `{"token":`, []string{"not the JSON that was expected"}},
		"another shape":   {200, nil, `{"token":7}`, []string{"not the JSON that was expected"}},
		"null":            {200, nil, `null`, []string{"not the JSON that was expected"}},
		"absurdly long":   {200, nil, strings.Repeat(" ", maxAnswer+1) + "{}", []string{"larger than 8 MiB"}},
		"control bytes":   {409, nil, "{\"message\":\"a\\u001b[2Jb\\nc\"}", []string{"409: a [2Jb c)"}},
		"teapot":          {418, nil, ``, []string{"GitHub answers 418"}},
		"leaves for evil": {307, map[string]string{"Location": "http://127.0.0.2:1/"}, ``, []string{"redirect to somewhere else", "runner.url"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			_, err := s.repo(t).RegistrationToken(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(c.want, "cannot get a registration token for octo/bench: ", "; ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
				t.Errorf("the token is in %q", err)
			}
			if errors.Is(err, actions.ErrNotFound) != (c.status == 404) {
				t.Errorf("ErrNotFound: %v", errors.Is(err, actions.ErrNotFound))
			}
		})
	}
}

func TestNoAnswerBecomesASentence(t *testing.T) {
	t.Parallel()
	cut := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	})
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0) // it will complain that nobody trusts it
	tls.StartTLS()
	t.Cleanup(tls.Close)
	gone, plain := serve(t, nil), serve(t, func(http.ResponseWriter, *http.Request) {})
	gone.Close()
	for want, api := range map[string]string{
		"cut off":        cut.URL,
		"is not trusted": tls.URL,
		"refuses":        gone.URL,
		"does not speak": strings.Replace(plain.URL, "http:", "https:", 1),
		"no-such-host":   "http://no-such-host.invalid",
	} {
		c, err := New(Options{URL: spec.URL{Scope: spec.Organization, Owner: "octo", API: api + "/"},
			pause: func(context.Context, time.Duration) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Runners(t.Context(), "")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Get ") {
			t.Errorf("%s: %v; want %q", api, err, want)
		}
	}
}

func TestTriesAgainOnlyWhatIsSafe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do     func(*Client, context.Context) error
		header string // Retry-After
		status int
		times  int
	}{
		"a look after a 502":        {look, "", 502, 3},
		"a delete after a 503":      {func(c *Client, ctx context.Context) error { return c.DeleteRunner(ctx, 1) }, "", 503, 3},
		"a token after a 502":       {token, "", 502, 1},
		"a token after a short 429": {token, "2", 429, 3},
		"a look after a long 429":   {look, "300", 429, 1},
		"a look without right":      {look, "", 403, 1},
		"a look for nothing":        {look, "", 404, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				answer(w, c.status, map[string]string{"message": "no"})
			})
			if err := c.do(s.repo(t), t.Context()); err == nil {
				t.Error("no error")
			}
			if len(s.asked) != c.times || len(s.slept) != c.times-1 {
				t.Errorf("asked %d times, slept %v; want %d", len(s.asked), s.slept, c.times)
			}
			if c.header == "2" && s.slept[0] != 2*time.Second {
				t.Errorf("Retry-After: 2 was not respected: %v", s.slept)
			}
		})
	}
}

func look(c *Client, ctx context.Context) error  { _, err := c.Runner(ctx, 1); return err }
func token(c *Client, ctx context.Context) error { _, err := c.RegistrationToken(ctx); return err }

func TestARetrySendsTheBodyAgain(t *testing.T) {
	t.Parallel()
	first := true
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if first {
			first = false
			w.WriteHeader(502)
			return
		}
		answer(w, 200, nil)
	})
	if err := s.repo(t).SetLabels(t.Context(), 1, []string{"a"}); err != nil || s.body != `{"labels":["a"]}` {
		t.Fatalf("sent %q the second time, %v", s.body, err)
	}
}

func TestAnUnchangedAnswerIsNotSentTwice(t *testing.T) {
	t.Parallel()
	full := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		full++
		answer(w, 200, actions.Runner{ID: 7, Name: "n"})
	})
	c := s.repo(t)
	for range 3 {
		if r, err := c.Runner(t.Context(), 7); err != nil || r.Name != "n" {
			t.Fatal(r, err)
		}
	}
	if full != 1 || len(s.asked) != 3 {
		t.Errorf("%d full answers of %d", full, len(s.asked))
	}
}

func TestDeleteDoesNotBecomeAGet(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
	})
	if err := s.repo(t).DeleteRunner(t.Context(), 1); err == nil || len(s.asked) != 1 {
		t.Errorf("asked %q, %v", s.asked, err)
	}
}

func appKey(t *testing.T) actions.Secret {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return actions.Secret(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func TestAppAsksForOneTokenAndCountsIt(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			answer(w, 201, map[string]any{"token": "ghs_installation", "expires_at": time.Now().Add(time.Hour)})
			return
		}
		answer(w, 200, actions.Runner{ID: 7})
	})
	c := s.client(t, spec.Organization, Credentials{App: &App{ID: 1, Installation: 2, Key: appKey(t)}, Source: "/k.pem"})
	for range 2 {
		if _, err := c.Runner(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
	}
	if c.AppTokens() != 1 || s.asked[0] != "POST /api/v3/app/installations/2/access_tokens" || len(s.asked) != 3 {
		t.Errorf("%d tokens, asked %q", c.AppTokens(), s.asked)
	}
	if got := s.last.Header.Get("Authorization"); got != "token ghs_installation" {
		t.Errorf("Authorization is %q", got)
	}
}

func TestAppThatGetsNoToken(t *testing.T) {
	t.Parallel()
	key := appKey(t)
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"bad key":         {401, `{"message":"A JSON web token could not be decoded"}`, "does not accept the key of App 1 from /k.pem (401)"},
		"no installation": {404, `{}`, "no installation 2"},
		"null":            {201, `null`, "not the JSON that was expected"},
		"nothing in it":   {201, `{}`, "not the JSON that was expected"},
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		})
		client := s.client(t, spec.Repository, Credentials{App: &App{ID: 1, Installation: 2, Key: key}, Source: "/k.pem"})
		if _, err := client.Runner(t.Context(), 7); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Options{URL: spec.URL{API: "http://127.0.0.1/"}, Credentials: Credentials{App: &App{Key: canary}, Source: "/k.pem"}}); err == nil ||
		!strings.Contains(err.Error(), "/k.pem") || strings.Contains(err.Error(), canary) {
		t.Errorf("a key that is none: %v", err)
	}
}
