package history

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// What hands did to the notes costs what they were, and nothing else: it is set
// aside and said, and the run counts.
func TestDamage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file   string
		damage func(*hosttest.Machine, string)
		aside  string // what is then found there
		loses  bool   // what passes remembered
	}{
		"marks are garbage":       {Marks, put("{\"resources\": {"), "{\"resources\": {", true},
		"marks are empty":         {Marks, put(""), "", true},
		"marks are a list":        {Marks, put("[]"), "[]", true},
		"marks are of other type": {Marks, put(`{"in_step": 7}`), `{"in_step": 7}`, true},
		"marks are a directory":   {Marks, directory, "x", true},
		"marks are a link":        {Marks, link, "", true},
		"marks are endless":       {Marks, put(strings.Repeat(" ", host.MaxHostile+1)), strings.Repeat(" ", host.MaxHostile+1), true},
		"report is cut off":       {LastRun, put(`{"schema"`), `{"schema"`, false},
		"report is a directory":   {LastRun, directory, "x", false},
		"specs are garbage":       {Settled, put("version: 1"), "version: 1", false},
		"history is a directory":  {Lines, directory, "x", false},
		"history is endless":      {Lines, put(strings.Repeat("x", host.MaxHostile+1)), strings.Repeat("x", host.MaxHostile+1), false},
		"history is a fifo":       {Lines, fifo, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(t)
			record(t, m, run("apply", noon, outcome("user", reconcile.Unchanged), outcome("cpufreq", reconcile.Changed, governor)))
			tt.damage(m, tt.file)
			if before := Load(m); tt.loses && (len(before.Warnings) != 1 || !strings.Contains(before.Warnings[0], tt.file)) {
				t.Errorf("reading says %q", before.Warnings)
			}
			b, err := Record(m, run("apply", noon.Add(time.Hour), outcome("user", reconcile.Unchanged), outcome("cpufreq", reconcile.Unchanged)))
			aside := tt.file + ".damaged-20261123T130000Z"
			want := tt.file + " was damaged; it is now " + aside + ", and benchctl begins a new one"
			if err != nil || !slices.Equal(b.Warnings, []string{want}) {
				t.Fatalf("%v, %q", err, b.Warnings)
			}
			if info, err := m.Lstat(aside); err != nil || info.IsRegular() && m.Text(aside) != tt.aside || info.IsDir() && m.Text(aside+"/x") != tt.aside {
				t.Errorf("set aside: %+v, %v", info, err)
			}
			if kept := b.Resources["cpufreq"].Corrections == 1; kept == tt.loses {
				t.Errorf("kept %v", b.Resources)
			}
			again := record(t, m, run("pass", noon.Add(2*time.Hour), outcome("user", reconcile.Unchanged), outcome("cpufreq", reconcile.Unchanged)))
			if report := lastReport(t, m); report.Verb != "pass" || again.InStepSince.IsZero() {
				t.Errorf("it does not go on: %+v", report)
			}
			if entries, _, err := Entries(m, 9); err != nil || len(entries) < 2 {
				t.Errorf("%+v, %v", entries, err)
			}
		})
	}
}

// What is no damage is not set aside: a word that is JSON, and what benchctl
// wrote itself, however long. It would be again at each run, until the disk is full.
func TestNoDamage(t *testing.T) {
	t.Parallel()
	for _, file := range []string{Marks, LastRun, Settled, Lines} {
		m := machine(t)
		m.WriteFile(file, "null\n")
		record(t, m, run("apply", noon, outcome("user", reconcile.Unchanged)))
	}
	long := run("apply", noon, outcome("user", reconcile.Unchanged), outcome("tarball", reconcile.Pending))
	text := strings.Repeat("#\n", host.MaxHostile/2)
	long.Report.Spec.SHA256, long.Spec = digestOf(text), []byte(text)
	for range 10_000 {
		o := &long.Report.Results[1]
		o.Changes = append(o.Changes, reconcile.Change{Field: strings.Repeat("x", 100), Have: "absent", Want: "present"})
	}
	m := machine(t)
	for range 3 {
		record(t, m, long)
	}
	if got := SettledSpec(m, digestOf(text)); got != nil || len(m.Text(LastRun)) < host.MaxHostile {
		t.Errorf("a text of %d bytes, a report of %d", len(got), len(m.Text(LastRun)))
	}
	if b := record(t, m, run("pass", noon.Add(time.Hour), outcome("user", reconcile.Unchanged))); b.InStep.IsZero() || SettledSpec(m, digestOf(specText)) == nil {
		t.Errorf("it does not go on: %+v", b)
	}
}

