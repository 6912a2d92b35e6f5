package agent

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A job puts a pass off, and its end brings the pass on, without a tick.
func TestAPassDuringAJob(t *testing.T) {
	t.Parallel()
	r := newRig(t, goodSpec)
	end := r.job()
	r.begin()
	r.tick()
	r.did(0, 0)
	end()
	r.wants("after the job", r.asleep(), []string{"WATCHDOG_USEC=960000000", "WATCHDOG_USEC=0", "STATUS=in step; next pass Mon 11:00:00"})
	r.did(1, 0)
	if r.Agent.forJob.Load() || r.waited != 1 || !slices.Equal(r.putOff, []string{"a job is running", "a job is running"}) {
		t.Errorf("waited %d times, put off %q", r.waited, r.putOff)
	}
	// The next one is waited for anew.
	end = r.job()
	r.tick()
	end()
	r.asleep()
	r.did(2, 0)
}

// An ephemeral runner's job ends with its registration, which brings a pass on.
func TestAPassAfterTheOneJob(t *testing.T) {
	t.Parallel()
	r := newRig(t, strings.Replace(goodSpec, "runner:\n", "github: {tokenFile: /etc/benchctl/token}\nrunner:\n  ephemeral: true\n", 1))
	const registration = "/lane/.runner"
	r.seen = Seen{Code: 2, Summary: map[reconcile.Status]int{reconcile.Pending: 2}}
	r.apply = func() error { // of the machine, rather than of the one that tests
		r.good.InstallDir = r.m.Path("/lane")
		r.m.WriteFile(registration, "{}")
		r.heedJobs()
		return nil
	}
	r.begin()
	r.did(1, 1)
	for jobs := range 3 {
		if err := os.Remove(r.m.Path(registration)); err != nil {
			t.Fatal(err)
		}
		if told := r.asleep(); !strings.HasPrefix(told[len(told)-1], "STATUS=in step since the last correction") {
			t.Errorf("systemd was told %q", told)
		}
		r.did(2+jobs, 2+jobs)
	}
}

// A Listener that ends and leaves its registration brings a pass on, too.
func TestAPassAfterTheListenersEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, strings.Replace(goodSpec, "runner:\n", "github: {tokenFile: /etc/benchctl/token}\nrunner:\n  ephemeral: true\n", 1))
	r.m.WriteFile("/var/lib/gha-runner/actions-runner/.runner", "{}")
	r.listener = make(chan struct{})
	r.begin()
	r.did(1, 0)
	r.listener <- struct{}{}
	r.asleep()
	r.did(2, 0)
}

// An apply that somebody types puts a pass off, and its end brings the pass on.
func TestAPassDuringAnApply(t *testing.T) {
	t.Parallel()
	r := newRig(t, goodSpec)
	r.seen = Seen{Code: reconcile.ExitDeferred, Summary: map[reconcile.Status]int{reconcile.Deferred: 11}}
	r.begin()
	told := r.tick()
	if last := told[len(told)-1]; !strings.HasPrefix(last, "STATUS=deferred by another benchctl") {
		t.Errorf("systemd was told %q", told)
	}
	r.did(2, 0)
	r.do(func() { r.seen = Seen{Summary: map[reconcile.Status]int{reconcile.Unchanged: 11}} })
	r.freed <- struct{}{}
	if told := r.asleep(); !strings.HasPrefix(told[len(told)-1], "STATUS=in step") {
		t.Errorf("systemd was told %q", told)
	}
	r.did(3, 0)
}

// A job that begins between the look and the apply puts it off once more.
func TestAJobThatComesInBetween(t *testing.T) {
	t.Parallel()
	r := newRig(t, goodSpec)
	r.seen = Seen{Code: 2, Summary: map[reconcile.Status]int{reconcile.Pending: 1}}
	var end func()
	r.apply = func() error {
		r.came = Seen{Code: reconcile.ExitDeferred}
		r.mu.Unlock()
		end = r.job()
		r.mu.Lock()
		return nil
	}
	r.begin()
	r.did(1, 1)
	r.do(func() { r.came, r.apply = Seen{}, func() error { return nil } })
	end()
	if told := r.asleep(); !strings.HasPrefix(told[len(told)-1], "STATUS=in step since") {
		t.Errorf("systemd was told %q", told)
	}
	r.did(2, 2)
}

// After maxDefer, the apply is started while the job runs: it waits for the end
// itself, with the runner in its hand.
func TestAQueueThatIsNeverEmpty(t *testing.T) {
	t.Parallel()
	r := newRig(t, goodSpec)
	defer r.job()()
	r.begin()
	for range 11 {
		r.tick()
	}
	r.did(0, 0) // it is 15:30, and the first was put off at 10:07
	r.tick()
	r.did(0, 0)
	r.tick()
	r.did(0, 1)
	if !strings.Contains(r.log(), "the runner is held when this job ends") {
		t.Errorf("said %q", r.log())
	}
}
