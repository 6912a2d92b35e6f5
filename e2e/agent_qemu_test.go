//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/history"
)

// TestAgentAndTheClock needs a kernel of its own: all containers share the clock
// of the machine, and its sleep.
func TestAgentAndTheClock(t *testing.T) {
	t.Parallel()
	g := newGuest(t)
	g.spec(plainSpec + "schedule: {cron: \"0 * * * *\", splay: 0s}\n")
	g.put("/etc/systemd/system/benchctl.service", `[Service]
Type=notify
ExecStart=/usr/local/bin/benchctl agent --offline -f /etc/benchctl/runner.yaml
`, 0o644)
	g.sh("systemctl stop systemd-timesyncd 2>/dev/null; date -u -s '2026-11-23 10:20:00' && systemctl daemon-reload && systemctl start benchctl")
	for _, step := range []struct{ set, next, passes string }{
		{"", "Mon 11:00:00", "1"},
		{"2026-11-23 10:59:58", "Mon 12:00:00", "2"}, // by the tick itself
		{"2026-11-25 03:30:00", "Wed 04:00:00", "3"}, // many were missed
		{"2026-11-21 03:30:00", "Sat 04:00:00", "3"}, // it does not wait for Wednesday
	} {
		if step.set != "" {
			g.sh("date -u -s '" + step.set + "'")
		}
		g.passed(step.passes, step.next)
	}

	// It sleeps through a tick, and makes up for that when it wakes.
	const alarm = "/sys/class/rtc/rtc0/wakealarm"
	g.sh("echo 0 >" + alarm + "; echo +20 >" + alarm + "; date -u -s '2026-11-21 03:59:50'; test $(wc -l <" + history.Lines + ") = 3 && echo mem >/sys/power/state")
	g.passed("4", "Sat 05:00:00")
}

// passed waits until the agent has made so many passes and sleeps until the next.
func (g *guest) passed(passes, next string) {
	g.t.Helper()
	g.reaches("systemctl show -P StatusText benchctl", "next pass "+next)
	g.reaches("wc -l <"+history.Lines, passes)
}

// reaches waits until a line of shell answers with a text that ends in want.
func (g *guest) reaches(line, want string) {
	g.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		is := g.sh(line)
		if strings.HasSuffix(is, want) {
			return
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("%s: %q, and for a minute not %q\n%s", line, is, want, g.sh("journalctl --no-pager -n 40 -u benchctl"))
		}
	}
}
