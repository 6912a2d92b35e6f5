package spec_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/spec"
)

const head = "version: 1\nuser: gha-runner\nrunner:\n  url: https://github.com/OWNER/REPO\n  version: \"2.336.0\"\n"

// load is a Load that has to succeed.
func load(t *testing.T, text string) *spec.Spec {
	t.Helper()
	s, err := spec.Load("runner.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got := load(t, head)
	want := &spec.Spec{
		File: "runner.yaml", SHA256: got.SHA256, Text: []byte(head), Version: 1,
		User:       spec.User{Name: "gha-runner", Home: "/var/lib/gha-runner", Shell: "/usr/sbin/nologin"},
		InstallDir: "/var/lib/gha-runner/actions-runner",
		Runner: spec.Runner{
			URL: spec.URL{Text: "https://github.com/OWNER/REPO", Scope: spec.Repository, Host: "github.com",
				Owner: "OWNER", Repo: "REPO", API: "https://api.github.com/"},
			Version: "2.336.0", Name: "{hostname}-bench", WorkDir: "_work", Env: map[string]string{}, Keep: 1,
		},
		Service: spec.Service{Directives: map[string]string{}},
		Gate:    spec.Gate{Policy: "warn", MaxLoad: 0.5},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(got.SHA256) != 64 {
		t.Errorf("SHA256 is %q", got.SHA256)
	}
	if dir := got.WorkDir(); dir != "/var/lib/gha-runner/actions-runner/_work" {
		t.Errorf("WorkDir is %s", dir)
	}
}

// TestAsTyped holds that a value stays what was typed, whatever YAML would
// make of it, and that a short form means the long one.
func TestAsTyped(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("0123456789abcdef", 4)
	for _, test := range []struct {
		text string
		get  func(*spec.Spec) any
		want any
	}{
		{"gate: off", func(s *spec.Spec) any { return s.Gate }, spec.Gate{Policy: "off", MaxLoad: 0.5}},
		{"gate: fail", func(s *spec.Spec) any { return s.Gate }, spec.Gate{Policy: "fail", MaxLoad: 0.5}},
		{"gate: {policy: fail, maxLoad: 1.5}", func(s *spec.Spec) any { return s.Gate }, spec.Gate{Policy: "fail", MaxLoad: 1.5}},
		{"gate: {policy: warn, maxLoad: 2}", func(s *spec.Spec) any { return s.Gate }, spec.Gate{Policy: "warn", MaxLoad: 2}},
		{"governor: performance", func(s *spec.Spec) any { return *s.Governor }, spec.Governor{Name: "performance", IfUnsupported: "fail"}},
		{"governor: {name: powersave, ifUnsupported: skip}", func(s *spec.Spec) any { return *s.Governor }, spec.Governor{Name: "powersave", IfUnsupported: "skip"}},
		{"jdk: 21", func(s *spec.Spec) any { return *s.JDK }, spec.JDK{Version: "21", Vendor: "distribution"}},
		{"jdk: \"8\"", func(s *spec.Spec) any { return s.JDK.Version }, "8"},
		{"jdk: {version: 21, archive: /srv/j.tgz, sha256: sha256:" + strings.ToUpper(digest) + "}", func(s *spec.Spec) any { return *s.JDK },
			spec.JDK{Version: "21", Archive: "/srv/j.tgz", SHA256: digest}},
		{"jdk: {version: 21, vendor: temurin}", func(s *spec.Spec) any { return *s.JDK.Repository }, spec.AptRepository{
			URL: "https://packages.adoptium.net/artifactory/deb", Key: "https://packages.adoptium.net/artifactory/api/gpg/key/public",
			Fingerprint: "3B04D753C9050D9A5D343F39843C48A565F8F04B"}},
		{"jdk: {version: 21, vendor: temurin, repository: {url: https://mirror.example/deb/, suite: noble}}", func(s *spec.Spec) any { return *s.JDK.Repository }, spec.AptRepository{
			URL: "https://mirror.example/deb", Suite: "noble", Key: "https://packages.adoptium.net/artifactory/api/gpg/key/public",
			Fingerprint: "3B04D753C9050D9A5D343F39843C48A565F8F04B"}},
		{"jdk: {version: 21, repository: {url: https://a.example, key: /etc/k.asc, fingerprint: 3b04 d753 c905 0d9a 5d34 3f39 843c 48a5 65f8 f04b}}",
			func(s *spec.Spec) any { return *s.JDK.Repository }, spec.AptRepository{URL: "https://a.example", Key: "/etc/k.asc", Fingerprint: "3B04D753C9050D9A5D343F39843C48A565F8F04B"}},
		{"pts: 2.10", func(s *spec.Spec) any { return s.PTS.Version }, "2.10"},
		{"pts: 10.8.6", func(s *spec.Spec) any { return s.PTS.Archive },
			"https://github.com/phoronix-test-suite/phoronix-test-suite/releases/download/v10.8.6/phoronix-test-suite_10.8.6_all.deb"},
		{"pts: {version: 10.8m2, archive: /srv/p.deb, sha256: " + digest + "}", func(s *spec.Spec) any { return *s.PTS }, spec.PTS{Version: "10.8m2", Archive: "/srv/p.deb", SHA256: digest}},
		{"pts: {version: 10.8.6, sha256: 0000000000000000000000000000000000000000000000000000000000000010}", func(s *spec.Spec) any { return s.PTS.SHA256 },
			"0000000000000000000000000000000000000000000000000000000000000010"},
		{"service: {cpus: 3}", func(s *spec.Spec) any { return s.Service.CPUs }, "3"},
		{"service: {cpus: \"8, 2-4,3-5\"}", func(s *spec.Spec) any { return s.Service.CPUs }, "2-5,8"},
		{"service: {directives: {LimitNICE: 010, NoNewPrivileges: yes, IOWeight: \"\"}}", func(s *spec.Spec) any { return s.Service.Directives },
			map[string]string{"LimitNICE": "010", "NoNewPrivileges": "yes", "IOWeight": ""}},
		{"service: {needs: [perf, taskset]}", func(s *spec.Spec) any { return s.Service.Has(spec.NeedPerf) && !s.Service.Has(spec.NeedPtrace) }, true},
		{"schedule: '*/30 * * * *'", func(s *spec.Spec) any { return *s.Schedule }, spec.Schedule{Cron: "*/30 * * * *", Splay: 15 * time.Minute, MaxDefer: 6 * time.Hour}},
		{"schedule: '@daily'", func(s *spec.Spec) any { return s.Schedule.Splay }, 15 * time.Minute},
		{"schedule: '@every 15s'", func(s *spec.Spec) any { return s.Schedule.Splay }, 7 * time.Second},
		{"schedule: '0,50 * * * *'", func(s *spec.Spec) any { return s.Schedule.Splay }, 5 * time.Minute}, // ten minutes are the shortest
		{"schedule: {cron: '@hourly', splay: 0s, maxDefer: 1d}", func(s *spec.Spec) any { return *s.Schedule }, spec.Schedule{Cron: "@hourly", MaxDefer: 24 * time.Hour}},
		{"schedule: {cron: CRON_TZ=Europe/Berlin 0 3 * * *, splay: 90s}", func(s *spec.Spec) any { return s.Schedule.Splay }, 90 * time.Second},
		{"notify: {command: /usr/local/sbin/tell, webhook: http://127.0.0.1:9/x, webhookFile: /etc/benchctl/webhook, issue: true}\nschedule: '@hourly'",
			func(s *spec.Spec) any { return *s.Notify }, spec.Notify{Command: "/usr/local/sbin/tell", Webhook: "http://127.0.0.1:9/x", WebhookFile: "/etc/benchctl/webhook", Issue: true}},
		{"cleanup: {work: 14d, diag: 36h, tools: keep, minFree: 20GiB, processes: end}", func(s *spec.Spec) any { return *s.Cleanup },
			spec.Cleanup{Work: 14 * 24 * time.Hour, Diag: 36 * time.Hour, KeepTools: true, MinFree: 20 << 30, Processes: "end"}},
		{"cleanup: {minFree: 1 TiB}", func(s *spec.Spec) any { return *s.Cleanup }, spec.Cleanup{MinFree: 1 << 40, Processes: "keep"}},
		{"gate: off", func(s *spec.Spec) any { return s.Metrics }, ""},
		{"schedule: '@hourly'", func(s *spec.Spec) any { return s.Metrics }, "/run/benchctl/benchctl.prom"},
		{"metrics: /var/lib/node/benchctl.prom", func(s *spec.Spec) any { return s.Metrics }, "/var/lib/node/benchctl.prom"},
		{"github: {tokenFile: /etc/benchctl/token}", func(s *spec.Spec) any { return s.GitHub }, spec.GitHub{TokenFile: "/etc/benchctl/token"}},
		{"github: {app: {id: 1, installation: 2, keyFile: /etc/benchctl/app.pem}}", func(s *spec.Spec) any { return *s.GitHub.App }, spec.App{ID: 1, Installation: 2, KeyFile: "/etc/benchctl/app.pem"}},
		{"installDir: /var/lib/gha-runner/runner", func(s *spec.Spec) any { return s.InstallDir }, "/var/lib/gha-runner/runner"},
	} {
		if got := test.get(load(t, head+test.text+"\n")); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %#v, want %#v", test.text, got, test.want)
		}
	}
}

// Nothing protects the home of an account that is used as it is, so that its
// runner may lie elsewhere.
func TestTheRunnerOfAnExistingAccountLiesElsewhere(t *testing.T) {
	t.Parallel()
	s := load(t, `version: 1
user: {name: ana, existing: true, home: /home/ana}
installDir: /opt/actions-runner
runner: {url: https://github.com/o/r, version: "2.336.0"}
`)
	if s.InstallDir != "/opt/actions-runner" || s.WorkDir() != "/opt/actions-runner/_work" {
		t.Errorf("it lies in %s, works in %s", s.InstallDir, s.WorkDir())
	}
}

func TestRunnerKeys(t *testing.T) {
	t.Parallel()
	s := load(t, head+`  labels: [Self-Hosted, linux, x86_64, bench, 2.10]
  allowLabels: [maintenance]
  workDir: /srv/bench/work
  env: {ON: on, N: 1_000, D: 2026-01-02, T: true, EMPTY: ""}
  keep: 0
  autoUpdate: true
  sha256: `+strings.Repeat("A", 64)+"\n")
	if want := []string{"x86_64", "bench", "2.10"}; !reflect.DeepEqual(s.Runner.CustomLabels(), want) {
		t.Errorf("custom labels are %q, want %q", s.Runner.CustomLabels(), want)
	}
	want := map[string]string{"ON": "on", "N": "1_000", "D": "2026-01-02", "T": "true", "EMPTY": ""}
	if !reflect.DeepEqual(s.Runner.Env, want) {
		t.Errorf("env is %q, want %q", s.Runner.Env, want)
	}
	if s.WorkDir() != "/srv/bench/work" || s.Runner.Keep != 0 || !s.Runner.AutoUpdate || s.Runner.SHA256 != strings.Repeat("a", 64) {
		t.Errorf("%+v", s.Runner)
	}
}

func TestExistingAccount(t *testing.T) {
	t.Parallel()
	s := load(t, strings.Replace(head, "user: gha-runner", "user: {name: ann, existing: true, home: /home/ann}", 1))
	if s.User.Home != "/home/ann" || !s.User.Existing || s.InstallDir != "/home/ann/actions-runner" {
		t.Errorf("%+v, %s", s.User, s.InstallDir)
	}
}

func TestResolveName(t *testing.T) {
	t.Parallel()
	s := load(t, head)
	if name, err := s.Runner.ResolveName("lab-1"); name != "lab-1-bench" || err != nil {
		t.Errorf("got %q, %v", name, err)
	}
	for _, hostname := range []string{"lab 1", "lab/1", strings.Repeat("x", 64)} {
		if name, err := s.Runner.ResolveName(hostname); err == nil {
			t.Errorf("%q became %q", hostname, name)
		}
	}
}

// TestText holds what cannot be written into a txtar: bytes that are not text,
// and line ends.
func TestText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"BOM", "\ufeff" + head, ""},
		{"CRLF", strings.ReplaceAll(head, "\n", "\r\n"), ""},
		{"no end of line", strings.TrimSpace(head), ""},
		{"CRLF and a fault", strings.ReplaceAll(head+"gate: wran\n", "\n", "\r\n"),
			"runner.yaml:6:7: gate: \"wran\" is not one of fail, warn, off\n    6 | gate: wran\n      |       ^ did you mean warn?"},
		{"BOM and a fault", "\ufeffversin: 1\n", "runner.yaml:1:1: versin: unknown key"},
		{"Latin-1", "version: 1\nuser: J\xf6rg\n", "runner.yaml:2:8: the byte 0xf6 is not UTF-8"},
		{"UTF-16", "\xff\xfev\x00", "runner.yaml:1:1: the text is UTF-16"},
		{"NUL", head + "gate: \x00off\n", "runner.yaml:6:7: the control character U+0000"},
		{"escape", head + "gate: \x1b[31moff\n", "runner.yaml:6:7: the control character U+001B"},
		{"old Mac", "version: 1\ruser: x\r", "runner.yaml:1:11: the character U+000D is an unusual line break"},
		{"line separator", "version: 1\u2028user: x\n", "runner.yaml:1:11: the character U+2028 is an unusual line break"},
		{"right to left", "user: \u202eroot\n", "runner.yaml:1:7: the invisible character U+202E changes the order"},
		{"too large", strings.Repeat("#", spec.MaxSize+1), "runner.yaml:1:1: the file has 1048577 bytes"},
		{"deep", "a: " + strings.Repeat("[", 20000), "runner.yaml:1:1: the nesting is too deep"},
	} {
		_, err := spec.Load("runner.yaml", []byte(test.text))
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got\n%v\nwant\n%s", test.name, err, test.want)
		}
	}
}

