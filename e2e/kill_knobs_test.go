//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
)

// governor is what a policy says.
func (w *world) governor(policy string) string {
	w.t.Helper()
	return w.look("cat " + governors + policy + "/scaling_governor")
}

// book is what the host remembers of its knobs' originals.
func (w *world) book() originals.Book {
	w.t.Helper()
	text, err := w.host.Read(originals.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	b := originals.Book{}
	if err = errors.Join(err, json.Unmarshal(text, &b)); err != nil {
		w.t.Fatal(err)
	}
	return b
}

// The governors of a host before benchctl. Each is another one than that of a
// boot, so that nothing is given back by chance.
var ownGovernors = map[string]string{"policy0": "schedutil", "policy1": "conservative"}

func (w *world) setOwnGovernors() {
	w.t.Helper()
	for policy, governor := range ownGovernors {
		w.look("echo " + governor + " >" + governors + policy + "/scaling_governor")
	}
}

// saved wants the original of each policy that has another governor than its
// own to be written down.
func (w *world) saved(after step) {
	w.t.Helper()
	book := w.book()
	for policy, own := range ownGovernors {
		kept := book[governors+policy+"/scaling_governor"].Value
		if now := w.governor(policy); now != own && kept != own || kept != "" && kept != own {
			w.t.Errorf("after %v %s is %s and its original is written down as %q, want %s", after, policy, now, kept, own)
		}
	}
}

// TestKnobsAreGivenBack kills a change of the governor before each of its steps
// and reverts at once, or after a reboot, or with a revert that is killed too.
func TestKnobsAreGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t), func(o *lab.Options) {
		o.Cpufreq.Governors = "performance powersave schedutil conservative"
	})
	only := []string{"apply", "--yes", "--only", "cpufreq"}
	w.spec(plainSpec)
	kills := 0
	for n := 1; ; n++ {
		w.setOwnGovernors()
		r, came := w.try(n, only)
		if r.Status == 0 {
			break
		}
		if len(came) != n {
			t.Fatalf("not killed before change %d: status %d\n%s%s", n, r.Status, r.Stdout, r.Stderr)
		}
		kills++
		w.saved(came[n-1])
		if n%3 == 0 {
			w.rebootAndRevert(came[n-1])
		} else {
			w.benchctl(0, "revert")
			w.ownAgain(came[n-1], ownGovernors)
		}
	}
	for n := 1; ; n++ {
		r, came := w.try(n, []string{"revert"})
		if r.Status == 0 {
			t.Logf("%d kills while the governor was set, %d while it was given back", kills, n-1)
			break
		}
		w.saved(came[n-1])
		w.benchctl(0, "revert")
		w.ownAgain(came[n-1], ownGovernors)
		w.benchctl(0, only...)
	}
	w.ownAgain("two reverts", ownGovernors)
}

// rebootAndRevert gives back what was written down; a policy that benchctl had
// not come to has what the boot gave it.
func (w *world) rebootAndRevert(after step) {
	w.t.Helper()
	book := w.book()
	if err := w.host.Reboot(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	want := map[string]string{}
	for policy := range ownGovernors {
		want[policy] = w.governor(policy)
		if o, known := book[governors+policy+"/scaling_governor"]; known {
			want[policy] = o.Value
		}
	}
	w.benchctl(0, "revert")
	w.ownAgain(fmt.Sprint(after, " and a reboot"), want)
}

// ownAgain wants exactly these governors, and nothing remembered.
func (w *world) ownAgain(after any, want map[string]string) {
	w.t.Helper()
	for policy, governor := range want {
		if now := w.governor(policy); now != governor {
			w.t.Errorf("after %v and revert %s is %s, want %s", after, policy, now, governor)
		}
	}
	if book := w.book(); len(book) > 0 {
		w.t.Errorf("after %v and revert there are originals: %v", after, book)
	}
}

// TestRevertOutlastsAReboot: the boot sets the governor before the runner
// starts, the originals are still those of before benchctl, and after a revert
// the boot leaves the knobs alone.
func TestRevertOutlastsAReboot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t), func(o *lab.Options) {
		o.Cpufreq.Governors = "performance powersave schedutil conservative"
	})
	w.spec(plainSpec)
	w.setOwnGovernors()
	w.benchctl(0, "apply")
	reboot := func() {
		if err := w.host.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	reboot()
	w.inStep("a reboot")
	w.sh("mv /etc/benchctl/runner.yaml /root/") // a revert finds the runner by itself
	if r := w.benchctl(0, "revert"); !strings.Contains(r.Stderr, "going by what is on this host: the runner in "+boxDir+" ("+runnerUnit+")") {
		t.Errorf("without a spec, revert says\n%s%s", r.Stdout, r.Stderr)
	}
	w.sh("mv /root/runner.yaml /etc/benchctl/")
	w.ownAgain("a reboot", ownGovernors)
	reboot()
	w.ownAgain("revert and a reboot", map[string]string{"policy0": "powersave", "policy1": "powersave"})
	if got := w.unitState("ActiveState"); got != "active" {
		t.Errorf("the service is %s after revert and a reboot", got)
	}
	found := strings.Join(w.differs(t.Context()), "\n")
	if !strings.Contains(found, "cpufreq policy0: powersave -> performance") {
		t.Errorf("after revert diff says:\n%s", found)
	}
	w.benchctl(0, "apply", "--yes")
	w.inStep("revert and apply")
}
