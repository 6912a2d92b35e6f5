// Package arch holds the program to its own map: who may depend on whom.
package arch

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/SKaiNET-developers/benchctl/"

// layers says what each package may import of the module itself and of others.
// "std" is the standard library, which everybody may. Arrows never go up.
var layers = map[string][]string{
	"schema":                  {},
	"examples":                {},
	"spec":                    {"schema", "gopkg.in/yaml.v3", "github.com/santhosh-tekuri/jsonschema/v5", "github.com/robfig/cron/v3"},
	"internal/host":           {},
	"reconcile":               {"internal/host"},
	"internal/github/actions": {},
	"internal/github":         {"internal/github/actions", "internal/host", "spec", "github.com/google/go-github/v66", "github.com/bradleyfalzon/ghinstallation/v2"},
	"internal/archive":        {"internal/host", "github.com/klauspost/compress", "golang.org/x/sys"},
	"internal/originals":      {"internal/host"},
	"internal/history":        {"internal/host", "reconcile"},
	"internal/cause":          {"internal/host", "reconcile"},
	"internal/metrics":        {"internal/host", "internal/history", "internal/deadline"},
	"internal/deadline":       {"internal/host", "internal/github/actions", "spec"},
	"internal/pause":          {"internal/host"},
	"internal/notify":         {"internal/host", "internal/github/actions", "reconcile", "spec"},
	"internal/workflow":       {"gopkg.in/yaml.v3"},
	"internal/listener":       {},
	"internal/doctor":         {"internal/host", "internal/github/actions", "internal/workflow", "reconcile", "spec"},
	"internal/dispatch":       {"internal/host", "internal/github/actions", "internal/workflow", "internal/listener", "internal/jobs"},
	"internal/source":         {"internal/host", "spec"},
	"internal/adopt":          {"internal/host", "internal/github/actions", "resources", "spec"},
	"internal/status":         {"internal/host", "internal/github/actions", "internal/jobs", "internal/history", "internal/pause", "internal/notify", "internal/agent", "internal/deadline", "internal/listener", "reconcile", "resources", "spec"},
	"internal/expect":         {"internal/host", "internal/originals", "internal/jobs", "reconcile"},
	"internal/gate":           {"internal/expect", "internal/host", "golang.org/x/sys"},
	"internal/jobs":           {"internal/host", "reconcile", "github.com/coreos/go-systemd/v22", "github.com/godbus/dbus/v5", "golang.org/x/sys"},
	"internal/host/linux":     {"internal/host", "internal/archive", "github.com/coreos/go-systemd/v22", "github.com/godbus/dbus/v5", "golang.org/x/sys"},
	"resources":               {"spec", "reconcile", "internal/host", "internal/github/actions", "internal/originals", "internal/expect", "internal/jobs", "internal/relay"},
	"internal/relay":          {},
	"internal/standin/runner": {},
	"internal/journal":        {"github.com/coreos/go-systemd/v22"},
	"internal/agent":          {"spec", "reconcile", "internal/host", "internal/journal", "internal/source", "internal/relay", "github.com/coreos/go-systemd/v22", "golang.org/x/sys"},
}

func TestArrowsNeverGoUp(t *testing.T) {
	t.Parallel()
	for pkg, may := range layers {
		out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, module+pkg).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", pkg, err)
		}
		for dep := range strings.FieldsSeq(string(out)) {
			if !strings.Contains(strings.Split(dep, "/")[0], ".") {
				continue // the standard library
			}
			if !allowed(strings.TrimPrefix(dep, module), may) {
				t.Errorf("%s must not import %s: see the map in HACKING.md", pkg, strings.TrimPrefix(dep, module))
			}
		}
	}
}

func allowed(dep string, may []string) bool {
	for _, m := range may {
		if dep == m || strings.Contains(m, ".") && strings.HasPrefix(dep, m+"/") {
			return true
		}
	}
	return false
}

// The engine's tests compile neither D-Bus nor GitHub, and no kind starts a
// program or opens a connection by itself.
func TestOnlyTheHostTouchesAMachine(t *testing.T) {
	t.Parallel()
	for pkg, banned := range map[string][]string{
		"resources": {"os/exec", "os/user", "net", "net/http", "github.com/"},
		"reconcile": {"os", "os/exec", "net/http", "github.com/coreos", "gopkg.in"},
		"spec":      {"os/exec", "net/http"},
	} {
		out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, module+pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for dep := range strings.FieldsSeq(string(out)) {
			for _, b := range banned {
				if dep == b || strings.HasSuffix(b, "/") && strings.HasPrefix(dep, b) && !strings.HasPrefix(dep, module) {
					t.Errorf("%s must not import %s", pkg, dep)
				}
			}
		}
	}
}
