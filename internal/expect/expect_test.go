package expect

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
)

const box = `A host with two policies, one of which drifted.
-- etc/passwd --
gha-runner:x:998:997::/var/lib/gha-runner:/usr/sbin/nologin
-- etc/group --
gha-runner:x:997:
-- sys/devices/system/cpu/cpufreq/policy0/scaling_governor --
performance
-- sys/devices/system/cpu/cpufreq/policy0/scaling_available_governors --
performance powersave
-- sys/devices/system/cpu/cpufreq/policy1/scaling_governor --
powersave
-- sys/devices/system/cpu/cpufreq/policy1/scaling_available_governors --
performance powersave
-- proc/sys/kernel/perf_event_paranoid --
4
-- usr/lib/jvm/java-21/bin/java --
`

const policy1 = "/sys/devices/system/cpu/cpufreq/policy1/scaling_governor"

func wanted() *Expected {
	return &Expected{
		Schema: Schema, Revision: "r1", MaxLoad: 0.5,
		Knobs: []Knob{
			{ID: "cpufreq", Files: "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor", Want: "performance"},
			{ID: "sysctl/kernel.perf_event_paranoid", Files: "/proc/sys/kernel/perf_event_paranoid", Want: "1", AtMost: true},
		},
		JavaHome: "/usr/lib/jvm/java-21",
		Runner:   Runner{User: "gha-runner", Unit: "actions.runner.o-r.box.service", Dir: "/var/lib/gha-runner/actions-runner"},
	}
}

// newBox is a host on which an expectation was compiled.
func newBox(t *testing.T, e *Expected) *hosttest.Machine {
	t.Helper()
	m := hosttest.New(t, box)
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.WriteFile(Kept, string(text))
	return m
}

func TestReadyMakesTheHostSo(t *testing.T) {
	t.Parallel()
	m := newBox(t, wanted())
	if err := Ready(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := m.Text(policy1); got != "performance\n" {
		t.Errorf("policy1 is %q", got)
	}
	if got := m.Text("/proc/sys/kernel/perf_event_paranoid"); got != "1\n" {
		t.Errorf("perf_event_paranoid is %q", got)
	}
	book, err := originals.Load(m)
	if err != nil || len(book) != 2 || book[policy1].Value != "powersave" || book[policy1].Kind != "cpufreq" {
		t.Errorf("the originals are %v, %v", book, err)
	}
	e, err := Load(m, Current)
	if err != nil {
		t.Fatal(err)
	}
	if changes, err := e.Compare(m); changes != nil || err != nil {
		t.Errorf("after Ready: %+v, %v", changes, err)
	}
	if _, err := m.Lstat("/var/log/benchctl/actions.runner.o-r.box.service/Runner.perf"); err != nil {
		t.Errorf("the perf log: %v", err)
	}
}

func TestReadyIsReadableByTheRunner(t *testing.T) {
	t.Parallel()
	m := newBox(t, wanted())
	if err := Ready(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/run/benchctl", Current, "/var/log/benchctl", "/var/log/benchctl/actions.runner.o-r.box.service"} {
		if info, err := m.Lstat(path); err != nil || info.Mode.Perm()&0o004 == 0 {
			t.Errorf("%s: %v, %v", path, info.Mode, err)
		}
	}
}

func TestReadyRefusesAndSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Expected)
		breaks func(*hosttest.Machine) error
		says   string
	}{
		"a governor the driver lacks": {change: func(e *Expected) { e.Knobs[0].Want = "turbo" }, says: policy1 + " to turbo"},
		"a knob the kernel lacks": {
			change: func(e *Expected) { e.Knobs[1].Files = "/proc/sys/kernel/nothing" }, says: "/proc/sys/kernel/nothing is absent, not 1"},
		"no JDK":         {breaks: func(m *hosttest.Machine) error { return os.RemoveAll(m.Path("/usr/lib/jvm")) }, says: "java-21/bin/java is absent"},
		"no account":     {breaks: func(m *hosttest.Machine) error { m.WriteFile("/etc/passwd", ""); return nil }, says: "gha-runner"},
		"no file":        {breaks: func(m *hosttest.Machine) error { return os.Remove(m.Path(Kept)) }, says: "run benchctl apply"},
		"another schema": {change: func(e *Expected) { e.Schema = "benchctl/expected/v9" }, says: `"benchctl/expected/v9"`},
		"half a file":    {breaks: func(m *hosttest.Machine) error { return os.Truncate(m.Path(Kept), 20) }, says: "cannot understand"},
		"another's file": {breaks: func(m *hosttest.Machine) error { return os.Chown(m.Path(Kept), 1000, 0) }, says: "cannot trust"},
		"anyone's file":  {breaks: func(m *hosttest.Machine) error { return os.Chmod(m.Path(Kept), 0o666) }, says: "cannot trust"},
		"a link": {breaks: func(m *hosttest.Machine) error {
			return errors.Join(os.Rename(m.Path(Kept), m.Path("/etc/x")), os.Symlink("/etc/x", m.Path(Kept)))
		}, says: "cannot trust"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := wanted()
			if c.change != nil {
				c.change(e)
			}
			m := newBox(t, e)
			if c.breaks != nil {
				if err := c.breaks(m); err != nil {
					t.Fatal(err)
				}
			}
			err := Ready(t.Context(), m)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want %q", err, c.says)
			}
			if m.Text(Current) != "" {
				t.Error("a host that is not ready says it is")
			}
		})
	}
}

