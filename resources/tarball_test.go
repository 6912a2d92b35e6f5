package resources

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

const (
	runnerDir = "/var/lib/gha/runner"
	runnerUID = 990
)

// runnerFiles is a small runner. A name that ends in * is executable, one with
// an arrow is a link.
var runnerFiles = map[string]string{
	"bin/Runner.Listener*":                    "listener",
	"bin/Runner.Worker*":                      "worker",
	"bin/runsvc.sh*":                          "#!/bin/bash\n",
	"bin/System.dll":                          "assembly",
	"externals/node20/bin/node*":              "node",
	"externals/node20/bin/npm->../lib/npm.js": "",
	"externals/node20/lib/npm.js":             "npm",
	"externals/node20/lib/native.node":        "addon",
	"config.sh*":                              "#!/bin/bash\n# config\n",
	"run.sh*":                                 "#!/bin/bash\n# run\n",
}

// archive puts a tar.gz on the machine and returns its digest.
func archive(t testing.TB, m *hosttest.Machine, path string, files map[string]string) string {
	t.Helper()
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	tw := tar.NewWriter(gz)
	for _, name := range keysOf(files, nil) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: "./" + name, Mode: 0o644, Size: int64(len(files[name]))}
		if exe, ok := strings.CutSuffix(h.Name, "*"); ok {
			h.Name, h.Mode = exe, 0o755
		}
		if at, to, ok := strings.Cut(h.Name, "->"); ok {
			h.Typeflag, h.Name, h.Linkname = tar.TypeSymlink, at, to
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	m.WriteFile(path, buf.String())
	return hexDigest(buf.Bytes())
}

// runnerHost is a machine with an account, an archive of version 2.336.0, and
// the resource that wants it.
func runnerHost(t testing.TB) (*hosttest.Machine, *Tarball) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can give files to others; run as root")
	}
	m := hosttest.New(t, fmt.Sprintf(`-- etc/passwd --
root:x:0:0::/root:/bin/sh
gha:x:%d:%d::/var/lib/gha:/usr/sbin/nologin
-- etc/group --
root:x:0:
gha:x:%[1]d:
-- var/lib/gha/ --
`, runnerUID, runnerUID))
	return m, &Tarball{
		User: "gha", Dir: runnerDir, WorkDir: runnerDir + "/_work", Version: "2.336.0",
		Source: "/srv/runner.tar.gz", SHA256: archive(t, m, "/srv/runner.tar.gz", runnerFiles), Keep: 1,
	}
}

func fieldsOf(changes []reconcile.Change) []string {
	var fields []string
	for _, c := range changes {
		fields = append(fields, c.Field)
	}
	return fields
}

