package standin_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// need skips a test on a machine without these programs.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not there", program)
		}
	}
}

func temurin(t *testing.T) *standin.AptRepository {
	t.Helper()
	repo, err := standin.Adoptium("amd64", []string{"bookworm", "flat/"}, standin.DebTemurin("21", "21.0.8", "amd64"))
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

// aptGet runs apt-get with all its state in dir and one source there.
func aptGet(t *testing.T, dir, source string, args ...string) (string, error) {
	t.Helper()
	for _, sub := range []string{"state/lists/partial", "cache/archives/partial", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sources := filepath.Join(dir, "etc", "one.sources")
	if err := os.WriteFile(sources, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "status"), nil, 0o644)
	cmd := exec.Command("apt-get", append([]string{
		"-o", "Dir::State=" + dir + "/state", "-o", "Dir::State::status=" + dir + "/status", "-o", "Dir::Cache=" + dir + "/cache",
		"-o", "Dir::Etc::sourcelist=" + sources, "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Sandbox::User=root",
		"-o", "Acquire::http::Proxy=DIRECT", "-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64",
		"-o", "APT::Update::Error-Mode=any",
	}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAptTakesTheRepository(t *testing.T) {
	t.Parallel()
	need(t, "gpg", "apt-get", "dpkg-deb")
	repo, other := temurin(t), temurin(t)
	srv := httptest.NewServer(repo)
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	key := filepath.Join(dir, "key.asc")
	if err := os.WriteFile(key, repo.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	source := func(suite, fingerprint string) string {
		components := "Components: main\n"
		if strings.HasSuffix(suite, "/") {
			components = ""
		}
		return fmt.Sprintf("Types: deb\nURIs: %s/artifactory/deb\nSuites: %s\n%sSigned-By: %s %s\n", srv.URL, suite, components, key, fingerprint)
	}
	for _, suite := range []string{"bookworm", "flat/"} {
		if out, err := aptGet(t, dir, source(suite, repo.Fingerprint), "update"); err != nil {
			t.Fatalf("update of %s: %v\n%s", suite, err, out)
		}
		if out, err := aptGet(t, dir, source(suite, repo.Fingerprint), "download", "temurin-21-jdk"); err != nil {
			t.Fatalf("download from %s: %v\n%s", suite, err, out)
		}
	}
	debs, _ := filepath.Glob(filepath.Join(dir, "temurin-21-jdk_*.deb"))
	if len(debs) != 1 {
		t.Fatalf("downloaded %v", debs)
	}
	if out, err := exec.Command("dpkg-deb", "-x", debs[0], filepath.Join(dir, "x")).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v: %s", err, out)
	}
	out, err := exec.Command(filepath.Join(dir, "x/usr/lib/jvm/temurin-21-jdk-amd64/bin/java"), "-version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), `openjdk version "21.0.8"`) {
		t.Errorf("java -version: %v: %s", err, out)
	}

	os.RemoveAll(filepath.Join(dir, "state"))
	if out, err := aptGet(t, dir, source("bookworm", other.Fingerprint), "update"); err == nil {
		t.Errorf("apt took a signature by another key\n%s", out)
	}
	repo.Corrupt("/artifactory/deb/dists/bookworm/main/binary-amd64/Packages.gz", []byte("x"))
	repo.Corrupt("/artifactory/deb/dists/bookworm/main/binary-amd64/Packages", []byte("x"))
	if out, err := aptGet(t, dir, source("bookworm", repo.Fingerprint), "update"); err == nil {
		t.Errorf("apt took altered lists\n%s", out)
	}
}

func TestPTSPackage(t *testing.T) {
	t.Parallel()
	need(t, "dpkg-deb")
	asset, err := standin.DebPTS("10.8.6")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), asset.Name)
	if err := os.WriteFile(path, asset.Data, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("dpkg-deb", "-f", path, "Package", "Version", "Architecture", "Depends").CombinedOutput()
	want := "Package: phoronix-test-suite\nVersion: 10.8.6\nArchitecture: all\nDepends: php-cli, php-xml\n"
	if err != nil || string(out) != want || asset.Name != "phoronix-test-suite_10.8.6_all.deb" {
		t.Errorf("%s: %v: %s", asset.Name, err, out)
	}
	out, err = exec.Command("dpkg-deb", "-c", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), " ./usr/bin/phoronix-test-suite\n") {
		t.Errorf("contents: %v: %s", err, out)
	}
}

func TestPTSRewritesItsConfiguration(t *testing.T) {
	t.Parallel()
	need(t, "php", "dpkg-deb")
	asset, err := standin.DebPTS("10.8.6")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	deb := filepath.Join(dir, asset.Name)
	if err := os.WriteFile(deb, asset.Data, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("dpkg-deb", "-x", deb, dir).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v: %s", err, out)
	}
	config := filepath.Join(dir, ".phoronix-test-suite", "user-config.xml")
	pts := func(args ...string) (string, error) {
		cmd := exec.Command(filepath.Join(dir, "usr/bin/phoronix-test-suite"), args...)
		cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := pts("version"); err != nil || !strings.Contains(out, "Phoronix Test Suite v10.8.6") {
		t.Errorf("version: %v: %s", err, out)
	}
	text, err := os.ReadFile(config)
	if err != nil || !strings.Contains(string(text), "<UploadResults>TRUE</UploadResults>") {
		t.Fatalf("%v: %s", err, text)
	}
	if out, err := pts("batch-benchmark"); err == nil {
		t.Errorf("ran unconfigured: %s", out)
	}
	set := "<PhoronixTestSuite><Options><BatchMode><Configured>TRUE</Configured></BatchMode></Options></PhoronixTestSuite>"
	if err := os.WriteFile(config, []byte(set), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := pts("batch-benchmark"); err != nil {
		t.Errorf("configured: %v: %s", err, out)
	}
	text, _ = os.ReadFile(config)
	for _, part := range []string{"    <Configured>TRUE</Configured>", "<DynamicRunCount>TRUE</DynamicRunCount>"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

func TestRunnerArchiveHasTheRealLayout(t *testing.T) {
	t.Parallel()
	archive := runnerArchive(t)
	again := runnerArchive(t)
	if archive.SHA256 == "" || archive.SHA256 != again.SHA256 {
		t.Errorf("digests %q and %q", archive.SHA256, again.SHA256)
	}
	names := entries(t, archive.Path)
	for _, want := range []string{
		"./", "./config.sh", "./run.sh", "./env.sh", "./safe_sleep.sh", "./run-helper.sh.template", "./bin/Runner.Listener",
		"./bin/Runner.Worker", "./bin/runsvc.sh", "./bin/RunnerService.js", "./bin/installdependencies.sh",
		"./bin/systemd.svc.sh.template", "./bin/actions.runner.service.template", "./bin/Runner.Listener.deps.json",
		"./externals/node20/bin/node", "./externals/node20/bin/npm -> ../lib/node_modules/npm/bin/npm-cli.js",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s", want)
		}
	}
	b := newBox(t, newServer(t, standin.Options{}))
	if out, err := b.run(nil, "bin/Runner.Listener", "--version"); err != nil || out != version+"\n" {
		t.Errorf("--version: %v: %q", err, out)
	}
}

// entries lists an archive: names, and the targets of links.
func entries(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		name := h.Name
		if h.Typeflag == tar.TypeSymlink {
			name += " -> " + h.Linkname
		}
		names = append(names, name)
	}
}

func TestJDKArchive(t *testing.T) {
	t.Parallel()
	asset, err := standin.JDKArchive("21.0.8")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("tar", "-xzf", "-", "-C", dir)
	cmd.Stdin = bytes.NewReader(asset.Data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	release, err := os.ReadFile(filepath.Join(dir, "jdk-21.0.8/release"))
	if err != nil || !strings.Contains(string(release), `JAVA_VERSION="21.0.8"`) {
		t.Errorf("release: %v: %s", err, release)
	}
	if out, err := exec.Command(filepath.Join(dir, "jdk-21.0.8/bin/java"), "-version").CombinedOutput(); err != nil || !strings.Contains(string(out), "21.0.8") {
		t.Errorf("java: %v: %s", err, out)
	}
}
