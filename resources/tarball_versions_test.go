package resources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

func TestTarballVersions(t *testing.T) {
	t.Parallel()
	for keep, want := range map[int][]string{
		0: {"bin.2.336.0", "externals.2.336.0"},
		1: {"bin.2.10.0", "bin.2.336.0", "externals.2.10.0", "externals.2.336.0"},
		2: {"bin.2.10.0", "bin.2.336.0", "bin.2.9.1", "externals.2.10.0", "externals.2.336.0", "externals.2.9.1"},
	} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			t.Parallel()
			m, tb := runnerHost(t)
			tb.Keep = keep
			for _, version := range []string{"2.9.1", "2.10.0", "2.336.0"} {
				tb.Version = version
				mustApply(t, m, tb)
				if err := tb.prove(m); err != nil {
					t.Fatal(err)
				}
			}
			names, _ := m.ReadDir(runnerDir)
			got := slices.DeleteFunc(names, func(n string) bool { return !versionedDir.MatchString(n) })
			if !slices.Equal(got, want) {
				t.Errorf("kept %q, want %q", got, want)
			}
		})
	}
}

// fakeReleases answers as GitHub would.
type fakeReleases struct {
	latest, sum string
	err         error
	asked       int
}

func (f *fakeReleases) LatestVersion(context.Context, string) (string, error) {
	f.asked++
	return f.latest, f.err
}

func (f *fakeReleases) Digest(context.Context, string, string) (string, string, error) {
	f.asked++
	return f.sum, "a release", f.err
}

