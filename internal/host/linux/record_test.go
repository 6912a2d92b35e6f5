package linux

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

func TestRecordIsWholeAndIgnoresWhatIsInItsWay(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	write(t, m.at("/victim"), "precious")
	if err := os.Symlink("victim", m.at("/.file.benchctl-new")); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := m.Record("/file", []byte(text), own(0o640)); err != nil {
			t.Fatal(err)
		}
		if info, err := m.Lstat("/file"); read(t, m.at("/file")) != text || err != nil || info.Mode != 0o640 {
			t.Errorf("%v, %v", info, err)
		}
	}
	if names, _ := m.ReadDir("/"); len(names) != 2 || read(t, m.at("/victim")) != "precious" {
		t.Errorf("the link was followed, or something was left: %v", names)
	}
	if err := m.Record("/no/file", nil, own(0o644)); err == nil || err.Error() != "cannot write /no/file: no such file or directory" {
		t.Errorf("got %v", err)
	}
	if err := os.Mkdir(m.at("/dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.Record("/dir", nil, own(0o644)); err == nil || strings.Contains(err.Error(), m.Root) {
		t.Errorf("got %v", err)
	}
}

// A line that a crash cut off stays alone: it takes none that follows along.
func TestAppendLine(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	add := func(line string) {
		t.Helper()
		if err := m.AppendLine("/lines", []byte(line), own(0o600)); err != nil {
			t.Fatal(err)
		}
	}
	add("one")
	add("two")
	if info, err := m.Lstat("/lines"); err != nil || info.Mode != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	write(t, m.at("/lines"), "one\ntwo\nthr")
	add("four")
	if got := read(t, m.at("/lines")); got != "one\ntwo\nthr\nfour\n" {
		t.Errorf("got %q", got)
	}
}

func TestAppendLineTrustsNothing(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	write(t, m.at("/victim"), "precious")
	if err := errors.Join(os.Symlink("victim", m.at("/link")), syscall.Mkfifo(m.at("/fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{"/link": syscall.ELOOP, "/fifo": host.ErrHostile} {
		if err := m.AppendLine(path, []byte("x"), own(0o600)); !errors.Is(err, want) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if read(t, m.at("/victim")) != "precious" {
		t.Error("the link was followed")
	}
}
