package standin_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/openapi"
)

// An api asks a server by plain HTTP.
type api struct {
	t     *testing.T
	srv   *standin.Server
	token string
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    []byte
}

func (a api) ask(method, path string, body any, header ...string) answer {
	a.t.Helper()
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			a.t.Fatal(err)
		}
		sent = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, a.srv.URL()+"/api/v3"+path, sent)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	got := answer{status: resp.StatusCode, header: resp.Header}
	got.raw, _ = io.ReadAll(resp.Body)
	json.Unmarshal(got.raw, &got.body)
	return got
}

func (a answer) names(list, key string) []string {
	var names []string
	items, _ := a.body[list].([]any)
	for _, item := range items {
		names = append(names, fmt.Sprint(item.(map[string]any)[key]))
	}
	return names
}

const runnersPath = "/repos/example/bench/actions/runners"

func TestRunnersPageByPage(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	for i := range 205 {
		srv.AddRunner(scope, fmt.Sprintf("r%03d", i))
	}
	srv.AddRunner(standin.Org("example"), "elsewhere")
	a := api{t, srv, "t"}
	path, seen := runnersPath+"?per_page=100", 0
	for pages := 1; path != ""; pages++ {
		got := a.ask("GET", path, nil)
		if got.body["total_count"] != 205.0 || pages > 3 {
			t.Fatalf("page %d: total %v", pages, got.body["total_count"])
		}
		seen += len(got.names("runners", "name"))
		path = ""
		for link := range strings.SplitSeq(got.header.Get("Link"), ", ") {
			if next, ok := strings.CutSuffix(link, `>; rel="next"`); ok {
				path = strings.TrimPrefix(next, "<"+srv.URL()+"/api/v3")
			}
		}
	}
	if seen != 205 {
		t.Errorf("saw %d runners in all pages, want 205", seen)
	}
	if got := a.ask("GET", runnersPath+"?name=R007", nil).names("runners", "name"); !slices.Equal(got, []string{"r007"}) {
		t.Errorf("by name: %v", got)
	}
	if got := len(a.ask("GET", runnersPath, nil).names("runners", "name")); got != 30 {
		t.Errorf("%d on a page by default, want 30", got)
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/repos/example/bench", "/orgs/example", "/enterprises/example"} {
		srv := newServer(t, standin.Options{})
		where := standin.Scope(strings.TrimPrefix(prefix, "/"))
		id := srv.AddRunner(where, "box", "one")
		a, path := api{t, srv, "t"}, fmt.Sprintf("%s/actions/runners/%d/labels", prefix, id)
		steps := []struct {
			method, path string
			body         any
			status       int
			want         string
		}{
			{"GET", path, nil, 200, "self-hosted Linux X64 one"},
			{"PUT", path, map[string][]string{"labels": {"two", "TWO", "linux", "a b"}}, 200, "self-hosted Linux X64 two a b"},
			{"POST", path, map[string][]string{"labels": {"three", "two"}}, 200, "self-hosted Linux X64 two a b three"},
			{"DELETE", path + "/a%20b", nil, 200, "self-hosted Linux X64 two three"},
			{"DELETE", path + "/Linux", nil, 422, ""},
			{"DELETE", path + "/nothing", nil, 404, ""},
			{"DELETE", path, nil, 200, "self-hosted Linux X64"},
		}
		for _, step := range steps {
			got := a.ask(step.method, step.path, step.body)
			if names := strings.Join(got.names("labels", "name"), " "); got.status != step.status || names != step.want {
				t.Errorf("%s %s: %d %q, want %d %q", step.method, step.path, got.status, names, step.status, step.want)
			}
		}
	}
}

