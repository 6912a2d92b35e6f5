package resources

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// machine is a captured machine by name.
func machine(t *testing.T, name string) *hosttest.Machine {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/machines", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	return hosttest.New(t, string(data))
}

const policies = "/sys/devices/system/cpu/cpufreq/"

func governor(want string) Knob { return Knob{knob: governorKnob, Want: want} }

// say prints changes as "field: have -> want".
func say(changes []reconcile.Change) string {
	var lines []string
	for _, c := range changes {
		lines = append(lines, c.Field+": "+c.Have+" -> "+c.Want)
	}
	return strings.Join(lines, "; ")
}

func TestGovernorOnEveryMachine(t *testing.T) {
	t.Parallel()
	tests := []struct{ machine, want, diff, err string }{
		{"acpi-cpufreq", "performance", "policy0: ondemand -> performance", ""},
		{"acpi-cpufreq", "interactive", "", "policy0 offers only userspace, powersave, ondemand, performance, schedutil"},
		{"intel-pstate-active", "performance", "policy0: powersave -> performance; policy11: powersave -> performance", ""},
		{"intel-pstate-active", "schedutil", "", "policy0 offers only performance, powersave"},
		{"intel-pstate-passive", "performance", "policy0: schedutil -> performance", ""},
		{"amd-pstate-epp", "performance", "policy0: powersave -> performance; policy1: powersave -> performance", ""},
		{"no-cpufreq", "performance", "", "there is no /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"},
	}
	for _, tt := range tests {
		t.Run(tt.machine+" "+tt.want, func(t *testing.T) {
			t.Parallel()
			m := machine(t, tt.machine)
			changes, err := governor(tt.want).Diff(t.Context(), m)
			if say(changes) != tt.diff {
				t.Errorf("diff says %q, want %q", say(changes), tt.diff)
			}
			if tt.err != "" {
				if !errors.Is(err, reconcile.ErrUnsupported) || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want unsupported: %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := governor(tt.want).Apply(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if again, err := governor(tt.want).Diff(t.Context(), m); len(again) > 0 || err != nil {
				t.Errorf("after apply: %v, %v", say(again), err)
			}
		})
	}
}

func TestUnsupportedMayBeSkipped(t *testing.T) {
	t.Parallel()
	k := governor("performance")
	k.Skip = true
	_, err := k.Diff(t.Context(), machine(t, "no-cpufreq"))
	if !errors.Is(err, reconcile.ErrUnsupported) || !reconcile.IsTolerated(err) {
		t.Errorf("got %v", err)
	}
}

func TestPerfParanoidAtMost(t *testing.T) {
	t.Parallel()
	k := Knob{knob: paranoidKnob, Want: "1"}
	for name, want := range map[string]string{"acpi-cpufreq": "value: 3 -> 1", "no-cpufreq": ""} {
		changes, err := k.Diff(t.Context(), machine(t, name))
		if err != nil || say(changes) != want {
			t.Errorf("%s: %q, %v; want %q", name, say(changes), err, want)
		}
	}
}

// The first value seen is the original, whatever is wanted afterwards, and
// revert gives back exactly that.
func TestOriginalsAreGivenBack(t *testing.T) {
	t.Parallel()
	m := machine(t, "intel-pstate-passive")
	for _, want := range []string{"performance", "powersave", "performance"} {
		if err := governor(want).Apply(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	outcomes, err := RestoreKnobs(m)
	if err != nil || len(outcomes) != 1 || outcomes[0].Status != reconcile.Changed {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	if got := strings.TrimSpace(m.Text(policies + "policy0/scaling_governor")); got != "schedutil" {
		t.Errorf("the governor is %q after revert", got)
	}
	if m.Text(originals.File) != "" {
		t.Errorf("originals left: %s", m.Text(originals.File))
	}
}

// A knob that left the spec is given back by the next apply.
func TestReleased(t *testing.T) {
	t.Parallel()
	m := machine(t, "acpi-cpufreq")
	before := m.Tree()
	if err := governor("performance").Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	released := Released{governorKnob}
	changes, err := released.Diff(t.Context(), m)
	if err != nil || say(changes) != "policy0: performance -> ondemand (its original)" {
		t.Fatalf("%q, %v", say(changes), err)
	}
	if err := released.Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	after := m.Tree()
	own := func(p, _ string) bool { return strings.HasPrefix(p, "/var") || strings.HasPrefix(p, "/run") }
	maps.DeleteFunc(after, own)
	maps.DeleteFunc(before, own)
	if differ := hosttest.SameTree(before, after); len(differ) > 0 {
		t.Errorf("the machine differs in %v", differ)
	}
}

// A CPU that was unplugged, or a driver that is gone, stops nothing: the original
// waits in the book.
func TestReleasedWaitsForWhatIsGone(t *testing.T) {
	t.Parallel()
	m := machine(t, "amd-pstate-epp")
	if err := governor("performance").Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(m.Path(policies + "policy1")); err != nil {
		t.Fatal(err)
	}
	outcome := reconcile.Apply(t.Context(), m, []reconcile.Resource{Released{governorKnob}}, reconcile.Options{Jobs: reconcile.NoJobs{}})[0]
	if outcome.Status != reconcile.Changed || say(outcome.Changes) != "policy0: performance -> powersave (its original)" ||
		!reconcile.IsTolerated(outcome.Err) || !strings.Contains(outcome.Error, policies+"policy1/scaling_governor is kept") {
		t.Errorf("got %+v", outcome)
	}
	book, err := originals.Load(m)
	if err != nil || len(book) != 1 || book[policies+"policy1/scaling_governor"].Value != "powersave" {
		t.Errorf("%v, %v", book, err)
	}
}

// Originals that hold nothing are no book to write the next one into.
func TestOriginalsThatHoldNothing(t *testing.T) {
	t.Parallel()
	m := machine(t, "acpi-cpufreq")
	m.WriteFile(originals.File, "null\n")
	err := governor("performance").Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "it holds nothing; move the file aside") {
		t.Errorf("got %v", err)
	}
}

// firmware is a machine whose driver takes a governor and ignores it.
type firmware struct{ *hosttest.Machine }

func (firmware) Poke(string, string) error { return nil }

func TestIgnoredWriteIsAFailure(t *testing.T) {
	t.Parallel()
	m := firmware{machine(t, "acpi-cpufreq")}
	got := reconcile.Apply(t.Context(), m, []reconcile.Resource{governor("performance")}, reconcile.Options{Jobs: reconcile.NoJobs{}})
	if got[0].Status != reconcile.Failed || !strings.Contains(got[0].Error, "policy0 is ondemand, not performance") {
		t.Errorf("got %+v", got[0])
	}
}

// container is a machine whose /sys is read-only.
type container struct{ *hosttest.Machine }

func (container) Poke(path, _ string) error {
	return &os.PathError{Op: "write", Path: path, Err: syscall.EROFS}
}

func TestReadOnlySysIsASentence(t *testing.T) {
	t.Parallel()
	m := container{machine(t, "acpi-cpufreq")}
	err := governor("performance").Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "cannot set "+policies+"policy0/scaling_governor to performance") {
		t.Errorf("got %v", err)
	}
}

// A kill between the note of the original and the write loses nothing: the
// original is on the disk, and it is not taken for ours.
func TestOriginalIsKeptBeforeTheWrite(t *testing.T) {
	t.Parallel()
	m := container{machine(t, "acpi-cpufreq")}
	if err := governor("performance").Apply(t.Context(), m); err == nil {
		t.Fatal("the write went through")
	}
	book, err := originals.Load(m)
	if err != nil || book[policies+"policy0/scaling_governor"].Value != "ondemand" {
		t.Errorf("%v, %v", book, err)
	}
}
