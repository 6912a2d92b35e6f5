package archive

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// BenchmarkInstall installs an archive of the runner's shape from a loopback
// server. BENCHCTL_SOURCE may name another place to install it from, so that
// the same server can be measured with other tools.
func BenchmarkInstall(b *testing.B) {
	dir := b.TempDir()
	source, sum := os.Getenv("BENCHCTL_SOURCE"), ""
	if source == "" {
		path := filepath.Join(dir, "runner.tar.gz")
		sum = shaped(b, realShape, path)
		server := httptest.NewServer(http.FileServer(http.Dir(dir)))
		defer server.Close()
		source = server.URL + "/runner.tar.gz"
	}
	var most atomic.Uint64
	stop := peak(&most)
	defer stop()
	for b.Loop() {
		a := host.Archive{Source: source, SHA256: sum, Trust: sum == "", Dir: filepath.Join(dir, "tree")}
		done, err := Install(b.Context(), a)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(done.Size)
		b.StopTimer()
		os.RemoveAll(a.Dir)
		b.StartTimer()
	}
	b.ReportMetric(float64(most.Load())/(1<<20), "MiB-peak")
}

// peak keeps the most memory that Go's runtime had from the system, server
// included.
func peak(most *atomic.Uint64) (stop func()) {
	done := make(chan struct{})
	go func() {
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.Sys-m.HeapReleased))
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() { close(done) }
}
