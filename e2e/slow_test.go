//go:build e2e

package e2e

import (
	"os"
	"strings"
)

// behind stops one program after the other for a moment, as a machine with too
// much to do would.
const behind = `systemd-run -q sh -c '
while :; do
	for program in PROGRAMS; do
		pkill -STOP -x $program; sleep 0.$(shuf -i 1-4 -n 1); pkill -CONT -x $program; sleep 0.1
	done
done'`

// slow makes a machine slow if BENCHCTL_LAB_SLOW names programs of it, such as
// "systemd-journal dbus-daemon benchctl". Whoever runs the lab's tests that way
// finds those that depend on luck.
func (w *world) slow() {
	w.t.Helper()
	if programs := os.Getenv("BENCHCTL_LAB_SLOW"); programs != "" {
		w.fallBehind(programs)
	}
}

// fallBehind has programs of the machine run late, until it is booted again.
func (w *world) fallBehind(programs string) {
	w.t.Helper()
	w.sh(strings.Replace(behind, "PROGRAMS", programs, 1))
}
