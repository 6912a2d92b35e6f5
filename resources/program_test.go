package resources

import (
	"os"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
)

// The installed benchctl is compared to its last byte, and mended.
func TestProgramIsTheRunningOne(t *testing.T) {
	t.Parallel()
	const self = "/root/benchctl"
	for _, size := range []int{1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 200_000} {
		m := hosttest.New(t, "-- usr/local/bin/other --\nanother program\n")
		text := strings.Repeat("x", size)
		m.WriteFile(self, text)
		p := program{self: self}
		wantOnly(t, diffOf(t, m, p), installedBinary, "absent", "a copy of "+self)
		settle(t, m, p)
		if got := m.Text(installedBinary); got != text {
			t.Fatalf("a benchctl of %d bytes became one of %d", size, len(got))
		}
		m.WriteFile(installedBinary, text[:size-1]+"y")
		if err := os.Chmod(m.Path(installedBinary), 0o755); err != nil {
			t.Fatal(err)
		}
		wantOnly(t, diffOf(t, m, p), installedBinary, "another build", "a copy of "+self)
		settle(t, m, p)
	}
}
