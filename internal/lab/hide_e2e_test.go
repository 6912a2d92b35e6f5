//go:build e2e

package lab

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A hidden directory is empty in the machine, and the ones above it look as
// they did: what they are like can decide what a program does.
func TestHideLeavesTheWayAsItWas(t *testing.T) {
	t.Parallel()
	tree := t.TempDir()
	for _, dir := range []string{"etc/ssl/certs", "var/lib/runner/work"} {
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	home := filepath.Join(tree, "var/lib/runner")
	if err := os.WriteFile(filepath.Join(home, "work/secret"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	const mode = fs.ModeDir | fs.ModeSticky | 0o770
	if err := os.Chown(home, 0, 12345); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, mode); err != nil {
		t.Fatal(err)
	}
	m, err := (&Lab{Log: t.Logf}).New(t.Context(), Options{Lower: []string{tree}, Hide: []string{"/var/lib/runner/work"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	entries, err := os.ReadDir(m.Path("/var/lib/runner/work"))
	if err != nil || len(entries) > 0 {
		t.Errorf("hidden: %v, %v", entries, err)
	}
	shown, err := m.HashTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e := shown["/var/lib/runner"]; e.Mode != mode || e.GID != 12345 {
		t.Errorf("the directory above is %v of group %d, was %v of 12345", e.Mode, e.GID, mode)
	}
}
