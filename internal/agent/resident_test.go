package agent

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const someMaps = `00400000-00c00000 r-xp 00000000 fe:00 77 /usr/local/bin/benchctl
Rss:                8192 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00c00000-01800000 r--p 00800000 fe:00 77 /usr/local/bin/benchctl
Rss:                9000 kB
Anonymous:             4 kB
01800000-01900000 rw-p 01400000 fe:00 77 /usr/local/bin/benchctl
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 fe:00 78 /usr/share/zoneinfo/UTC
Anonymous:             0 kB
`

func TestUnmodified(t *testing.T) {
	if got := unmodified([]byte(someMaps), "/usr/local/bin/benchctl"); !slices.Equal(got, []mapping{{0x400000, 0xc00000}}) {
		t.Errorf("%x", got)
	}
}

// The program goes on as if nothing had happened, in less memory.
func TestForgetProgram(t *testing.T) {
	before := fileMemory(t)
	forgetProgram()
	if after := fileMemory(t); after >= before {
		t.Errorf("%d KiB of files are resident, %d before", after, before)
	}
}

// fileMemory is how much of files this process holds, in KiB.
func fileMemory(t *testing.T) (kib int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		if key == "RssFile" || key == "RssShmem" {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			kib += n
		}
	}
	return kib
}
