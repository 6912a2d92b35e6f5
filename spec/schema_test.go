package spec

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/schema"
)

// whole has every key of the schema: what one file cannot hold together comes
// in several.
var whole = []string{`version: 1
user: {name: bench, home: /srv/bench, shell: /bin/sh, groups: [video], existing: false}
installDir: /srv/bench/runner
runner:
  url: https://github.com/ORG
  version: 2.336.0
  sha256: 0000000000000000000000000000000000000000000000000000000000000000
  archive: /srv/runner.tar.gz
  name: bench
  labels: [bench]
  allowLabels: [maintenance]
  group: bench
  workDir: work
  ephemeral: true
  autoUpdate: true
  env: {LANG: C.UTF-8}
  keep: 2
service: {needs: [perf], cpus: 2-5, directives: {MemoryMax: 1G}}
gate: {policy: fail, maxLoad: 1.5}
governor: {name: performance, ifUnsupported: skip}
jdk:
  version: 21
  repository: {url: "https://a.example", suite: noble, key: /etc/k.asc, fingerprint: 3B04D753C9050D9A5D343F39843C48A565F8F04B, package: jdk-21}
pts: {version: 10.8.6, archive: /srv/pts.deb, sha256: 0000000000000000000000000000000000000000000000000000000000000000}
schedule: {cron: "@hourly", splay: 5m, maxDefer: 2h}
notify: {command: /usr/local/sbin/tell, webhook: "https://alerts.example/x", webhookFile: /etc/benchctl/webhook, issue: false}
cleanup: {work: 14d, diag: 30d, tools: 90d, minFree: 20GiB, processes: end}
metrics: /run/benchctl/benchctl.prom
github: {tokenFile: /etc/benchctl/token}
`, `version: 1
user: bench
runner: {url: "https://github.com/ORG", version: 2.336.0}
jdk: {version: 21, archive: /srv/jdk.tgz, sha256: 0000000000000000000000000000000000000000000000000000000000000000}
github: {app: {id: 1, installation: 2, keyFile: /etc/benchctl/app.pem}}
`, `version: 1
user: bench
runner: {url: "https://github.com/ORG", version: 2.336.0}
jdk: {version: 21, vendor: temurin}
`}

// TestEveryKeyCounts holds that no key of the schema is accepted and ignored:
// each stands in a valid file above, and reading that file asks for it.
func TestEveryKeyCounts(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, text := range whole {
		l, _ := load(File{"runner.yaml", []byte(text)})
		if len(l.found) > 0 {
			t.Error(l.found)
		}
		walkFields(l.root, func(f *field) {
			seen[f.path] = true
			if !f.used {
				t.Errorf("%s is read by nobody", f.path)
			}
		})
	}
	walkSchema(t, func(path string, _ map[string]any) {
		if !strings.HasSuffix(path, "[]") && path != "" && !seen[path] {
			t.Errorf("%s is in no valid file of this test", path)
		}
	})
}

func walkFields(f *field, visit func(*field)) {
	visit(f)
	for _, child := range slices.Concat(f.items, slices.Collect(maps.Values(f.fields))) {
		walkFields(child, visit)
	}
}

// walkSchema visits every key of the schema's text by its path.
func walkSchema(t *testing.T, visit func(path string, s map[string]any)) {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(schema.JSON(), &root); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, s map[string]any)
	walk = func(path string, s map[string]any) {
		visit(path, s)
		properties, _ := s["properties"].(map[string]any)
		for key, child := range properties {
			walk(join(path, key), child.(map[string]any))
		}
		for _, keyword := range []string{"items", "additionalProperties"} {
			if child, ok := s[keyword].(map[string]any); ok {
				walk(path+"[]", child)
			}
		}
	}
	walk("", root)
}

// TestSchemaIsAReference holds what an editor shows of a key, and that a
// mapping lists its keys and takes no others.
func TestSchemaIsAReference(t *testing.T) {
	t.Parallel()
	walkSchema(t, func(path string, s map[string]any) {
		text, _ := s["description"].(string)
		title, _ := s["title"].(string)
		if !strings.HasSuffix(path, "[]") && (title == "" || !strings.HasSuffix(text, ".")) {
			t.Errorf("%s: title %q, description %q", path, title, text)
		}
		if s["properties"] != nil && s["additionalProperties"] != false {
			t.Errorf("%s takes keys that nobody knows", path)
		}
		if s["pattern"] != nil && s["examples"] == nil {
			t.Errorf("%s has a form and no example of it", path)
		}
		if enum, ok := s["enum"].([]any); ok && s["default"] != nil && !slices.Contains(enum, s["default"]) {
			t.Errorf("%s: its default is not among its words", path)
		}
	})
}

// TestKeysOfTheDesign holds the contract: keys may be added, none may go.
func TestKeysOfTheDesign(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	walkSchema(t, func(path string, _ map[string]any) { have[path] = true })
	for _, path := range strings.Fields(`version
		user user.name user.home user.shell user.groups user.existing installDir
		runner runner.url runner.version runner.sha256 runner.archive runner.name runner.labels runner.allowLabels runner.group
		runner.workDir runner.ephemeral runner.autoUpdate runner.env runner.keep
		service.needs service.cpus service.directives gate gate.policy gate.maxLoad governor governor.name governor.ifUnsupported
		jdk jdk.version jdk.vendor jdk.repository.url jdk.repository.suite jdk.repository.key jdk.repository.fingerprint jdk.archive jdk.sha256
		pts pts.version pts.archive pts.sha256 schedule schedule.cron schedule.splay schedule.maxDefer
		notify.command notify.webhook notify.webhookFile notify.issue metrics
		cleanup.work cleanup.diag cleanup.tools cleanup.minFree cleanup.processes
		github.tokenFile github.app.id github.app.installation github.app.keyFile`) {
		if !have[path] {
			t.Errorf("the schema lacks %s", path)
		}
	}
}

// TestKeywordsHaveWords holds that every keyword of the schema is either said
// in our words or says nothing about a file.
func TestKeywordsHaveWords(t *testing.T) {
	t.Parallel()
	silent := []string{"$schema", "$id", "title", "description", "default", "examples", "properties", "items"}
	walkSchema(t, func(path string, s map[string]any) {
		for keyword := range s {
			if _, ok := shapeWords[keyword]; !ok && !slices.Contains(silent, keyword) {
				t.Errorf("%s: no words for %s", path, keyword)
			}
		}
	})
}

// TestShortForms holds the rule that a scalar is the one required key.
func TestShortForms(t *testing.T) {
	t.Parallel()
	walkSchema(t, func(path string, s map[string]any) {
		types, _ := s["type"].([]any)
		required, _ := s["required"].([]any)
		if slices.Contains(types, "object") && len(required) != 1 {
			t.Errorf("%s: a scalar would stand for one of %v", path, required)
		}
	})
}

// TestSchemaText holds that the schema is one JSON value and names itself.
func TestSchemaText(t *testing.T) {
	t.Parallel()
	if !bytes.Contains(schema.JSON(), []byte(`"$id": "`+schema.URL+`"`)) {
		t.Errorf("the schema does not name itself %s", schema.URL)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	words := []string{"performance", "powersave", "off", "warn", "cpus"}
	for typed, want := range map[string]string{
		"perfromance": "performance", "Performance": "performance", "powesrave": "powersave", "wran": "warn", "cpu": "cpus",
		"on": "", "x": "", "": "", "schedutil": "", strings.Repeat("performance", 1000): "",
	} {
		if got := nearest(typed, words); got != want {
			t.Errorf("nearest to %.20q is %q, want %q", typed, got, want)
		}
	}
}