func put(text string) func(*hosttest.Machine, string) {
	return func(m *hosttest.Machine, file string) { m.WriteFile(file, text) }
}

func directory(m *hosttest.Machine, file string) {
	os.Remove(m.Path(file))
	m.WriteFile(file+"/x", "x")
}

func link(m *hosttest.Machine, file string) {
	os.Remove(m.Path(file))
	_ = os.Symlink("/dev/zero", m.Path(file))
}

func fifo(m *hosttest.Machine, file string) {
	os.Remove(m.Path(file))
	_ = syscall.Mkfifo(m.Path(file), 0o600)
}

// Lines that make no sense are counted and passed over.
func TestDamagedLines(t *testing.T) {
	t.Parallel()
	m := machine(t)
	good := `{"at":"2026-11-01T00:00:00Z","verb":"pass","elapsed_ms":1,"exit":0}`
	m.WriteFile(Lines, good+"\n\x00\x00garbage\n\n{}\n"+good+"\n{\"at\":\"2026-")
	record(t, m, run("apply", noon, outcome("user", reconcile.Unchanged)))
	entries, damaged, err := Entries(m, 10)
	if len(entries) != 3 || damaged != 3 || err != nil || entries[2].Verb != "apply" {
		t.Errorf("%+v, %d, %v", entries, damaged, err)
	}
}

