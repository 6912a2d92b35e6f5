//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A step is one change that benchctl was about to make.
type step struct {
	n        int
	at       time.Time
	op, path string
}

func (s step) String() string { return fmt.Sprintf("change %d, %s %s", s.n, s.op, s.path) }

var stepLine = regexp.MustCompile(`(?m)^change (\d+) at (\S+): (\S+) (.*)$`)

// steps reads the changes out of what benchctl told stderr.
func steps(t *testing.T, stderr string) (all []step) {
	t.Helper()
	for _, m := range stepLine.FindAllStringSubmatch(stderr, -1) {
		s := step{op: m[3], path: m[4]}
		var err error
		if s.at, err = time.Parse(time.RFC3339Nano, m[2]); err != nil {
			t.Fatal(err)
		}
		fmt.Sscan(m[1], &s.n)
		all = append(all, s)
	}
	return all
}

// try runs a verb of benchctl that kills itself before the n-th of its changes,
// 0 being never, and returns the changes that it came to. extra are further
// variables.
func (w *world) try(n int, verb []string, extra ...string) (r lab.Result, came []step) {
	w.t.Helper()
	r, err := w.host.Do(w.t.Context(), lab.Command{
		Argv: append([]string{"/usr/local/bin/benchctl"}, verb...),
		Env:  append([]string{"GITHUB_TOKEN=" + apiToken, fmt.Sprint("BENCHCTL_KILL_AT=", n)}, extra...),
		Live: w.live,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r, steps(w.t, r.Stderr)
}

var applyYes = []string{"apply", "--yes"}

// killedAt applies, is killed before change n, and returns it.
func (w *world) killedAt(n int, verb ...string) step {
	w.t.Helper()
	if verb == nil {
		verb = applyYes
	}
	r, came := w.try(n, verb)
	if len(came) < n || r.Status == 0 {
		w.t.Fatalf("benchctl %v was not killed before change %d: status %d\n%s%s", verb, n, r.Status, r.Stdout, r.Stderr)
	}
	return came[n-1]
}

// prepared is a root with the packages of the runner in it already, so that a
// host can be made in seconds.
func prepared(t *testing.T) func(*lab.Options) {
	t.Helper()
	l := &lab.Lab{Log: t.Logf}
	root, err := l.Root(t.Context(), lab.Debian13, "git", "libicu76", "libkrb5-3")
	if err != nil {
		t.Fatal(err)
	}
	return func(o *lab.Options) { o.Lower = []string{root} }
}

// kept is what a host keeps, without what the distribution brought and what
// differs from one host to the next.
func (w *world) kept() lab.Tree {
	w.t.Helper()
	tree, err := w.host.HashTree(w.t.Context(), "/usr/bin", "/usr/lib", "/usr/sbin", "/usr/share", "/usr/include", "/boot",
		"/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log", "/var/lib/systemd", "/var/lib/dbus", "/etc/machine-id", "/etc/hosts", "/etc/ssl", "/root",
		"/usr/local/share", "/var/lib/gha-runner/actions-runner/_diag",
		"/etc/.pwd.lock", "/etc/.updated", "/var/.updated")
	if err != nil {
		w.t.Fatal(err)
	}
	maps.DeleteFunc(tree, func(path string, e lab.Entry) bool {
		switch {
		case path == "/var/lib/benchctl/originals.json", slices.Contains(notes, path): // the time of day
		case path == "/var/lib/benchctl/registration.json", path == boxDir+"/.runner": // the registration's number
		case strings.HasPrefix(path, boxDir+"/.credentials"): // a key
		case strings.HasPrefix(path, boxDir+"/.benchctl"), strings.HasPrefix(path, "/var/lib/benchctl/tarball"): // inodes and dates
		case strings.HasSuffix(path, "-") && strings.HasPrefix(path, "/etc/"): // backups of passwd and friends
		default:
			return false
		}
		return true
	})
	return tree
}

// remains are what a killed benchctl may leave for a moment only.
var remains = regexp.MustCompile(`\.benchctl-new$|/\.benchctl-staging-`)

// whole fails the test if something that can be executed is there in another
// form than the one it is to have.
func (w *world) whole(s step, reference lab.Tree) {
	w.t.Helper()
	now := w.kept()
	for path, e := range now {
		want, known := reference[path]
		if !e.Mode.IsRegular() || e.Mode.Perm()&0o111 == 0 || remains.MatchString(path) {
			continue
		}
		if !known || e.Content != want.Content {
			w.t.Errorf("%v: %s is left as %v, want %v", s, path, e, want)
		}
	}
}

// converged applies once more and wants a host that nobody can tell from one
// on which nothing was killed.
func (w *world) converged(s step, reference lab.Tree) {
	w.t.Helper()
	if r, _ := w.try(0, applyYes); r.Status != 0 {
		w.t.Errorf("after %v the next apply ends with %d:\n%s%s", s, r.Status, r.Stdout, r.Stderr)
	}
	w.inStep(s)
	tree := w.kept()
	for path := range tree {
		if remains.MatchString(path) {
			w.t.Errorf("after %v there is %s", s, path)
		}
	}
	if differ := reference.Changed(tree); reference != nil && differ != nil {
		w.t.Errorf("after %v the host differs from one without a kill:\n%s", s, strings.Join(differ, "\n"))
	}
}

// inStep wants an empty diff and the one registration, online.
func (w *world) inStep(after any) {
	w.t.Helper()
	if left := w.differs(w.t.Context()); left != nil {
		w.t.Errorf("after %v diff says %q", after, left)
	}
	if all := w.hub.Runners(standin.Repo(repository)); len(all) != 1 {
		w.t.Errorf("after %v there are %d registrations: %+v", after, len(all), all)
	}
	if !w.hub.Online(standin.Repo(repository), "bench7-bench") {
		w.t.Errorf("after %v the runner is not online", after)
	}
}

// unitState is one property of the runner's unit.
func (w *world) unitState(property string) string {
	w.t.Helper()
	return strings.TrimSpace(w.run("systemctl", "show", "-P", property, runnerUnit))
}

// TestApplyKilledAtEveryChange kills an apply on a fresh host before each of
// its changes in turn, each time on a host of its own.
func TestApplyKilledAtEveryChange(t *testing.T) {
	root := prepared(t)
	w := newWorld(t, lab.Debian13, root)
	w.spec(plainSpec)
	r, all := w.try(0, applyYes)
	if r.Status != 0 || len(all) < 40 {
		t.Fatalf("%d changes, status %d\n%s%s", len(all), r.Status, r.Stdout, r.Stderr)
	}
	reference := w.kept()
	t.Logf("a full apply changes the host %d times", len(all))
	t.Run("kill", func(t *testing.T) {
		for _, s := range all {
			t.Run(fmt.Sprintf("%03d-%s", s.n, s.op), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, lab.Debian13, root)
				w.spec(plainSpec)
				at := w.killedAt(s.n)
				w.whole(at, reference)
				w.converged(at, reference)
			})
		}
	})
}
