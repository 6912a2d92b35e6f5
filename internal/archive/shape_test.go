package archive

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// A shape describes an archive to generate. realShape is that of the runner's
// release: about 9,000 files, 700 MB unpacked, 200 MB packed.
type shape struct {
	small, smallSize int // scripts and headers of the bundled Node
	medium, midSize  int // .NET assemblies
	big, bigSize     int // native executables
}

var (
	realShape = shape{small: 8500, smallSize: 14_000, medium: 400, midSize: 420_000, big: 8, bigSize: 52 << 20}
)

// write generates the archive, the same bytes each time, and returns its
// digest.
func (s shape) write(w io.Writer) (string, error) {
	sum := sha256.New()
	gz, _ := gzip.NewWriterLevel(io.MultiWriter(w, sum), 6)
	tw := tar.NewWriter(gz)
	g := newGen()
	for i := range s.big {
		g.file(tw, fmt.Sprintf("./externals/node%d/bin/node", i), s.bigSize, 0o755)
	}
	for i := range s.medium {
		g.file(tw, fmt.Sprintf("./bin/System.Part%03d.dll", i), s.midSize, 0o644)
	}
	for i := range s.small {
		g.file(tw, fmt.Sprintf("./externals/node%d/lib/node_modules/npm/node_modules/package-%d/lib/file%d.js", i%4, i/10%100, i), s.smallSize/2+i%s.smallSize, 0o644)
	}
	for _, name := range []string{"Runner.Listener", "Runner.Worker", "runsvc.sh"} {
		g.file(tw, "./bin/"+name, 70_000, 0o755)
	}
	for _, name := range []string{"config.sh", "run.sh", "env.sh"} {
		g.file(tw, "./"+name, 3000, 0o755)
	}
	g.err(tw.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "./externals/node0/bin/npm", Linkname: "../lib/node_modules/npm/bin/npm-cli.js", Mode: 0o777}))
	g.err(tw.Close())
	g.err(gz.Close())
	return hex.EncodeToString(sum.Sum(nil)), g.failed
}

// A gen makes contents that deflate as code does, to a bit under a third.
type gen struct {
	rnd    *rand.Rand
	zipf   *rand.Zipf
	words  [][]byte
	buf    []byte
	failed error
}

func newGen() *gen {
	g := &gen{rnd: rand.New(rand.NewPCG(7, 9))}
	g.zipf = rand.NewZipf(g.rnd, 1.25, 3, 5999)
	for range 6000 {
		word := make([]byte, 2+g.rnd.IntN(9))
		for i := range word {
			word[i] = byte('!' + g.rnd.IntN(90))
		}
		g.words = append(g.words, word)
	}
	return g
}

func (g *gen) err(err error) {
	if g.failed == nil {
		g.failed = err
	}
}

func (g *gen) file(tw *tar.Writer, name string, size int, mode int64) {
	g.err(tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(size), Mode: mode}))
	g.buf = g.buf[:0]
	for len(g.buf) < size {
		word := g.words[g.zipf.Uint64()]
		g.buf = append(g.buf, word...)
		if g.rnd.IntN(5) < 2 { // what was said once is often said again
			at := g.rnd.IntN(len(g.buf))
			g.buf = append(g.buf, g.buf[at:min(at+90, len(g.buf))]...)
		}
	}
	_, err := tw.Write(g.buf[:size])
	g.err(err)
}

// shaped generates an archive into a file, once for each digest of this code.
func shaped(tb testing.TB, s shape, path string) string {
	tb.Helper()
	if path == "" {
		path = filepath.Join(tb.TempDir(), "archive.tar.gz")
	}
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	sum, err := s.write(f)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return sum
}

// TestWriteShape generates the archive of the benchmark for scripts:
//
//	BENCHCTL_SHAPE=/tmp/runner.tar.gz go test -run WriteShape ./internal/archive
func TestWriteShape(t *testing.T) {
	path := os.Getenv("BENCHCTL_SHAPE")
	if path == "" {
		t.Skip("BENCHCTL_SHAPE names no file to write the archive to")
	}
	t.Log("sha256:", shaped(t, realShape, path))
}