// A disk that is full takes nothing from a run: it is said once, what was there
// stays, and with room again it goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	m := machine(t)
	if err := syscall.Mount("tmpfs", m.Path(Dir), "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(m.Path(Dir), 0) })
	record(t, m, run("apply", noon, outcome("user", reconcile.Unchanged)))
	fill, err := os.Create(m.Path(Dir + "/filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = fill.Write(make([]byte, 512))
	}
	fill.Close()
	// Since when jobs put passes off is known all the same, until the next boot.
	m.WriteFile("/run/benchctl/", "")
	for hours := range 3 {
		if b, err := Defer(m, Deferral{At: noon.Add(time.Duration(hours) * time.Hour), Verb: "pass", Job: true}); err == nil || !b.DeferredSince.Equal(noon) {
			t.Errorf("after %d hours jobs put passes off since %v, %v", hours, b.DeferredSince, err)
		}
	}
	if err := os.RemoveAll(m.Path("/run/benchctl")); err != nil {
		t.Fatal(err)
	}
	before := m.Text(Marks)
	b, err := Record(m, run("apply", noon.Add(time.Hour), outcome("user", reconcile.Changed, governor)))
	if err == nil || !strings.Contains(err.Error(), "cannot keep what this run came to") || !strings.Contains(err.Error(), "no space left on device; the host itself is as reported") {
		t.Errorf("got %v", err)
	}
	if b.Resources["user"].Corrections != 1 || m.Text(Marks) != before {
		t.Errorf("in memory %+v, on disk %s", b.Resources, m.Text(Marks))
	}
	if left, _ := m.Glob(Dir + "/.*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if err := os.Remove(m.Path(Dir + "/filler")); err != nil {
		t.Fatal(err)
	}
	m.WriteFile(spare, `{"deferrals": 7, "last_pass": {"at": "2026-11-23T13:30:00Z"}}`)
	if b := record(t, m, run("apply", noon.Add(2*time.Hour), outcome("user", reconcile.Unchanged))); b.Deferrals != 7 || m.Text(spare) != "" {
		t.Errorf("with room again: %+v, and %q is left", b, m.Text(spare))
	}
	m.WriteFile(spare, `{"deferrals": 9, "last_pass": {"at": "2026-11-23T12:30:00Z"}}`)
	if b := Load(m); b.Deferrals != 7 {
		t.Errorf("an older spare counts: %+v", b)
	}
	m.WriteFile(spare, `{"deferrals": 6, "last_pass": {"at": "2026-11-23T23:30:00Z"}}`)
	if b := Load(m); b.Deferrals != 7 {
		t.Errorf("a spare that was begun anew counts: %+v", b)
	}
}

// Killed at any moment of it, the notes are whole, and the next run adds to them.
func TestKilledWhileItRemembers(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		m := machine(t)
		record(t, m, run("apply", noon, outcome("user", reconcile.Unchanged)))
		other := "version: 1 # another\n"
		next := run("apply", noon.Add(time.Hour), outcome("user", reconcile.Unchanged))
		next.Report.Spec.SHA256, next.Spec = digestOf(other), []byte(other)
		if !killedAt(m, n, next) {
			if n != 5 {
				t.Errorf("a run with a new spec is remembered in %d steps", n-1)
			}
			break
		}
		b := Load(m)
		if b.Warnings != nil || len(b.Resources) != 1 {
			t.Errorf("killed at %d: %+v", n, b)
		}
		if spec := b.Resources["user"].Spec; SettledSpec(m, spec) == nil {
			t.Errorf("killed at %d, a mark speaks of a spec that is not there", n)
		}
		if _, damaged, err := Entries(m, 10); damaged != 0 || err != nil {
			t.Errorf("killed at %d: %d damaged lines, %v", n, damaged, err)
		}
		record(t, m, run("apply", noon.Add(2*time.Hour), outcome("user", reconcile.Unchanged)))
	}
}

// killedAt reports whether a run came to its n-th write, which it did not make.
func killedAt(m *hosttest.Machine, n int, r Run) (killed bool) {
	defer func() { killed = recover() != nil }()
	before := m.Machine.Before
	defer func() { m.Machine.Before = before }()
	m.Machine.Before = func(string, string) {
		if n--; n == 0 {
			panic("killed")
		}
	}
	_, _ = Record(m, r)
	return false
}

// Who may not read the notes is told, and nothing is called damaged.
func TestNotesOfSomebodyElse(t *testing.T) {
	t.Parallel()
	m := &denied{hosttest.New(t, "")}
	b := Load(m)
	if len(b.Warnings) != 1 || !strings.Contains(b.Warnings[0], "run benchctl as root") || b.damaged != nil {
		t.Errorf("%+v", b)
	}
}

type denied struct{ *hosttest.Machine }

func (denied) ReadBelow(string, string) ([]byte, error) { return nil, os.ErrPermission }

// A file of before a field existed, or of a benchctl to come, is read as far as
// it goes.
func TestOtherVersionsOfTheNotes(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	for _, text := range []string{`{}`, `null`, `{"to_come": {"x": 1}, "resources": {"user": {"corrections": 3, "mood": "fine"}}}`, `{"resources": null}`} {
		m.WriteFile(Marks, text)
		b := Load(m)
		if b.Warnings != nil || b.Resources == nil || strings.Contains(text, "mood") && b.Resources["user"].Corrections != 3 {
			t.Errorf("%s: %+v", text, b)
		}
	}
	var e Entry
	if err := json.Unmarshal([]byte(`{"at":"2026-11-01T00:00:00Z","elapsed_ms":"soon"}`), &e); err == nil {
		t.Error("a length that is no number was taken")
	}
}
