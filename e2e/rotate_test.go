//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// rotated rotates in JSON and wants an exit code.
func (w *world) rotated(code int, env []string, args ...string) *reconcile.Report {
	w.t.Helper()
	r := w.benchctlAs(code, env, append([]string{"rotate", "-o", "json"}, args...)...)
	var report reconcile.Report
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		w.t.Fatalf("%v\n%s%s", err, r.Stdout, r.Stderr)
	}
	return &report
}

// registered is GitHub's one entry.
func (w *world) registered() standin.Runner {
	w.t.Helper()
	all := w.hub.Runners(standin.Repo(repository))
	if len(all) != 1 {
		w.t.Fatalf("GitHub has %d entries: %+v", len(all), all)
	}
	return all[0]
}

// labels are those of an entry, the custom ones.
func labels(r standin.Runner) (names []string) {
	for _, l := range r.Labels {
		if !l.ReadOnly {
			names = append(names, l.Name)
		}
	}
	slices.Sort(names)
	return names
}

// key is the runner's private key, as a digest.
func (w *world) key() string {
	w.t.Helper()
	return w.look("sha256sum <" + boxDir + "/.credentials_rsaparams")
}

// TestRotate gives a runner new credentials, by each kind of credentials for
// GitHub, with jobs in the queue.
func TestRotate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(strings.Replace(plainSpec, "governor:", "  allowLabels: [spare]\ngovernor:", 1))
	w.benchctl(0, "apply")
	old, key := w.registered(), w.key()
	w.hub.SetLabels(old.ID, "x86_64", "skainet-bench-linux-x86", "spare")
	pasted := []string{"GH_RUNNER_TOKEN=" + w.hub.RegistrationToken(standin.Repo(repository))}

	// During a job nothing happens; --wait rotates when it is over.
	job := w.lasts(standin.Job{})
	if r := w.rotated(3, withToken); r.Results[0].Status != reconcile.Deferred || w.key() != key || w.registered().ID != old.ID {
		t.Errorf("during a job: %+v", r.Results)
	}
	next := w.hub.Enqueue(standin.Job{})
	job.endsWhenWaitedFor()
	r := w.rotated(0, withToken, "--wait")
	if j, _ := w.hub.Job(job.id); !j.Over() || j.Lost != "" {
		t.Errorf("the job: %+v", j)
	}
	w.rotatedTo(r, old, key, false)
	if j := w.waitJob(next, over); j.Result != "Succeeded" || j.Lost != "" {
		t.Errorf("the next job: %+v", j)
	}

	// A pasted token alone puts a new key on the entry that is there.
	old, key = w.registered(), w.key()
	r = w.rotated(0, pasted)
	w.rotatedTo(r, old, key, true)
	w.inStep("a rotation with a pasted token")

	// One that has expired leaves all as it was, and the runner at work.
	w.hub.ExpireTokens()
	key = w.key()
	r = w.rotated(1, pasted)
	if o := r.Results[0]; o.Status != reconcile.Failed || !strings.Contains(o.Error, "GitHub does not accept the registration token") || !strings.Contains(o.Error, "; the old credentials are in place and unchanged") {
		t.Errorf("an expired token: %+v", o)
	}
	if w.key() != key {
		t.Error("an expired token cost the key")
	}
	w.inStep("a rotation that failed")

	// A token that may only read is refused before the service is touched.
	invocation := w.unitState("InvocationID")
	only := w.hub.Fail(standin.Fault{Method: "POST", Path: "/repos/*/*/actions/runners/registration-token", Mode: standin.Forbidden})
	r = w.rotated(1, withToken)
	only.Remove()
	if o := r.Results[0]; !strings.Contains(o.Error, "403") || !strings.Contains(o.Error, "Administration: write") || w.unitState("InvocationID") != invocation {
		t.Errorf("a token that may only read: %+v", o)
	}
}

// rotatedTo wants a registration with another key and everything else as it was.
func (w *world) rotatedTo(r *reconcile.Report, old standin.Runner, key string, same bool) {
	w.t.Helper()
	now := w.registered()
	if (now.ID == old.ID) != same || w.key() == key {
		w.t.Errorf("registration %d became %d, another key: %v", old.ID, now.ID, w.key() != key)
	}
	if now.Name != old.Name || now.GroupID != old.GroupID || !same && !slices.Equal(labels(now), []string{"skainet-bench-linux-x86", "spare", "x86_64"}) {
		w.t.Errorf("GitHub has %+v, had %+v", now, old)
	}
	if r.Down <= 0 || time.Duration(r.Down) > time.Minute || !slices.Equal(changed(r), []string{"config", "service"}) {
		w.t.Errorf("down for %v: %+v", time.Duration(r.Down), r.Results)
	}
	if want := fmt.Sprint("of registration ", now.ID); !same && r.Results[0].Changes[0].Want != want {
		w.t.Errorf("it says %+v, want %q", r.Results[0].Changes, want)
	}
	if !w.hub.Online(now.Scope, now.Name) {
		w.t.Error("the runner is not online")
	}
	w.t.Logf("down for %v", time.Duration(r.Down).Round(10*time.Millisecond))
}

// TestRotateKilled kills a rotation where it would hurt: the next apply ends it,
// and a job that came meanwhile runs. The unit tests kill at every instant.
func TestRotateKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.spec(plainSpec)
	w.benchctl(0, "apply")
	const config = boxDir + "/config.sh"
	for _, kill := range []string{
		"1 run " + config, // the old entry is deleted at GitHub
		"2 run " + config, // and gone here
		"2 replace /var/lib/benchctl/registration.json", // the new one is made
		"1 start " + runnerUnit,                         // the service is down
	} {
		r, came := w.try(0, []string{"rotate"}, "BENCHCTL_KILL_BEFORE="+kill)
		if r.Status < 128 {
			t.Fatalf("not killed before %s: status %d\n%s%s", kill, r.Status, r.Stdout, r.Stderr)
		}
		job := w.hub.Enqueue(standin.Job{})
		w.benchctl(0, "apply", "--yes", "--wait")
		if j := w.waitJob(job, over); j.Result != "Succeeded" || j.Lost != "" {
			t.Errorf("killed before %s, the job that came meanwhile: %+v", kill, j)
		}
		w.inStep(came[len(came)-1])
	}
}