func TestReadyPassesWhatMayBeMissing(t *testing.T) {
	t.Parallel()
	e := wanted()
	e.Knobs[0].Want, e.Knobs[0].Optional = "turbo", true
	if err := Ready(t.Context(), newBox(t, e)); err != nil {
		t.Errorf("an optional governor that the driver lacks: %v", err)
	}
}

// lateDriver shows no policy until it was asked a few times, as a module does
// that loads late, and then one more each time.
type lateDriver struct {
	*hosttest.Machine
	asked int
}

func (d *lateDriver) Glob(pattern string) ([]string, error) {
	all, err := d.Machine.Glob(pattern)
	d.asked++
	return all[:min(len(all), max(0, d.asked-2))], err
}

func TestReadyWaitsForTheDriver(t *testing.T) {
	t.Parallel()
	d := &lateDriver{Machine: newBox(t, wanted())}
	if err := Ready(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got := d.Text(policy1); got != "performance\n" {
		t.Errorf("the policy that came last is %q", got)
	}
}

func TestReadyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := wanted()
	e.Knobs[0].Files = "/sys/nothing*"
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Ready(ctx, newBox(t, e)); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestCompareNamesThePolicy(t *testing.T) {
	t.Parallel()
	m := newBox(t, wanted())
	changes, err := wanted().Compare(m)
	if err != nil || len(changes) != 2 || changes[0].Field != policy1 || changes[0].Have != "powersave" || changes[1].Have != "4" {
		t.Errorf("changes %+v, %v", changes, err)
	}
	m.WriteFile("/proc/sys/kernel/perf_event_paranoid", "-1\n")
	m.WriteFile(policy1, "performance\n")
	if changes, err := wanted().Compare(m); changes != nil || err != nil {
		t.Errorf("a host in step: %+v, %v", changes, err)
	}
}

func TestChosenWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"always [madvise] never\n": "madvise", "2\n": "2", "": "", "a [b": "a [b"} {
		if got := chosen(text); got != want {
			t.Errorf("chosen(%q) = %q, want %q", text, got, want)
		}
	}
}

// After a revert, the start of the service leaves the knobs alone.
func TestReleasedKnobsAreNotSet(t *testing.T) {
	t.Parallel()
	m := newBox(t, wanted())
	if err := ReleaseKnobs(m); err != nil {
		t.Fatal(err)
	}
	if err := Ready(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := m.Text(policy1); got != "powersave\n" {
		t.Errorf("policy1 is %q", got)
	}
}
