package agent

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etc")
	file := filepath.Join(dir, "runner.yaml")
	files := []string{filepath.Join(t.TempDir(), "other.yaml"), file}
	if _, err := Watch(files, nil); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("watches a directory that is not there: %v", err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(dir, 0o755))
	changes := make(chan struct{}, 100)
	w, err := Watch(files, func() { changes <- struct{}{} })
	must(err)
	defer w.Close()
	// In order: what comes first is heard first, so that nothing has to be
	// waited for that does not come.
	must(os.WriteFile(filepath.Join(dir, "runner.yaml.swp"), nil, 0o644))
	must(os.WriteFile(file, []byte("a"), 0o644))
	rings(t, changes)
	must(os.WriteFile(file+".new", []byte("b"), 0o644))
	must(os.Rename(file+".new", file))
	rings(t, changes)
	must(os.WriteFile(files[0], nil, 0o644))
	rings(t, changes)
	// One more, whose going is heard of and nothing else.
	gone := filepath.Join(t.TempDir(), ".runner")
	must(w.Gone(gone))
	for range 2 {
		must(os.WriteFile(gone, nil, 0o644))
		must(os.Remove(gone))
		rings(t, changes)
	}
	must(w.Gone(""))
	must(os.WriteFile(gone, nil, 0o644))
	must(os.Remove(gone))
	// Another directory takes the place of this one.
	must(os.Rename(dir, dir+".old"))
	must(os.Mkdir(dir, 0o755))
	must(w.renew())
	must(os.WriteFile(file, []byte("c"), 0o644))
	rings(t, changes)
	w.Close()
	must(os.WriteFile(file, []byte("d"), 0o644))
	time.Sleep(20 * time.Millisecond)
	if n := len(changes); n != 0 {
		t.Errorf("%d changes too many", n)
	}
}

func TestConcerns(t *testing.T) {
	t.Parallel()
	event := func(mask byte, name string) []byte {
		return append([]byte{1, 0, 0, 0, 0, mask, 0, 0, 0, 0, 0, 0, byte(len(name)), 0, 0, 0}, name...)
	}
	for _, tt := range []struct {
		events []byte
		want   bool
	}{
		{event(1, "runner.yaml\x00\x00\x00\x00\x00"), true},
		{append(event(1, "x\x00\x00\x00"), event(1, "runner.yaml\x00")...), true},
		{event(1, "runner.yaml~\x00\x00\x00\x00"), false},
		{event(2, "runner.yaml\x00"), false}, // of another kind
		{event(0x40, ""), true},              // IN_Q_OVERFLOW
		{event(1, "runner.yaml\x00")[:20], false},
		{[]byte{1, 2, 3}, false},
		{nil, false},
	} {
		if got := concerns(tt.events, "/etc/benchctl/runner.yaml", 1<<8); got != tt.want {
			t.Errorf("%q: %v", tt.events, got)
		}
	}
}