// A problem at each word of a line that is as long as a file does not take
// minutes: whoever fetches a spec gets what a server says.
func TestManyProblemsInALine(t *testing.T) {
	t.Parallel()
	text := "version: 1\nuser: x\nrunner: {url: https://github.com/o/r, version: \"2.336.0\", labels: [" + strings.Repeat(`"a b",`, 50_000) + "]}\n"
	_, err := spec.Load("runner.yaml", []byte(text))
	if problems, ok := err.(spec.Problems); !ok || len(problems) != 100 {
		t.Errorf("got %v", err)
	}
}

// TestManyProblems holds that a file which is something else ends in a
// bounded report.
func TestManyProblems(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	for i := range 10000 {
		text.WriteString("key" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + ": {a: &b c}\n")
	}
	_, err := spec.Load("runner.yaml", text.Bytes())
	if problems, ok := err.(spec.Problems); !ok || len(problems) != 100 {
		t.Errorf("%T with %d problems", err, len(problems))
	}
}

func TestProblemJSON(t *testing.T) {
	t.Parallel()
	_, err := spec.Load("runner.yaml", []byte(head+"gate: wran\n"))
	got, _ := json.Marshal(err)
	want := `[{"file":"runner.yaml","line":6,"col":7,"path":"gate","severity":"error",` +
		`"message":"\"wran\" is not one of fail, warn, off","hint":"did you mean warn?","excerpt":"gate: wran"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestScheduleNext(t *testing.T) {
	t.Parallel()
	s := load(t, head+"schedule: CRON_TZ=Europe/Berlin 0 3 * * *\n")
	after := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	if next := s.Schedule.Next(after); !next.Equal(time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)) {
		t.Errorf("next is %s", next)
	}
	if next := new(spec.Schedule).Next(after); !next.IsZero() {
		t.Errorf("a Schedule that says nothing comes at %s", next)
	}
}

func TestLoadFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "runner.yaml")
	if _, err := spec.LoadFile(file); err == nil || !strings.HasPrefix(err.Error(), "cannot read the spec: ") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(file, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := spec.LoadFile(file); err != nil || s.File != file {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := spec.LoadFile("/dev/zero"); err == nil || !strings.Contains(err.Error(), "more than the 1048576 that are read") {
		t.Errorf("an endless file: %v", err)
	}
}

var seenDigest = regexp.MustCompile(`[0-9a-fA-F]{64}`)

// TestExamples loads every example, and holds that an editor completes it.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../examples/*.yaml")
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "alerts.yaml" }) // for Prometheus
	if err != nil || len(files) < 5 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		s, err := spec.LoadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, w := range s.Warnings {
			if !strings.HasSuffix(w.Path, "sha256") {
				t.Errorf("an example has to be wise: %s", w)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(text, []byte("# yaml-language-server: $schema=../schema/runner.schema.json\n")) {
			t.Errorf("%s does not begin with the line that editors look for", file)
		}
		if seenDigest.Match(text) {
			t.Errorf("%s writes down a digest that nobody has seen", file)
		}
	}
}

func TestSkainet(t *testing.T) {
	t.Parallel()
	s, err := spec.LoadFile("../examples/skainet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if s.Runner.Name != "{hostname}-skainet-bench" || s.JDK.Vendor != spec.Temurin || s.PTS.Version != "10.8.6" || s.Governor.Name != "performance" ||
		!reflect.DeepEqual(s.Runner.Labels, []string{"self-hosted", "linux", "x86_64", "skainet-bench-linux-x86"}) {
		t.Errorf("this is not the operator's page: %+v", s)
	}
}

func BenchmarkLoad(b *testing.B) {
	text, err := os.ReadFile("../examples/skainet.yaml")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := spec.Load("skainet.yaml", text); err != nil {
			b.Fatal(err)
		}
	}
}
