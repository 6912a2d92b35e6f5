package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

func init() { firstWait = time.Millisecond }

func TestInstall(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long/", 30) + strings.Repeat("n", 120)
	big := strings.Repeat("0123456789abcdef", 200_000) // many chunks
	script := reg("./run.sh", "#!/bin/sh\n")
	script.Mode = 0o6777
	a := put(t, zip(pack(t, dir("./"), dir("./bin"), reg("./bin/a.dll", "first"), script, reg(long, "deep"), reg("bin/big", big),
		reg("bin/empty", ""), symlink("bin/up", "../run.sh"), hardlink("bin/same", "./bin/a.dll"), hardlink("bin/third", "bin/same"))))
	done, err := Install(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if done.SHA256 != a.SHA256 {
		t.Errorf("digest %s, want %s", done.SHA256, a.SHA256)
	}
	for path, want := range map[string]string{"bin/a.dll": "first", "run.sh": "#!/bin/sh\n", long: "deep", "bin/big": big, "bin/same": "first", "bin/third": "first", "bin/up": "#!/bin/sh\n", "bin/empty": ""} {
		if data, err := os.ReadFile(filepath.Join(a.Dir, path)); err != nil || string(data) != want {
			t.Errorf("%s: %d bytes, %v", path, len(data), err)
		}
	}
	checkManifest(t, a.Dir, done.Files)
	if info, _ := os.Stat(filepath.Join(a.Dir, "run.sh")); info.Mode() != 0o755 {
		t.Errorf("run.sh is %v, want 0755 without set-id bits", info.Mode())
	}
}

func TestStrip(t *testing.T) {
	t.Parallel()
	a := put(t, zip(pack(t, dir("jdk-21.0.9/"), reg("jdk-21.0.9/bin/java", "java"), hardlink("jdk-21.0.9/bin/j", "jdk-21.0.9/bin/java"))))
	a.Strip = 1
	if _, err := Install(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(filepath.Join(a.Dir, "bin/j")); string(data) != "java" {
		t.Errorf("bin/j holds %q", data)
	}
	b := put(t, zip(pack(t, reg("LICENSE", "lies beside"))))
	b.Strip = 1
	if _, err := Install(t.Context(), b); !errors.Is(err, ErrUnsound) {
		t.Errorf("a file beside the stripped directory: %v", err)
	}
	wantNothing(t, b)
}

func TestUnsoundArchives(t *testing.T) {
	t.Parallel()
	good := pack(t, reg("a", "text"))
	gz := zip(pack(t, reg("a", strings.Repeat("text ", 100_000))))
	loop := strings.Repeat("d/", 600) + "f"
	cases := map[string]struct {
		data []byte
		says string
	}{
		"traversal":              {zip(pack(t, reg("../evil", ""))), "upwards"},
		"traversal inside":       {zip(pack(t, reg("a/../../evil", ""))), "upwards"},
		"absolute":               {zip(pack(t, reg("/etc/evil", ""))), "absolute"},
		"link out":               {zip(pack(t, symlink("l", "../evil"))), "outside"},
		"absolute link":          {zip(pack(t, symlink("l", "/etc/passwd"))), "outside"},
		"link down then out":     {zip(pack(t, symlink("d/l", "x/../../../evil"))), "outside"},
		"link through a link":    {zip(pack(t, symlink("d/e/l", "../.."), symlink("m", "d/e/l/../../.."))), "outside"},
		"link with a newline":    {zip(pack(t, symlink("l", "a\nb"))), "target"},
		"hard link out":          {zip(pack(t, hardlink("l", "../evil"))), "upwards"},
		"hard link absolute":     {zip(pack(t, hardlink("l", "/etc/passwd"))), "absolute"},
		"hard link to nothing":   {zip(pack(t, hardlink("l", "nothing"))), "no file before it"},
		"hard link to a link":    {zip(pack(t, symlink("s", "a"), hardlink("l", "s"))), "no file before it"},
		"hard link to itself":    {zip(pack(t, hardlink("l", "l"))), "no file before it"},
		"file through a link":    {zip(pack(t, dir("d"), symlink("l", "d"), reg("l/evil", ""))), "no directory"},
		"directory over a link":  {zip(pack(t, dir("d"), symlink("l", "d"), dir("l"))), "no directory"},
		"file below a file":      {zip(pack(t, reg("a", ""), reg("a/b", ""))), "no directory"},
		"file twice":             {zip(pack(t, reg("a", "1"), reg("./a", "2"))), "twice"},
		"link over a file":       {zip(pack(t, reg("a", "1"), symlink("a", "b"))), "twice"},
		"file over a directory":  {zip(pack(t, dir("a"), reg("a", "1"))), "twice"},
		"fifo":                   {zip(pack(t, special("p", tar.TypeFifo))), "no place"},
		"character device":       {zip(pack(t, special("c", tar.TypeChar))), "no place"},
		"block device":           {zip(pack(t, special("b", tar.TypeBlock))), "no place"},
		"control character":      {zip(pack(t, reg("a\nb", ""))), "no path should"},
		"path too long":          {zip(pack(t, reg(loop, ""))), "bytes long"},
		"component too long":     {zip(pack(t, reg(strings.Repeat("n", 256), ""))), "255"},
		"top as a file":          {zip(pack(t, symlink(".", "a"))), "outside"},
		"not gzip":               {[]byte("<!DOCTYPE html><title>Log in</title>"), "not gzip"},
		"not tar":                {zip(bytes.Repeat([]byte("no tar at all "), 100)), "unsound"},
		"empty":                  {nil, "too early"},
		"cut off":                {gz[:len(gz)/2], "too early"},
		"cut off before the sum": {gz[:len(gz)-4], "too early"},
		"wrong checksum":         {slices.Concat(gz[:len(gz)-8], []byte{1, 2, 3, 4}, gz[len(gz)-4:]), "checksum"},
		"garbage after gzip":     {slices.Concat(gz, []byte("garbage that follows")), "follows"},
		"garbage after tar":      {zip(slices.Concat(good, []byte("garbage"))), "follows the end"},
		"tar cut off in a file":  {zip(good[:514]), "too early"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := put(t, c.data)
			_, err := Install(t.Context(), a)
			if !errors.Is(err, ErrUnsound) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an unsound archive and %q", err, c.says)
			}
			wantNothing(t, a)
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	bomb := zip(pack(t, reg("zeros", strings.Repeat("\x00", 90<<20))))
	many := make([]member, 50)
	for i := range many {
		many[i] = reg(strings.Repeat("x", i+1), "")
	}
	sparse := reg("hole", "")
	cases := map[string]struct {
		data   []byte
		change func(*Limits)
		says   string
	}{
		"ratio":    {bomb, func(*Limits) {}, "times its size"},
		"bytes":    {bomb, func(l *Limits) { l.Bytes = 1 << 20 }, "more than 1048576 bytes"},
		"entries":  {zip(pack(t, many...)), func(l *Limits) { l.Entries = 20 }, "more than 20 files"},
		"names":    {zip(pack(t, many...)), func(l *Limits) { l.Names = 100 }, "names more than 100"},
		"download": {zip(pack(t, many...)), func(l *Limits) { l.Download = 10 }, "bigger than 10 bytes"},
		"padding":  {zip(slices.Concat(pack(t, sparse), make([]byte, 5<<20))), func(l *Limits) { l.Bytes = 1 << 20 }, "more than 1048576 bytes"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := Default
			c.change(&limits)
			a := put(t, c.data)
			_, err := install(t.Context(), a, limits)
			if !errors.Is(err, ErrUnsound) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an unsound archive and %q", err, c.says)
			}
			wantNothing(t, a)
		})
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	data := zip(pack(t, reg("a", "text")))
	for name, c := range map[string]struct {
		data   []byte
		want   string
		begins string
	}{
		"another archive":           {data, digest([]byte("wanted")), ""},
		"a hostile archive":         {zip(pack(t, reg("../evil", ""))), digest([]byte("wanted")), ""},
		"a page instead":            {[]byte("<html>Log in first</html>"), digest([]byte("wanted")), `"<html>Log in fir"`},
		"nobody said":               {data, "", ""},
		"nobody said, and a page":   {[]byte("<html>"), "", `"<html>"`},
		"nobody said, and too evil": {zip(pack(t, reg("../evil", ""))), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := put(t, c.data)
			a.SHA256 = c.want
			_, err := Install(t.Context(), a)
			var wrong *host.DigestError
			if !errors.As(err, &wrong) || wrong.Have != digest(c.data) || wrong.Want != c.want || wrong.Begins != c.begins {
				t.Errorf("got %v (%+v)", err, wrong)
			}
			wantNothing(t, a)
		})
	}
	a := put(t, data)
	a.SHA256, a.Trust = "", true
	if done, err := Install(t.Context(), a); err != nil || done.SHA256 != digest(data) {
		t.Errorf("trusted on first use: %q, %v", done.SHA256, err)
	}
}

// serve answers the n-th request with the n-th answer, and the last ever after.
func serve(t *testing.T, answers ...http.HandlerFunc) (url string, asked *atomic.Int32) {
	asked = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[min(int(asked.Add(1)), len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestFromServer(t *testing.T) {
	t.Parallel()
	data := zip(pack(t, reg("a", strings.Repeat("some text ", 50_000))))
	whole := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Accept-Encoding") == "gzip" {
			t.Errorf("asked with %v", r.Header)
		}
		w.Header().Set("Content-Encoding", "gzip") // as some servers wrongly say of a tar.gz
		w.Write(data)
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000000")
		w.Write(data[:len(data)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	chunked := func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		w.Write(data[:len(data)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	away := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		asked   int32
		says    string // "" for success
	}{
		"plain":           {[]http.HandlerFunc{whole}, 1, ""},
		"redirected":      {[]http.HandlerFunc{away, whole}, 2, ""},
		"cut off once":    {[]http.HandlerFunc{cut, chunked, whole}, 3, ""},
		"busy once":       {[]http.HandlerFunc{status(503), status(429), whole}, 3, ""},
		"cut off always":  {[]http.HandlerFunc{cut}, 4, "broke off after"},
		"down":            {[]http.HandlerFunc{status(502)}, 4, "502 Bad Gateway"},
		"not there":       {[]http.HandlerFunc{status(404)}, 1, "check the version"},
		"not allowed":     {[]http.HandlerFunc{status(403)}, 1, "403"},
		"round and round": {[]http.HandlerFunc{away}, 11, "redirects"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, asked := serve(t, c.answers...)
			a := put(t, data)
			a.Source = url + "/a.tar.gz?signature=SECRET"
			done, err := Install(t.Context(), a)
			if got := asked.Load(); got != c.asked {
				t.Errorf("asked %d times, want %d", got, c.asked)
			}
			if c.says == "" {
				if err != nil || len(done.Files) != 1 {
					t.Errorf("%d files, %v", len(done.Files), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("got %v, want %q and no secret", err, c.says)
			}
			wantNothing(t, a)
		})
	}
}

func TestPlainHTTPNeedsADigest(t *testing.T) {
	t.Parallel()
	a := put(t, nil)
	a.Source, a.SHA256, a.Trust = "http://192.0.2.1/a.tar.gz", "", true
	if _, err := Install(t.Context(), a); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("got %v", err)
	}
}

func TestFileOfOthersNeedsADigest(t *testing.T) {
	t.Parallel()
	data := zip(pack(t, reg("a", "text")))
	a := put(t, data)
	if err := os.Chmod(a.Source, 0o666); err != nil {
		t.Fatal(err)
	}
	a.SHA256, a.Trust = "", true
	if _, err := Install(t.Context(), a); err == nil || !strings.Contains(err.Error(), "others than root") {
		t.Errorf("got %v", err)
	}
	wantNothing(t, a)
	a.SHA256 = digest(data)
	if _, err := Install(t.Context(), a); err != nil {
		t.Errorf("with its digest: %v", err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	data := zip(pack(t, reg("a", "text")))
	url, asked := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(data[:10])
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	a := put(t, data)
	a.Source = url
	if _, err := Install(ctx, a); !errors.Is(err, context.Canceled) || asked.Load() != 1 {
		t.Errorf("got %v after %d requests", err, asked.Load())
	}
	wantNothing(t, a)
}

func TestSourcesThatAreNoFile(t *testing.T) {
	t.Parallel()
	a := put(t, nil)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{fifo, "/dev/zero", t.TempDir(), "/nothing/there", "relative", "ftp://example.org/x", ""} {
		a.Source = source
		if _, err := Install(t.Context(), a); err == nil {
			t.Errorf("%q was taken", source)
		}
		wantNothing(t, a)
	}
}

func TestDirectoryInTheWay(t *testing.T) {
	t.Parallel()
	a := put(t, zip(pack(t, reg("a", "text"))))
	victim := t.TempDir()
	if err := os.Symlink(victim, a.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(t.Context(), a); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if names, _ := os.ReadDir(victim); len(names) != 0 {
		t.Errorf("written through the link: %v", names)
	}
	if target, err := os.Readlink(a.Dir); target != victim {
		t.Errorf("what was in the way is gone: %v", err)
	}
}

// TestFullDisk needs to mount a small file system, so it needs to be root in a
// mount namespace that allows it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	a := put(t, zip(pack(t, reg("a", strings.Repeat("text", 2<<20)), reg("b", strings.Repeat("text", 2<<20)))))
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a small file system here: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(small, 0) })
	a.Dir = filepath.Join(small, "tree")
	_, err := Install(t.Context(), a)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("got %v", err)
	}
	if names, _ := os.ReadDir(small); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestMemory holds an installation to what it may take, whatever comes. It is
// not parallel, so that nothing else counts.
func TestMemory(t *testing.T) {
	a := put(t, nil)
	f, err := os.Create(a.Source)
	if err != nil {
		t.Fatal(err)
	}
	const size = 200 << 20
	gz := gzip.NewWriter(f)
	tw := tar.NewWriter(gz)
	tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "big", Size: size})
	for range size >> 10 {
		tw.Write(bytes.Repeat([]byte("0123456789abcdef"), 64))
	}
	for _, c := range []func() error{tw.Close, gz.Close, f.Close} {
		if err := c(); err != nil {
			t.Fatal(err)
		}
	}
	limits := Default
	limits.Ratio = 2000
	a.SHA256, a.Trust = "", true
	runtime.GC()
	debug.FreeOSMemory()
	var most atomic.Uint64
	stop := peak(&most)
	if _, err := install(t.Context(), a, limits); err != nil {
		t.Fatal(err)
	}
	stop()
	if got := most.Load(); got > 64<<20 {
		t.Errorf("it took %d MiB", got>>20)
	}
}
