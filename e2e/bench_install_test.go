//go:build e2e && bench

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// oneAfterAnother is how an installation guide does it; its arguments are the
// URL, the digest and an empty directory.
const oneAfterAnother = `cd "$2" && curl -fsS -o runner.tar.gz "$0" && echo "$1  runner.tar.gz" | sha256sum -c --quiet && tar xzf runner.tar.gz && sync -f .`

// inOnePass is the same with benchctl's way, whose program is $3.
const inOnePass = `"$3" "$0" "$1" "$2/tree" && sync -f "$2"`

// install measures the installation of a package of the real one's size, from a
// server on this machine to a disk of it, in pairs.
func (b *bench) install(t *testing.T) string {
	unpack := b.build(t, "./unpack")
	asset := b.archive(t)
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(asset.Path))))
	defer server.Close()
	url := server.URL + "/" + filepath.Base(asset.Path)

	var ours, theirs sample
	var ratio series
	for range 10 {
		a := b.timed(t, inOnePass, url, asset.SHA256, unpack)
		c := b.timed(t, oneAfterAnother, url, asset.SHA256)
		ours, theirs = append(ours, a...), append(theirs, c...)
		ratio = append(ratio, float64(c[0].Wall)/float64(a[0].Wall))
	}
	rows := [][]string{
		{"The runner installed from this machine's own server to its disk, synced", "wall time", "CPU time", "most memory", "ten pairs"},
		{"benchctl: download, verify and unpack in one pass", ours.wall().seconds(), ours.cpu().seconds(), ours.rss().mib(),
			fmt.Sprintf("%.2f (%.2f to %.2f) times faster", ratio.median(), ratio.quantile(0.25), ratio.quantile(0.75))},
		{"`curl`, `sha256sum`, `tar xzf`", theirs.wall().seconds(), theirs.cpu().seconds(), theirs.rss().mib(), ""},
	}
	return table(rows)
}

// timed runs a script once, with an empty directory on the disk as its third
// argument; what it leaves there is gone, on the disk too, before it returns.
func (b *bench) timed(t *testing.T, script, url, sum string, args ...string) (s sample) {
	t.Helper()
	dir := filepath.Join(b.dir, "install")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(b.stopwatch, append([]string{"1", "/bin/sh", "-c", script, url, sum, dir}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("sync", "-f", b.dir).Run(); err != nil {
		t.Fatal(err)
	}
	return s
}
