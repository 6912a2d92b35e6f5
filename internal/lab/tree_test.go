package lab

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTreeSeesEveryKindOfChange(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := func() Tree {
		tree, err := hashTree(t.Context(), root, []string{"/except"})
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	for _, name := range []string{"same", "content", "mode", "removed", "touched", "except"} {
		write(name, "aaaa")
	}
	os.Symlink("old", filepath.Join(root, "link"))
	before := read()

	write("content", "bbbb")
	os.Chmod(filepath.Join(root, "mode"), 0o755)
	os.Remove(filepath.Join(root, "removed"))
	write("added", "aaaa")
	os.Chtimes(filepath.Join(root, "touched"), time.Time{}, time.Unix(1, 0))
	write("except", "bbbb")
	os.Remove(filepath.Join(root, "link"))
	os.Symlink("new", filepath.Join(root, "link"))
	after := read()

	names := func(lines []string) (paths []string) {
		for _, line := range lines {
			path, _, _ := strings.Cut(line, ":")
			paths = append(paths, path)
		}
		return paths
	}
	changed := []string{"/added", "/content", "/link", "/mode", "/removed"}
	if got := names(before.Changed(after)); !slices.Equal(got, changed) {
		t.Errorf("changed: %v, want %v", got, changed)
	}
	if got, want := names(before.Touched(after)), append(changed, "/touched"); !slices.Equal(got, want) {
		t.Errorf("touched: %v, want %v", got, want)
	}
}
