package notify_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/notify"
)

// look is what stands, in a line each.
func (d *desk) look(want ...string) {
	d.t.Helper()
	s, err := notify.Look(d, "bench7", d.now)
	d.must(err)
	var got []string
	for _, n := range s.Notices {
		got = append(got, n.Cause+" since "+n.Since.Format("15:04"))
	}
	for _, f := range s.Failing {
		got = append(got, f.Channel+" fails since "+f.Since.Format("15:04"))
	}
	if !slices.Equal(got, want) {
		d.t.Errorf("stands: %q, want %q", got, want)
	}
}

// What stands is what somebody was told of or is about to be, and looking at it
// changes nothing.
func TestWhatStands(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.look()
	d.wants(0, report("pass", "cpufreq=pending"))
	d.look() // it may pass by itself
	d.wants(time.Hour, report("pass", "cpufreq=pending"), "firing out-of-step")
	before := d.Tree()
	d.look("out-of-step since 12:00")
	if touched := hosttest.SameTree(before, d.Tree()); touched != nil {
		t.Errorf("looking touched %q", touched)
	}

	d.fail = errors.New("the program is gone")
	d.pass(time.Minute, report("apply", "cpufreq=failed", "hooks=pending"))
	d.look("failed/cpufreq since 13:01", "out-of-step since 12:00", "command fails since 13:01")
	d.fail = nil
	d.pass(time.Minute, report("pass", "cpufreq=unchanged", "hooks=unchanged"))
	d.look()
}

func TestABookThatCannotBeRead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.WriteFile(notify.File, "{")
	if s, err := notify.Look(d, "bench7", d.now); err == nil || !strings.Contains(err.Error(), "notices.json is damaged (") {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err := os.Stat(d.Path(notify.File)); err != nil {
		t.Errorf("looking took it away: %v", err)
	}
}
