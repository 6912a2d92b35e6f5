package rehearse

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSweepTakesOnlyWhatNobodyHolds(t *testing.T) {
	t.Parallel()
	in := t.TempDir()
	at := func(name string) string { return filepath.Join(in, scratchPrefix+name) }
	for _, name := range []string{"left/runner/bin", "held"} {
		if err := os.MkdirAll(at(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", at("link")); err != nil {
		t.Fatal(err)
	}
	lock, err := claim(at("held"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := sweep(in); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"left": false, "held": true, "link": true} {
		if _, err := os.Lstat(at(name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Mkdir(at("foreign"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(at("foreign"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		if err := sweep(in); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(at("foreign")); err != nil {
			t.Errorf("another user's directory was taken: %v", err)
		}
	}
}

func TestScratchIsClearedAway(t *testing.T) {
	t.Parallel()
	dir, remove, err := scratch()
	if err != nil {
		t.Fatal(err)
	}
	again, removeAgain, err := scratch() // a second rehearsal leaves the first one's alone
	if err != nil {
		t.Fatal(err)
	}
	removeAgain()
	if _, err := os.Lstat(again); err == nil {
		t.Errorf("%s is still there", again)
	}
	if _, err := os.Lstat(dir); err != nil {
		t.Error(err)
	}
	remove()
	if _, err := os.Lstat(dir); err == nil {
		t.Errorf("%s is still there", dir)
	}
}