func mustDiff(t *testing.T, m *hosttest.Machine, tb *Tarball) []reconcile.Change {
	t.Helper()
	changes, err := tb.Diff(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// mustApply applies and checks that nothing differs afterwards.
func mustApply(t *testing.T, m *hosttest.Machine, tb *Tarball) {
	t.Helper()
	if err := tb.Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if left := mustDiff(t, m, tb); len(left) > 0 {
		t.Fatalf("after apply there is still %+v", left)
	}
}

func TestTarballInstall(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	before := m.Tree()
	if got, want := fieldsOf(mustDiff(t, m, tb)), []string{"version", "installDir", "_diag", "_work"}; !slices.Equal(got, want) {
		t.Errorf("before: %q, want %q", got, want)
	}
	if differ := hosttest.SameTree(before, m.Tree()); differ != nil {
		t.Errorf("diff changed %q", differ)
	}
	mustApply(t, m, tb)
	for path, want := range map[string]string{
		"":                                    "dtrwxrwx--- 0:990",
		"bin":                                 "-> bin.2.336.0",
		"externals":                           "-> externals.2.336.0",
		"bin.2.336.0":                         "drwxr-xr-x 0:0",
		"bin.2.336.0/Runner.Listener":         "-rwxr-xr-x 0:0",
		"bin.2.336.0/System.dll":              "-rw-r--r-- 0:0",
		"externals.2.336.0/node20/bin/npm":    "-> ../lib/npm.js",
		"externals.2.336.0/node20/bin/node":   "-rwxr-xr-x 0:0",
		"config.sh":                           "-rwxr-xr-x 0:0",
		"runsvc.sh":                           "-rwxr-xr-x 0:0",
		manifestName:                          "-rw-r--r-- 0:0",
		"_diag":                               "drwxr-xr-x 990:990",
		"_work":                               "drwxr-xr-x 990:990",
		"externals.2.336.0/node20/lib/npm.js": "-rw-r--r-- 0:0",
	} {
		if got := described(t, m, runnerDir+"/"+path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if left, _ := m.Glob(runnerDir + "/" + stagingPrefix + "*"); left != nil {
		t.Errorf("left behind: %q", left)
	}
	if got := m.Text(runnerDir + "/runsvc.sh"); got != "#!/bin/bash\n" {
		t.Errorf("runsvc.sh holds %q", got)
	}
}

func described(t *testing.T, m *hosttest.Machine, path string) string {
	t.Helper()
	info, err := m.Lstat(strings.TrimSuffix(path, "/"))
	if err != nil {
		t.Error(err)
	}
	if info.IsLink() {
		target, _ := m.Readlink(path)
		return "-> " + target
	}
	return fmt.Sprintf("%v %d:%d", info.Type|info.Mode, info.UID, info.GID)
}

func TestTarballDrift(t *testing.T) {
	t.Parallel()
	const bin, ext = "bin.2.336.0/", "externals.2.336.0/node20/"
	at := func(m *hosttest.Machine, name string) string { return m.Path(runnerDir + "/" + name) }
	inPlace := func(name, text string) func(*hosttest.Machine) error {
		return func(m *hosttest.Machine) error { return os.WriteFile(at(m, name), []byte(text), 0) }
	}
	remove := func(name string) func(*hosttest.Machine) error {
		return func(m *hosttest.Machine) error { return os.RemoveAll(at(m, name)) }
	}
	relink := func(name, to string) func(*hosttest.Machine) error {
		return func(m *hosttest.Machine) error {
			return errors.Join(os.RemoveAll(at(m, name)), os.Symlink(to, at(m, name)))
		}
	}
	old := time.Unix(1_600_000_000, 0)
	cases := map[string]struct {
		drift func(*hosttest.Machine) error
		want  []string
		have  string // part of what the first change says of what is there
	}{
		"other size": {inPlace(bin+"Runner.Listener", "evil"), []string{bin + "Runner.Listener"}, "size 4, changed 20"},
		"same size":  {inPlace(bin+"Runner.Listener", "LISTENER"), []string{bin + "Runner.Listener"}, "sha256:"},
		"an addon":   {inPlace(ext+"lib/native.node", "ADDON"), []string{ext + "lib/native.node"}, "sha256:"},
		"same and mtime": {func(m *hosttest.Machine) error {
			return errors.Join(os.WriteFile(at(m, bin+"System.dll"), []byte("ASSEMBLY"), 0), os.Chtimes(at(m, bin+"System.dll"), old, old))
		}, []string{bin + "System.dll"}, "sha256:"},
		"replaced script": {func(m *hosttest.Machine) error {
			return errors.Join(os.Remove(at(m, ext+"lib/npm.js")), os.WriteFile(at(m, ext+"lib/npm.js"), []byte("NPM"), 0o644))
		}, []string{ext + "lib/npm.js"}, "sha256:"},
		"touched":              {func(m *hosttest.Machine) error { return os.Chtimes(at(m, bin+"System.dll"), old, old) }, nil, ""},
		"removed":              {remove(bin + "System.dll"), []string{bin + "System.dll"}, "absent"},
		"removed tree":         {remove("externals.2.336.0/node20"), []string{"externals.2.336.0/node20"}, "absent"},
		"added":                {inPlace2(bin + "extra.dll"), []string{bin + "extra.dll"}, "present"},
		"mode":                 {func(m *hosttest.Machine) error { return os.Chmod(at(m, bin+"System.dll"), 0o666) }, []string{bin + "System.dll owner and mode"}, "root:root 0666"},
		"owner":                {func(m *hosttest.Machine) error { return os.Chown(at(m, "config.sh"), runnerUID, runnerUID) }, []string{"config.sh owner and mode"}, "gha:gha 0755"},
		"open directory":       {func(m *hosttest.Machine) error { return os.Chmod(at(m, bin), 0o777) }, []string{"bin.2.336.0 owner and mode"}, "root:root 0777"},
		"link in place":        {relink(bin+"System.dll", "/etc/passwd"), []string{bin + "System.dll"}, "a link"},
		"link elsewhere":       {relink(ext+"bin/npm", "/tmp/npm"), []string{ext + "bin/npm"}, "link to /tmp/npm"},
		"bin elsewhere":        {relink("bin", "bin.2.1.0"), []string{"bin"}, "link to bin.2.1.0"},
		"bin the user's":       {func(m *hosttest.Machine) error { return os.Lchown(at(m, "bin"), runnerUID, runnerUID) }, []string{"bin owner"}, "990"},
		"externals gone":       {remove("externals"), []string{"externals"}, "absent"},
		"service script":       {inPlace("runsvc.sh", "#!/bin/evil\n"), []string{"runsvc.sh"}, "sha256:"},
		"no manifest":          {remove(manifestName), []string{"manifest"}, "absent"},
		"forged manifest":      {func(m *hosttest.Machine) error { return os.Chown(at(m, manifestName), runnerUID, runnerUID) }, []string{"manifest"}, "absent"},
		"garbled manifest":     {inPlace(manifestName, "benchctl manifest 1 2.336.0 x\nnonsense\n"), []string{"manifest"}, "absent"},
		"not sticky":           {func(m *hosttest.Machine) error { return os.Chmod(at(m, ""), 0o770) }, []string{"installDir"}, "root:gha 0770"},
		"directory the user's": {func(m *hosttest.Machine) error { return os.Chown(at(m, ""), runnerUID, runnerUID) }, []string{"installDir"}, "gha:gha 1770"},
		"diag a link":          {relink("_diag", "/etc"), []string{"_diag"}, "a link"},
		"work root's":          {func(m *hosttest.Machine) error { return os.Chown(at(m, "_work"), 0, 0) }, []string{"_work"}, "root:root"},
		"settings root's":      {inPlace2(".runner"), []string{".runner owner"}, "0"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, tb := runnerHost(t)
			mustApply(t, m, tb)
			if err := c.drift(m); err != nil {
				t.Fatal(err)
			}
			changes := mustDiff(t, m, tb)
			if got := fieldsOf(changes); !slices.Equal(got, c.want) {
				t.Fatalf("found %+v, want %q", changes, c.want)
			}
			if c.want == nil {
				return
			}
			if !strings.Contains(changes[0].Have, c.have) {
				t.Errorf("have %q, want %q in it", changes[0].Have, c.have)
			}
			mustApply(t, m, tb)
			tb.Verify = true
			if left := mustDiff(t, m, tb); len(left) > 0 {
				t.Errorf("a full look still finds %+v", left)
			}
			if got := m.Text(runnerDir + "/bin/Runner.Listener"); got != "listener" {
				t.Errorf("Runner.Listener holds %q", got)
			}
		})
	}
}

// inPlace2 makes a file that was not there.
func inPlace2(name string) func(*hosttest.Machine) error {
	return func(m *hosttest.Machine) error {
		return os.WriteFile(m.Path(runnerDir+"/"+name), []byte("{}"), 0o644)
	}
}

func TestTarballVerifySeesEveryFile(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	mustApply(t, m, tb)
	const script = "externals.2.336.0/node20/lib/npm.js"
	if err := os.WriteFile(m.Path(runnerDir+"/"+script), []byte("NPM"), 0); err != nil {
		t.Fatal(err)
	}
	tb.Verify = true
	if got := fieldsOf(mustDiff(t, m, tb)); !slices.Equal(got, []string{script}) {
		t.Errorf("found %q", got)
	}
	mustApply(t, m, tb)
}

func TestTarballManyAltered(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	files := map[string]string{"bin/Runner.Listener*": "listener"}
	for i := range 50 {
		files[fmt.Sprintf("bin/%02d.dll", i)] = "assembly"
	}
	tb.SHA256 = archive(t, m, tb.Source, files)
	mustApply(t, m, tb)
	for i := range 50 {
		m.WriteFile(fmt.Sprintf("%s/bin.2.336.0/%02d.dll", runnerDir, i), "other")
	}
	changes := mustDiff(t, m, tb)
	if last := changes[len(changes)-1]; len(changes) != longestList+1 || last.Have != "30 altered" {
		t.Errorf("%d changes, the last %+v", len(changes), last)
	}
}

// Of files with another mode it names as few, and mends them all.
func TestTarballManyModes(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	files := map[string]string{"bin/Runner.Listener*": "listener"}
	for i := range 50 {
		files[fmt.Sprintf("bin/%02d.dll", i)] = "assembly"
	}
	tb.SHA256 = archive(t, m, tb.Source, files)
	mustApply(t, m, tb)
	for i := range 50 {
		if err := os.Chmod(m.Path(fmt.Sprintf("%s/bin.2.336.0/%02d.dll", runnerDir, i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	changes := mustDiff(t, m, tb)
	if last := changes[len(changes)-1]; len(changes) != longestList+1 || last.Have != "30 altered" {
		t.Errorf("%d changes, the last %+v", len(changes), last)
	}
	mustApply(t, m, tb)
}

// Nothing is fetched from GitHub that was told not to be, however well its
// digest is known.
func TestTarballOffline(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	tb.Source = ""
	m.Writes = nil
	err := tb.Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "cannot fetch runner 2.336.0: --offline forbids talking to GitHub") {
		t.Errorf("the error is %v", err)
	}
	if slices.ContainsFunc(m.Writes, func(w string) bool { return strings.HasPrefix(w, "unpack") }) {
		t.Errorf("it changed %q", m.Writes)
	}
}

func TestTarballRefusesOtherDirectories(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"thesis.tex", "bin/my-tool", "run.sh", ".bashrc", "externals/x", "config.sh"} {
		m, tb := runnerHost(t)
		m.WriteFile(runnerDir+"/"+name, "years of work")
		before := m.Tree()
		_, err := tb.Diff(t.Context(), m)
		if err == nil || !strings.Contains(err.Error(), "something else ("+strings.Split(name, "/")[0]+")") {
			t.Errorf("%s: diff says %v", name, err)
		}
		if err := tb.Apply(t.Context(), m); err == nil {
			t.Errorf("%s: apply went ahead", name)
		}
		if differ := hosttest.SameTree(before, m.Tree()); differ != nil {
			t.Errorf("%s: changed %q", name, differ)
		}
	}
}

// TestTarballTakesOverOneByHand keeps the registration of a runner that was
// unpacked with tar and configured with config.sh.
func TestTarballTakesOverOneByHand(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	for name, text := range map[string]string{"bin/Runner.Listener": "old", "config.sh": "", "notes.txt": "mine", ".runner": "{}", "externals/node16/bin/node": ""} {
		m.WriteFile(runnerDir+"/"+name, text)
	}
	if changes := mustDiff(t, m, tb); changes[0].Field != "version" || changes[0].Have != "one that was not unpacked by benchctl" {
		t.Errorf("found %+v", changes)
	}
	mustApply(t, m, tb)
	if m.Text(runnerDir+"/.runner") != "{}" || m.Text(runnerDir+"/notes.txt") != "mine" {
		t.Error("files that are not the runner's are gone")
	}
}

func TestManifestRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_763_900_000, 123_456_789)
	m := &manifest{version: "2.336.0", archive: strings.Repeat("a", 64), files: []host.UnpackedFile{
		{Path: "bin.2.336.0", Info: host.Info{Perm: host.Perm{Mode: 0o755}, Type: fs.ModeDir, Size: 4096, Inode: 7, Mtime: at, Ctime: at}},
		{Path: "bin.2.336.0/with a space", Info: host.Info{Perm: host.Perm{Mode: 0o644}, Size: 12, Inode: 8, Mtime: at, Ctime: at}, SHA256: strings.Repeat("b", 64)},
		{Path: "externals.2.336.0/l", Target: "a -> b", Info: host.Info{Perm: host.Perm{Mode: 0o777}, Type: fs.ModeSymlink, Inode: 9, Mtime: at, Ctime: at}},
		{Path: "externals.2.336.0/npm.js", Info: host.Info{Perm: host.Perm{Mode: 0o644}, Inode: 10, Mtime: at, Ctime: at}, SHA256: strings.Repeat("c", 64)},
	}}
	for whole, want := range map[bool]int{true: 4, false: 3} {
		got, err := parseManifest(bytes.NewReader(m.text()), whole)
		if err != nil || got == nil {
			t.Fatal(got, err)
		}
		for i, f := range got.files {
			if f.SHA256 == "-" {
				f.SHA256 = ""
			}
			if f != m.files[i] {
				t.Errorf("read %+v, wrote %+v", f, m.files[i])
			}
		}
		if len(got.files) != want || got.version != m.version || got.archive != m.archive {
			t.Errorf("whole %v: %d files of %s", whole, len(got.files), got.version)
		}
	}
}

// BenchmarkTarballDiff looks at a runner of the real one's shape, in step.
func BenchmarkTarballDiff(b *testing.B) {
	m, tb := runnerHost(b)
	files := map[string]string{"bin/Runner.Listener*": "listener"}
	for i := range 400 {
		files[fmt.Sprintf("bin/System.Part%d.dll", i)] = "assembly"
	}
	for i := range 8600 {
		files[fmt.Sprintf("externals/node%d/lib/node_modules/npm/node_modules/package-%d/lib/%d.js", i%4, i/10%250, i)] = "script"
	}
	tb.SHA256 = archive(b, m, tb.Source, files)
	if err := tb.Apply(b.Context(), m); err != nil {
		b.Fatal(err)
	}
	for _, verify := range []bool{false, true} {
		b.Run(map[bool]string{false: "every pass", true: "verify"}[verify], func(b *testing.B) {
			tb.Verify = verify
			b.ReportAllocs()
			for b.Loop() {
				if left, err := tb.Diff(b.Context(), m); err != nil || len(left) > 0 {
					b.Fatal(left, err)
				}
			}
		})
	}
}
