//go:build e2e && bench

package e2e

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// A series is one figure, measured again and again.
type series []float64

func (s sample) each(figure func(i int) float64) (all series) {
	for i := range s {
		all = append(all, figure(i))
	}
	return all
}

func (s sample) wall() series { return s.each(func(i int) float64 { return s[i].Wall.Seconds() }) }
func (s sample) cpu() series  { return s.each(func(i int) float64 { return s[i].CPU.Seconds() }) }
func (s sample) rss() series  { return s.each(func(i int) float64 { return float64(s[i].RSS) }) }

func (s series) median() float64 { return s.quantile(0.5) }

// quantile interpolates between the two measurements next to it.
func (s series) quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(at-float64(low))
}

// ms and seconds show the median and, in brackets, the quartiles.
func (s series) ms() string {
	return fmt.Sprintf("%.1f ms (%.1f to %.1f)", 1e3*s.median(), 1e3*s.quantile(0.25), 1e3*s.quantile(0.75))
}

func (s series) seconds() string {
	return fmt.Sprintf("%.2f s (%.2f to %.2f)", s.median(), s.quantile(0.25), s.quantile(0.75))
}

// mib shows the most, for memory has to be there.
func (s series) mib() string { return fmt.Sprintf("%.1f MiB", s.quantile(1)/(1<<20)) }

// table lays rows out as Markdown, the first as the head.
func table(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var rule []string
	for _, w := range widths {
		rule = append(rule, strings.Repeat("-", w))
	}
	var out strings.Builder
	for _, row := range slices.Insert(rows, 1, rule) {
		out.WriteString("\n|")
		for i, cell := range row {
			fmt.Fprintf(&out, " %-*s |", widths[i], cell)
		}
	}
	return out.String() + "\n"
}

// machine describes this one.
func machine(t *testing.T) string {
	t.Helper()
	var name unix.Utsname
	var memory unix.Sysinfo_t
	if err := errors.Join(unix.Uname(&name), unix.Sysinfo(&memory)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s, %d CPUs, %d GiB, Linux %s", processor(t), runtime.NumCPU(),
		(memory.Totalram+1<<29)>>30, unix.ByteSliceToString(name.Release[:]))
}

// processor is the CPU's model, as the kernel has it.
func processor(t *testing.T) string {
	t.Helper()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(info)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// load says how busy the machine is.
func load(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	return "a load average of " + strings.Fields(string(text))[0]
}

// diskDir is a directory that is not in memory, deleted at the end.
func diskDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "benchctl-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Type == unix.TMPFS_MAGIC {
		t.Fatalf("cannot measure on a disk: %s is in memory", dir)
	}
	return dir
}