func TestTokensAndRemoval(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	id := srv.AddRunner(scope, "box")
	srv.AcceptToken("good")
	for token, status := range map[string]int{"": 401, "bad": 401, "good": 201} {
		if got := (api{t, srv, token}).ask("POST", runnersPath+"/registration-token", nil); got.status != status {
			t.Errorf("token %q: %d, want %d", token, got.status, status)
		}
	}
	a := api{t, srv, "good"}
	got := a.ask("POST", runnersPath+"/remove-token", nil)
	expires, err := time.Parse(time.RFC3339, fmt.Sprint(got.body["expires_at"]))
	if left := time.Until(expires); err != nil || left < 55*time.Minute || left > time.Hour {
		t.Errorf("expires_at %v: %v", got.body["expires_at"], err)
	}
	srv.Change(id, func(r *standin.Runner) { r.Busy = true })
	path := fmt.Sprintf("%s/%d", runnersPath, id)
	if got := a.ask("DELETE", path, nil); got.status != 422 {
		t.Errorf("a busy runner: %d", got.status)
	}
	srv.LieAboutBusy(id, false)
	if got := a.ask("GET", path, nil); got.body["busy"] != false || got.body["status"] != "offline" {
		t.Errorf("the lie is not told: %v", got.body)
	}
	srv.Change(id, func(r *standin.Runner) { r.Busy = false })
	if got := a.ask("DELETE", path, nil); got.status != 204 || len(srv.Runners(scope)) != 0 {
		t.Errorf("removal: %d", got.status)
	}
	if got := a.ask("GET", path, nil); got.status != 404 {
		t.Errorf("after it: %d", got.status)
	}
	if got := a.ask("GET", "/rate_limit", nil); got.status != 200 {
		t.Errorf("rate limit: %d", got.status)
	}
}

func TestUnchangedAnswersAreNotSentAgain(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	id := srv.AddRunner(scope, "box")
	a := api{t, srv, "t"}
	first := a.ask("GET", runnersPath, nil)
	tag, left := first.header.Get("ETag"), first.header.Get("X-RateLimit-Remaining")
	again := a.ask("GET", runnersPath, nil, "If-None-Match", tag)
	if again.status != 304 || len(again.raw) != 0 || again.header.Get("X-RateLimit-Remaining") != left {
		t.Errorf("%d with %d bytes, remaining %s then %s", again.status, len(again.raw), left, again.header.Get("X-RateLimit-Remaining"))
	}
	srv.SetLabels(id, "new")
	if got := a.ask("GET", runnersPath, nil, "If-None-Match", tag); got.status != 200 {
		t.Errorf("after a change: %d", got.status)
	}
}

func TestGroupsDeprecationsAndWorkflows(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	org, a := standin.Org("example"), api{t, srv, "t"}
	group, id := srv.AddGroup(org, "bench"), srv.AddRunner(org, "box")
	if got := a.ask("GET", "/orgs/example/actions/runner-groups", nil).names("runner_groups", "name"); !slices.Equal(got, []string{"Default", "bench"}) {
		t.Errorf("groups %v", got)
	}
	if got := a.ask("PUT", fmt.Sprintf("/orgs/example/actions/runner-groups/%d/runners/%d", group, id), nil); got.status != 204 {
		t.Errorf("join: %d", got.status)
	}
	if got := a.ask("GET", fmt.Sprintf("/orgs/example/actions/runner-groups/%d/runners", group), nil).names("runners", "name"); !slices.Equal(got, []string{"box"}) {
		t.Errorf("runners of the group: %v", got)
	}
	srv.Deprecate(standin.Deprecation{Version: "2.329.0", Runtime: time.Unix(1, 0).UTC(), Registration: time.Unix(2, 0).UTC()})
	for version, status := range map[string]int{"2.329.0": 200, "9.9.9": 404} {
		if got := a.ask("GET", runnersPath+"/deprecations/"+version, nil); got.status != status {
			t.Errorf("deprecation of %s: %d", version, got.status)
		}
	}
	srv.AddWorkflow(scope, standin.Workflow{Name: "bench", Path: ".github/workflows/bench.yml"})
	if got := a.ask("GET", "/repos/example/bench/actions/workflows", nil).names("workflows", "state"); !slices.Equal(got, []string{"active"}) {
		t.Errorf("workflows: %v", got)
	}
}

