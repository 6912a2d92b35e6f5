package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A member is a tar header with its content.
type member struct {
	tar.Header
	text string
}

func reg(name, text string) member {
	return member{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, text}
}

func dir(name string) member { return member{tar.Header{Typeflag: tar.TypeDir, Name: name}, ""} }

func symlink(name, to string) member {
	return member{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}, ""}
}

func hardlink(name, to string) member {
	return member{tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}, ""}
}

func special(name string, kind byte) member {
	return member{tar.Header{Typeflag: kind, Name: name}, ""}
}

// pack makes a tar of entries.
func pack(t testing.TB, entries ...member) []byte {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, e := range entries {
		e.Size = int64(len(e.text))
		if err := tw.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zip(data []byte) []byte {
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	gz.Write(data)
	gz.Close()
	return buf.Bytes()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// put writes an archive to a file and describes its installation.
func put(t testing.TB, data []byte) host.Archive {
	t.Helper()
	at := t.TempDir()
	src := filepath.Join(at, "a.tar.gz")
	if err := os.WriteFile(src, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return host.Archive{Source: src, SHA256: digest(data), Dir: filepath.Join(at, "tree"), UID: os.Getuid(), GID: os.Getgid()}
}

// wantNothing checks that a failed installation left nothing behind.
func wantNothing(t *testing.T, a host.Archive) {
	t.Helper()
	if _, err := os.Lstat(a.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there (%v)", a.Dir, err)
	}
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(a.Dir), "*"))
	if want := []string{filepath.Join(filepath.Dir(a.Dir), "a.tar.gz")}; !slices.Equal(names, want) {
		t.Errorf("left behind: %q", names)
	}
}

// checkManifest compares what Install says of each file with what is there.
func checkManifest(t *testing.T, root string, files []host.UnpackedFile) {
	t.Helper()
	told := map[string]host.UnpackedFile{}
	for _, f := range files {
		told[f.Path] = f
	}
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		f, ok := told[rel]
		delete(told, rel)
		info, _ := d.Info()
		if want := infoOf(info); !ok || f.Info != want {
			t.Errorf("%s: told %+v, is %+v", rel, f.Info, want)
		}
		if data, err := os.ReadFile(path); err == nil && f.IsRegular() && f.SHA256 != digest(data) {
			t.Errorf("%s: digest %s is not that of its contents", rel, f.SHA256)
		}
		if target, err := os.Readlink(path); err == nil && target != f.Target {
			t.Errorf("%s: told target %q, is %q", rel, f.Target, target)
		}
		return nil
	})
	for path := range told {
		t.Errorf("%s is told of and not there", path)
	}
}
