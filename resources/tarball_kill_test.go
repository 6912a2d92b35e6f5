package resources

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
)

// TestTarballFailureKeepsWhatWasThere updates to an archive that is not what it
// should be.
func TestTarballFailureKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	mustApply(t, m, tb)
	for name, files := range map[string]map[string]string{
		"no runner":        {"bin/other": "", "README": ""},
		"settings in it":   {"bin/Runner.Listener*": "", ".runner": "{}"},
		"a work directory": {"bin/Runner.Listener*": "", "_work/x": ""},
		"another top":      {"bin/Runner.Listener*": "", "lib/x": ""},
		"a link out":       {"bin/Runner.Listener*": "", "bin/l->../../..": ""},
	} {
		before := m.Tree()
		bad := *tb
		bad.Version, bad.Source = "2.337.0", "/srv/bad.tar.gz"
		bad.SHA256 = archive(t, m, bad.Source, files)
		if err := bad.Apply(t.Context(), m); err == nil {
			t.Errorf("%s: it was installed", name)
		}
		after := m.Tree()
		if differ := hosttest.SameTree(before, after); !slices.Equal(differ, []string{"/srv/bad.tar.gz"}) {
			t.Errorf("%s: changed %q", name, differ)
		}
	}
	if left := mustDiff(t, m, tb); len(left) > 0 {
		t.Errorf("what was there is no longer in step: %+v", left)
	}
}

// TestTarballThingsInTheWay has a job put directories and links where root is
// about to write.
func TestTarballThingsInTheWay(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	m.WriteFile("/etc/shadow", "secret")
	mustApply(t, m, tb)
	at := m.Path(runnerDir)
	for _, name := range []string{"/bin.2.337.0", "/run.sh/x", "/runsvc.sh/x"} {
		if err := errors.Join(os.RemoveAll(at+strings.TrimSuffix(name, "/x")), os.MkdirAll(at+name, 0o777)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Remove(at+"/config.sh"), os.Symlink(m.Path("/etc/shadow"), at+"/config.sh"),
		os.Symlink(m.Path("/etc"), at+"/externals.2.337.0"), os.Symlink(m.Path("/etc"), at+"/"+stagingPrefix+"x")); err != nil {
		t.Fatal(err)
	}
	tb.Version = "2.337.0"
	mustApply(t, m, tb)
	if m.Text("/etc/shadow") != "secret" {
		t.Error("written through a link")
	}
}

// TestTarballKilledAnywhere stops an apply before each change of the host, and
// applies again.
func TestTarballKilledAnywhere(t *testing.T) {
	t.Parallel()
	altered := func(t *testing.T, m *hosttest.Machine, tb *Tarball) {
		mustApply(t, m, tb)
		m.WriteFile(runnerDir+"/bin.2.336.0/System.dll", "altered")
		m.WriteFile(runnerDir+"/left-by-a-job", "")
	}
	for name, prepare := range map[string]func(*testing.T, *hosttest.Machine, *Tarball){
		"first":  func(*testing.T, *hosttest.Machine, *Tarball) {},
		"repair": altered,
		"update": func(t *testing.T, m *hosttest.Machine, tb *Tarball) {
			altered(t, m, tb)
			tb.Version = "2.337.0"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n++ {
				m, tb := runnerHost(t)
				prepare(t, m, tb)
				if !killedBefore(t, m, tb, n) {
					if n < 10 {
						t.Errorf("it makes only %d changes", n)
					}
					return
				}
				if len(mustDiff(t, m, tb)) > 0 {
					mustApply(t, m, tb)
				}
				tb.Verify = true
				if left := mustDiff(t, m, tb); len(left) > 0 {
					t.Fatalf("killed before change %d: %+v", n+1, left)
				}
				if left, _ := m.Glob(runnerDir + "/" + stagingPrefix + "*"); left != nil {
					t.Errorf("killed before change %d: %q is left", n+1, left)
				}
			}
		})
	}
}

// killedBefore applies, and stops it after n changes of the host. It reports
// whether that was before the end.
func killedBefore(t *testing.T, m *hosttest.Machine, tb *Tarball, n int) (killed bool) {
	t.Helper()
	type kill struct{}
	count := m.Before
	m.Before = func(op, path string) {
		if n--; n < 0 {
			panic(kill{})
		}
		count(op, path)
	}
	defer func() {
		m.Before = count
		if cause := recover(); cause == any(kill{}) {
			killed = true
		} else if cause != nil {
			panic(cause)
		}
	}()
	if err := tb.Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return false
}