func TestInstallationTokens(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	srv.AddApp(7, &key.PublicKey)
	srv.AcceptToken("another")
	sign := func(key *rsa.PrivateKey, app string, life time.Duration) string {
		claims := fmt.Sprintf(`{"iss":%q,"iat":%d,"exp":%d}`, app, time.Now().Unix(), time.Now().Add(life).Unix())
		text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		sum := sha256.Sum256([]byte(text))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	stranger, _ := rsa.GenerateKey(rand.Reader, 2048)
	const path = "/app/installations/9/access_tokens"
	for name, jwt := range map[string]string{
		"no JWT": "x", "another app": sign(key, "8", time.Minute), "another key": sign(stranger, "7", time.Minute),
		"too late": sign(key, "7", -time.Minute), "too long": sign(key, "7", time.Hour),
	} {
		if got := (api{t, srv, jwt}).ask("POST", path, nil); got.status != 401 {
			t.Errorf("%s: %d, want 401", name, got.status)
		}
	}
	got := (api{t, srv, sign(key, "7", 5*time.Minute)}).ask("POST", path, nil)
	if got.status != 201 {
		t.Fatalf("%d: %s", got.status, got.raw)
	}
	if got := (api{t, srv, fmt.Sprint(got.body["token"])}).ask("GET", runnersPath, nil); got.status != 200 {
		t.Errorf("the installation's token is not taken: %d", got.status)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	a := api{t, srv, "t"}
	pattern := "/repos/*/*/actions/runners"
	tests := []struct {
		mode   standin.Mode
		status int
		header map[string]string
	}{
		{standin.Unauthorized, 401, nil},
		{standin.Forbidden, 403, nil},
		{standin.Missing, 404, nil},
		{standin.Conflict, 409, nil},
		{standin.Unprocessable, 422, nil},
		{standin.TooManyRequests, 429, map[string]string{"Retry-After": "7"}},
		{standin.PrimaryLimit, 403, map[string]string{"X-RateLimit-Remaining": "0"}},
		{standin.SecondaryLimit, 403, map[string]string{"Retry-After": "7"}},
		{standin.Unavailable, 503, nil},
		{standin.Slow, 200, nil},
	}
	for _, test := range tests {
		delay := 7 * time.Second
		if test.mode == standin.Slow {
			delay = time.Millisecond
		}
		f := srv.Fail(standin.Fault{Method: "GET", Path: pattern, Mode: test.mode, Skip: 1, Times: 1, Delay: delay})
		var statuses []int
		for range 3 {
			got := a.ask("GET", runnersPath, nil)
			statuses = append(statuses, got.status)
			for name, want := range test.header {
				if got.status != 200 && got.header.Get(name) != want {
					t.Errorf("mode %d: %s is %q, want %q", test.mode, name, got.header.Get(name), want)
				}
			}
		}
		if !slices.Equal(statuses, []int{200, test.status, 200}) || f.Hits() != 1 {
			t.Errorf("mode %d: %v with %d hits", test.mode, statuses, f.Hits())
		}
		f.Remove()
	}
}

func TestDownloads(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	content := bytes.Repeat([]byte("archive "), 100_000)
	if err := srv.PublishRunner("2.336.0", standin.Asset{Data: content}); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	a := api{t, srv, "t"}
	var offers []map[string]string
	json.Unmarshal(a.ask("GET", runnersPath+"/downloads", nil).raw, &offers)
	if len(offers) != 1 || offers[0]["sha256_checksum"] != digest {
		t.Fatalf("downloads: %v", offers)
	}
	release := a.ask("GET", "/repos/actions/runner/releases/latest", nil)
	if !strings.Contains(fmt.Sprint(release.body["body"]), "<!-- BEGIN SHA linux-x64 -->"+digest+"<!-- END SHA linux-x64 -->") ||
		!slices.Equal(release.names("assets", "digest"), []string{"sha256:" + digest}) {
		t.Errorf("release: %s", release.raw)
	}
	if got := a.ask("GET", "/repos/actions/runner/releases/tags/v1.0.0", nil); got.status != 404 {
		t.Errorf("no such tag: %d", got.status)
	}
	fetch := func() ([]byte, error) {
		resp, err := http.Get(offers[0]["download_url"])
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if !strings.HasPrefix(resp.Request.URL.Path, "/_assets/") {
			t.Errorf("not redirected: %s", resp.Request.URL)
		}
		return io.ReadAll(resp.Body)
	}
	if got, err := fetch(); err != nil || !bytes.Equal(got, content) {
		t.Errorf("download: %d bytes, %v", len(got), err)
	}
	path := "/_assets/actions/runner/v*/*"
	cut := srv.Fail(standin.Fault{Path: path, Mode: standin.CutOff, Times: 1})
	if got, err := fetch(); err == nil || len(got) > len(content)/2 || cut.Hits() != 1 {
		t.Errorf("cut off: %d bytes of %d, %v", len(got), len(content), err)
	}
	srv.Fail(standin.Fault{Path: path, Mode: standin.WrongBytes, Times: 1})
	if got, err := fetch(); err != nil || len(got) != len(content) || bytes.Equal(got, content) {
		t.Errorf("wrong bytes: %d of %d, equal %v, %v", len(got), len(content), bytes.Equal(got, content), err)
	}
}

func TestRequestsAreRecordedWithoutSecrets(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	a := api{t, srv, "canary-secret"}
	a.ask("GET", runnersPath, nil)
	a.ask("POST", runnersPath+"/registration-token", nil)
	requests := srv.Requests()
	if len(requests) != 2 || requests[1].Method != "POST" || requests[1].Path != runnersPath+"/registration-token" || requests[1].Status != 201 {
		t.Fatalf("requests: %v", requests)
	}
	if got, want := requests[0].Header.Get("Authorization"), "Bearer "+standin.Digest("canary-secret"); got != want {
		t.Errorf("Authorization noted as %q, want %q", got, want)
	}
	srv.ForgetRequests()
	if left := srv.Requests(); len(left) != 0 {
		t.Errorf("still %d", len(left))
	}
}

func TestWhatIsNotDescribedIsAViolation(t *testing.T) {
	t.Parallel()
	srv, err := standin.Start(standin.Options{Check: openapi.GitHub()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	id := srv.AddRunner(scope, "box")
	a := api{t, srv, "t"}
	if got := a.ask("GET", "/repos/example/bench/actions/nonsense", nil); got.status != 404 {
		t.Errorf("status %d", got.status)
	}
	a.ask("GET", runnersPath+"?limit=5", nil)
	a.ask("PUT", fmt.Sprintf("%s/%d/labels", runnersPath, id), map[string]any{"label": []string{"x"}})
	if got := srv.Violations(); len(got) != 3 {
		t.Errorf("violations: %q", got)
	}
}

func TestHostsOverTLS(t *testing.T) {
	t.Parallel()
	srv, err := standin.Start(standin.Options{Names: []string{"ghes.example"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.ServeTLS(listener); err != nil {
		t.Fatal(err)
	}
	if err := srv.PublishRunner("2.336.0", standin.Asset{Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(srv.CA())
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, listener.Addr().String())
		},
	}}
	for address, want := range map[string]string{
		"https://api.github.com/repos/actions/runner/releases/latest":                                          "https://github.com/actions/runner/releases/download/v2.336.0/",
		"https://ghes.example/api/v3/repos/a/b/actions/runners":                                                "",
		"https://github.com/actions/runner/releases/download/v2.336.0/actions-runner-linux-x64-2.336.0.tar.gz": "x",
	} {
		resp, err := client.Get(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(body), want) {
			t.Errorf("%s: no %q in %s", address, want, body)
		}
		if want == "x" && resp.Request.URL.Host != standin.HostAssets {
			t.Errorf("downloads come from %s, want %s", resp.Request.URL.Host, standin.HostAssets)
		}
	}
}
