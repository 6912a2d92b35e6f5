package status_test

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

var update = flag.Bool("update", false, "rewrite testdata")

// Programs read these keys: none may go, and none may come to mean another
// thing. New ones are put into testdata/keys with -update.
func TestKeysStay(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("runners of others are found as root")
	}
	d := newDesk(t)
	d.full()
	text, err := json.Marshal(d.ask())
	if err != nil {
		t.Fatal(err)
	}
	var answer any
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(keysOf("", answer), "\n") + "\n"
	const golden = "testdata/keys"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the keys are\n%s\nwant\n%s", got, want)
	}
}

// full makes a host of which there is everything to say.
func (d *desk) full() {
	d.t.Helper()
	d.ran(now.Add(-10*time.Minute), "before", "Succeeded")
	d.ran(now.Add(-time.Minute), "engine", "")
	d.says(now.Add(-time.Minute), stamp(now)+"Runner reconnected.")
	d.jobs.workers = []jobs.Worker{{PID: 4711, Since: now.Add(-time.Minute)}}
	d.knobs.changes = []reconcile.Change{{Field: "policy0", Have: "powersave", Want: "performance", Since: &now, Cause: "tuned", Corrective: true}}
	d.knobs.err = reconcile.ErrUnknown
	d.hub.d.Runtime, d.hub.d.Registration, d.hub.ends, d.hub.runner.GroupID = now, now, now, 1
	d.opt.Fault, d.opt.AtWork = reconcile.ErrBusy, func() error { return reconcile.ErrBusy }
	d.notices(`"causes": {"offline": {"since": "2026-11-23T15:00:00Z"}}, "fails": {"webhook": "2026-11-23T15:00:00Z"}`)
	d.WriteFile("/var/lib/benchctl/pause.json", `{"reason": "calibrating", "by": "ana", "since": "2026-11-23T15:00:00Z", "until": "2026-11-23T18:00:00Z"}`)
	d.WriteFile("/etc/systemd/system/actions.runner.octo-other.box.service", "[Service]\nUser=ana\nWorkingDirectory=/home/ana/actions-runner\n")
	entry := history.Entry{At: now.Add(-time.Minute), Verb: "apply"}
	book, err := json.Marshal(history.Book{
		Resources: map[string]history.Mark{"cpufreq": {Corrected: []time.Time{now.Add(-time.Hour)}}}, DeferredSince: now, LastPass: &entry, LastApply: &entry,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.WriteFile(history.Marks, string(book))
}

// keysOf lists the keys of an answer as paths; those of a list are the ones of
// its elements.
func keysOf(path string, v any) (keys []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			keys = append(append(keys, path+name), keysOf(path+name+".", value)...)
		}
	case []any:
		for _, value := range v {
			keys = append(keys, keysOf(strings.TrimSuffix(path, ".")+"[].", value)...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