func TestTarballDigests(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	right := tb.SHA256
	wrong := strings.Repeat("0", 64)
	page := "<!DOCTYPE html>"
	for name, c := range map[string]struct {
		spec     string
		releases *fakeReleases
		trust    bool
		text     string // instead of the archive
		says     []string
	}{
		"wrong in the spec":   {spec: wrong, says: []string{right, wrong}},
		"wrong at GitHub":     {releases: &fakeReleases{sum: wrong}, says: []string{right, wrong}},
		"GitHub is down":      {releases: &fakeReleases{err: errors.New("no route")}, says: []string{"cannot learn", "no route"}},
		"nobody says":         {releases: &fakeReleases{}, says: []string{"\n    sha256: " + right, "--trust-on-first-use"}},
		"nobody is asked":     {says: []string{"\n    sha256: " + right}},
		"a page":              {text: page, says: []string{"no archive", "<!DOCTYPE html>"}},
		"a page, trusted":     {text: page, trust: true, says: []string{"not gzip"}},
		"a page for a digest": {text: page, spec: wrong, says: []string{"no archive", "<!DOCTYPE html>"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.text != "" {
				m.WriteFile("/srv/page", c.text)
			}
			bad := *tb
			bad.SHA256, bad.Trust = c.spec, c.trust
			if c.releases != nil {
				bad.Releases = c.releases
			}
			if c.text != "" {
				bad.Source = "/srv/page"
			}
			err := bad.Apply(t.Context(), m)
			if err == nil {
				t.Fatal("it was installed")
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if names, _ := m.ReadDir(runnerDir); len(names) != 0 {
				t.Errorf("left behind: %q", names)
			}
		})
	}
}

func TestTarballTrustOnFirstUse(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	right := tb.SHA256
	tb.SHA256, tb.Trust = "", true
	mustApply(t, m, tb)
	tb.Trust = false
	if got := trustedDigest(m, tb.Source); got != right {
		t.Errorf("recorded %q, want %q", got, right)
	}
	m.WriteFile(runnerDir+"/bin.2.336.0/System.dll", "altered")
	mustApply(t, m, tb) // with the digest that was accepted
	archive(t, m, tb.Source, map[string]string{"bin/Runner.Listener*": "another"})
	m.WriteFile(runnerDir+"/bin.2.336.0/System.dll", "altered")
	if err := tb.Apply(t.Context(), m); err == nil || !strings.Contains(err.Error(), right) {
		t.Errorf("another archive of the same name: %v", err)
	}
}

func TestTarballLatest(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	tb.Version = latestVersion
	if _, err := tb.Diff(t.Context(), m); err == nil || !strings.Contains(err.Error(), "runner.version") {
		t.Errorf("nothing installed and nobody to ask: %v", err)
	}
	tb.Releases = &fakeReleases{latest: "../2.336.0"}
	if _, err := tb.Diff(t.Context(), m); err == nil {
		t.Error("a version that is a path was taken")
	}
	tb.Releases = &fakeReleases{latest: "2.336.0"}
	mustApply(t, m, tb)

	newer := &fakeReleases{latest: "2.337.0"}
	unattended := Tarball(*tb)
	unattended.latest, unattended.Releases = "", newer
	if left := mustDiff(t, m, &unattended); len(left) > 0 || newer.asked > 0 {
		t.Errorf("an unattended pass asked %d times and wants %+v", newer.asked, left)
	}
	attended := unattended
	attended.Attended = true
	if changes := mustDiff(t, m, &attended); changes[0].Have != "2.336.0" || changes[0].Want != "2.337.0" || !changes[0].Asked {
		t.Errorf("an attended one wants %+v", changes)
	}
	attended.latest, attended.Releases = "", &fakeReleases{err: errors.New("no route")}
	if changes, err := attended.Diff(t.Context(), m); !errors.Is(err, reconcile.ErrUnknown) || len(changes) > 0 {
		t.Errorf("GitHub is down: %+v, %v", changes, err)
	}
}

func TestTarballAutoUpdate(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	tb.AutoUpdate = true
	mustApply(t, m, tb)
	if got := described(t, m, runnerDir); got != "drwxrwx--- 0:990" {
		t.Errorf("installDir is %s", got)
	}
	if got := described(t, m, runnerDir+"/bin.2.336.0/Runner.Listener"); got != "-rwxr-xr-x 990:990" {
		t.Errorf("Runner.Listener is %s", got)
	}
	// What the runner's own updater does.
	at := m.Path(runnerDir)
	if err := errors.Join(os.Mkdir(at+"/bin.2.340.0", 0o755), os.Chown(at+"/bin.2.340.0", runnerUID, runnerUID), os.Remove(at+"/bin"), os.Symlink("bin.2.340.0", at+"/bin")); err != nil {
		t.Fatal(err)
	}
	if left := mustDiff(t, m, tb); len(left) > 0 {
		t.Errorf("a newer version is not what is wanted: %+v", left)
	}
	tb.Version = "2.341.0"
	if changes := mustDiff(t, m, tb); len(changes) != 1 || changes[0].Have != "2.340.0" {
		t.Errorf("an older one: %+v", changes)
	}
}

// TestTarballAutoUpdateBothWays gives the program to the user and takes it back.
func TestTarballAutoUpdateBothWays(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	for _, c := range []struct {
		auto bool
		uid  int
	}{{false, 0}, {true, runnerUID}, {false, 0}} {
		tb.AutoUpdate = c.auto
		if len(mustDiff(t, m, tb)) == 0 {
			t.Errorf("autoUpdate %v is no change", c.auto)
		}
		mustApply(t, m, tb)
		if info, _ := m.Lstat(runnerDir + "/bin/System.dll"); info.UID != c.uid {
			t.Errorf("autoUpdate %v: System.dll belongs to %d", c.auto, info.UID)
		}
	}
}

func TestNewerVersion(t *testing.T) {
	t.Parallel()
	order := []string{"1.9.9", "2.9.1", "2.10.0", "2.336", "2.336.0", "2.336.1", "10.0.0"}
	for i, a := range order {
		for j, b := range order {
			if got := newerVersion(a, b); got != (i > j) {
				t.Errorf("newerVersion(%s, %s) is %v", a, b, got)
			}
		}
	}
}
