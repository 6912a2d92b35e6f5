package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// FuzzStream unpacks whatever bytes, as tar and as gzip.
func FuzzStream(f *testing.F) {
	f.Add(pack(f, reg("a", "text"), symlink("l", "a"), hardlink("h", "a"), dir("d")))
	f.Add(pack(f, reg(strings.Repeat("n/", 60)+"n", "text"), reg("../x", "")))
	f.Add(zip([]byte("no tar")))
	f.Fuzz(func(t *testing.T, data []byte) {
		stays(t, data)
		stays(t, zip(data))
	})
}

// FuzzMembers unpacks archives that are well-formed and mean harm. Each line
// is a member: its type, its name and, after a space, its target or contents.
func FuzzMembers(f *testing.F) {
	f.Add("5d\n2l ..\n0l/x y")
	f.Add("2a b\n2b a\n1c a\n0a/b text")
	f.Add("2d/e ../..\n2m d/e/../../..\n0m/x y")
	f.Add("0../../x y\n0/abs y\n2s /etc/passwd\n1h ../canary")
	f.Add("0a text\n1b a\n1c b\n2d c\n0./a again\n3dev\n6fifo")
	f.Fuzz(func(t *testing.T, script string) {
		var buf bytes.Buffer
		tw := tar.NewWriter(&buf)
		for line := range strings.Lines(script) {
			name, arg, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			if name == "" {
				continue
			}
			h := &tar.Header{Typeflag: name[0], Name: name[1:], Mode: 0o7777}
			if h.Typeflag == tar.TypeReg {
				h.Size = int64(len(arg))
			} else {
				h.Linkname = arg
			}
			if tw.WriteHeader(h) == nil && h.Size > 0 {
				tw.Write([]byte(arg))
			}
		}
		tw.Close()
		stays(t, zip(buf.Bytes()))
	})
}

// stays unpacks data and checks that nothing happened outside, that no link
// leads there, and that what is told is what is there.
func stays(t *testing.T, data []byte) {
	t.Helper()
	outside, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(outside)
	a := host.Archive{Source: filepath.Join(outside, "canary"), Trust: true, Dir: filepath.Join(outside, "tree"), UID: os.Getuid(), GID: os.Getgid()}
	if err := os.WriteFile(a.Source, data, 0o600); err != nil {
		t.Fatal(err)
	}
	limits := Default
	limits.Bytes = 1 << 20
	done, err := install(t.Context(), a, limits)
	if got, _ := os.ReadFile(a.Source); !bytes.Equal(got, data) {
		t.Fatal("a file outside was changed")
	}
	left := []string{"canary"}
	if err == nil {
		left = append(left, "tree")
	} else if !errors.Is(err, ErrUnsound) {
		t.Fatalf("%v, which does not say that the archive is unsound", err)
	}
	if got := names(outside); !slices.Equal(got, left) {
		t.Fatalf("after %v there is %q", err, got)
	}
	if err == nil {
		checkManifest(t, a.Dir, done.Files)
		checkLinks(t, a.Dir)
	}
}

func names(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func checkLinks(t *testing.T, root string) {
	t.Helper()
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type() != fs.ModeSymlink {
			return err
		}
		if real, err := filepath.EvalSymlinks(path); err == nil && real != root && !strings.HasPrefix(real, root+"/") {
			t.Errorf("%s leads to %s", path, real)
		}
		return nil
	})
}
