package gate

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
)

// closerLook is for how long the CPUs are watched when the load average is high.
// The kernel counts their time in hundredths of a second.
const closerLook = 200 * time.Millisecond

// load wants the host to be quiet. The load average is free, but remembers for
// minutes: after a benchmark on all CPUs it is high on a host that is idle. So a
// low one is believed, and a high one makes the gate look how busy the CPUs are
// just now.
func (g Gate) load(ctx context.Context, want *expect.Expected) []Finding {
	text, err := g.Host.ReadFile("/proc/loadavg")
	if err != nil {
		return []Finding{cannotSee(err)}
	}
	average, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(average, 64)
	if err != nil {
		return []Finding{unknown("/proc/loadavg has no number: %s", plain(string(text)))}
	}
	before, err := g.cpuTime()
	if err != nil {
		return []Finding{cannotSee(err)}
	}
	if load <= want.MaxLoad {
		return []Finding{inStep("%.2f on %d CPUs, at most %.2f", load, before.cpus, want.MaxLoad)}
	}
	select {
	case <-time.After(closerLook):
	case <-ctx.Done():
	}
	after, err := g.cpuTime()
	if err != nil {
		return []Finding{cannotSee(err)}
	}
	switch busy, known := after.since(before); {
	case !known:
		return []Finding{differs("%.2f on %d CPUs, at most %.2f", load, before.cpus, want.MaxLoad)}
	case busy <= want.MaxLoad:
		return []Finding{inStep("%.2f on %d CPUs in the last minute, but now only %.2f of them are busy", load, before.cpus, busy)}
	default:
		return []Finding{differs("something else keeps %.2f of %d CPUs busy, at most %.2f (load %.2f)", busy, before.cpus, want.MaxLoad, load)}
	}
}

// cpuTime is what the CPUs did since the boot, in hundredths of a second.
type cpuTime struct {
	busy, all float64
	cpus      int
}

// cpuTime reads /proc/stat (proc(5)): a line for all CPUs, "cpu", with the time
// in user, nice, system, idle, iowait, irq, softirq and steal, and one for each.
func (g Gate) cpuTime() (cpuTime, error) {
	text, err := g.Host.ReadFile("/proc/stat")
	if err != nil {
		return cpuTime{}, err
	}
	var t cpuTime
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) < 6 || !strings.HasPrefix(fields[0], "cpu") {
			break // what follows is not about CPUs
		}
		if fields[0] != "cpu" {
			t.cpus++
			continue
		}
		for i, field := range fields[1:min(len(fields), 9)] {
			ticks, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return cpuTime{}, fmt.Errorf("/proc/stat is not as proc(5) has it: %w", err)
			}
			t.all += ticks
			if i != 3 && i != 4 { // idle, iowait
				t.busy += ticks
			}
		}
	}
	if t.cpus == 0 {
		return cpuTime{}, fmt.Errorf("/proc/stat is not as proc(5) has it: it lists no CPU")
	}
	return t, nil
}

// since is how many CPUs were busy between two looks.
func (t cpuTime) since(before cpuTime) (busy float64, known bool) {
	if t.all <= before.all {
		return 0, false
	}
	return (t.busy - before.busy) / (t.all - before.all) * float64(t.cpus), true
}

// describe names the host: what a number was measured on.
func (g Gate) describe() string {
	kernel, _ := g.Host.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%s: Linux %s on %s", plain(g.Host.Hostname()), orAbsent(strings.TrimSpace(string(kernel))), g.processor())
}

// processor is the model of the first CPU. No more is read: for each one, the
// kernel would have to measure how fast it is.
func (g Gate) processor() string {
	f, err := g.Host.Open("/proc/cpuinfo")
	if err != nil {
		return "an unknown CPU"
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 1024))
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "model name"); ok {
			return plain(strings.TrimLeft(name, "\t :"))
		}
	}
	return "an unknown CPU"
}
