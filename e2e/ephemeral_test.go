//go:build e2e

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// ephemeralSpec is a runner that is good for one job. A host is looked at once a
// day: all that happens in between is brought on by the end of a job.
func ephemeralSpec(cron string) string {
	return strings.Replace(agentSpec(cron), "governor:", "  ephemeral: true\ngovernor:", 1) + "notify: {command: " + tellerPath + "}\n"
}

// cleanJob succeeds where nothing of another job is, and leaves what it can, a
// process that the runner does not know for the job's among it.
const cleanJob = `cd ` + boxWork + `
for left in poison _tool .hidden /tmp/poison /var/tmp/poison /dev/shm/poison; do
	if test -e $left; then echo $left is there; exit 1; fi
done
if pgrep -x poisoner; then exit 1; fi
mkdir -p poison/deep _tool/evil/1 && chmod 0 poison/deep && ln -s /etc poison/etc
touch .hidden /tmp/poison /var/tmp/poison /dev/shm/poison
cp /bin/sleep /tmp/poisoner
RUNNER_TRACKING_ID= setsid /tmp/poisoner 1000 >/dev/null 2>&1 </dev/null &
until pgrep -x poisoner >/dev/null; do sleep 0.05; done`

// TestEphemeral has a runner that takes one job at a time, each on a registration
// and a work directory of its own.
func TestEphemeral(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t), networked)
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	w.put(tellerPath, teller, 0o755)
	watch := watchCommandLines(t)
	w.spec(ephemeralSpec("@every 24h"))
	w.benchctl(0, "apply", "--yes")
	w.reaches(agentStatus, "in step")
	for _, part := range []struct {
		name string
		test func(*world)
	}{
		{"a queue", (*world).oneJobEach},
		{"without just-in-time registrations", (*world).oneJobEachByToken},
		{"a Listener that leaves its registration", (*world).leavesItsRegistration},
		{"between two jobs", (*world).betweenTwoJobs},
		{"GitHub is away between two jobs", (*world).awayBetweenTwoJobs},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(w.in(t)) }) {
			return
		}
	}
	leaks(t, "a command line", watch(), w.hub.JITConfigs())
	if told := w.look("cat /var/log/told.jsonl 2>/dev/null || true"); strings.Contains(told, "offline") || strings.Contains(told, "out-of-step") {
		t.Errorf("somebody was told %s", told)
	}
}

// oneJobEach runs a queue, without a tick of the schedule.
func (w *world) oneJobEach() {
	var queue []string
	for range 4 {
		queue = append(queue, w.hub.Enqueue(standin.Job{Script: cleanJob}))
	}
	var last standin.JobState
	seen := map[int64]bool{}
	for _, id := range queue {
		j := w.waitJob(id, over)
		if j.Result != "Succeeded" || j.Lost != "" || seen[j.Runner] {
			w.t.Errorf("a job: %+v", j)
		}
		if !last.Ended.IsZero() {
			w.t.Logf("on registration %d, %v after the job before", j.Runner, j.Acquired.Sub(last.Ended).Round(time.Millisecond))
		}
		seen[j.Runner], last = true, j
	}
	w.anew()
	w.inStep("the queue")
	if n := len(w.hub.JITConfigs()); n != len(queue)+1 {
		w.t.Errorf("%d just-in-time registrations for %d jobs", n, len(queue))
	}
	if left := w.look("ls -A " + boxWork); left != "" {
		w.t.Errorf("the work directory has %q", left)
	}
	w.keyIsNowhereElse()
	if notes := w.look("cat /var/lib/benchctl/marks.json /var/lib/benchctl/last-run.json"); strings.Contains(notes, `"correct`) || !strings.Contains(notes, "waiting for its next registration") {
		w.t.Errorf("a job's end was taken for drift: %s", notes)
	}
}

// anew waits until the runner is registered for another job, and the agent has
// nothing more to do.
func (w *world) anew() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	if err := w.hub.WaitOnline(ctx, standin.Repo(repository), runnerName); err != nil {
		w.t.Fatalf("%v\n%s", err, w.look("journalctl --no-pager -n 60 -u benchctl -u benchctl-apply"))
	}
	w.reaches("pgrep -f 'benchctl[ ](pass|apply)' || echo over", "over")
	w.reaches(agentStatus, "in step")
}

// keyIsNowhereElse but in the one file where the Listener keeps it, for the
// runner's user alone, and its configuration is in none.
func (w *world) keyIsNowhereElse() {
	w.t.Helper()
	all := w.hub.JITConfigs()
	whole, err := base64.StdEncoding.DecodeString(all[len(all)-1])
	var config map[string][]byte
	var key struct{ D string }
	if err == nil {
		err = json.Unmarshal(whole, &config)
	}
	if err == nil {
		err = json.Unmarshal(config[".credentials_rsaparams"], &key)
	}
	if err != nil || key.D == "" {
		w.t.Fatalf("the last configuration: %v", err)
	}
	found := w.filesWith(append(all, key.D))
	if len(found) != 1 || !strings.HasPrefix(found[0], boxDir+"/.credentials_rsaparams ") {
		w.t.Errorf("the key is in %q", found)
	}
	if modes := w.look("cd " + boxDir + " && stat -c '%a %U' .runner .credentials .credentials_rsaparams | sort -u"); modes != "600 gha-runner" {
		w.t.Errorf("the registration's files are %q", modes)
	}
	for _, look := range []string{"journalctl --sync; journalctl --no-pager -o export", "systemctl show --all '*'", "cat /proc/[0-9]*/environ"} {
		leaks(w.t, look, []byte(w.look(look)), append(all, key.D))
	}
}

// oneJobEachByToken is how it goes where GitHub has no such registrations, or
// the credentials may not make them.
func (w *world) oneJobEachByToken() {
	refused := w.hub.Fail(standin.Fault{Method: "POST", Path: "/repos/*/*/actions/runners/generate-jitconfig", Mode: standin.Missing})
	given := len(w.hub.JITConfigs())
	for range 2 {
		if j := w.waitJob(w.hub.Enqueue(standin.Job{Script: cleanJob}), over); j.Result != "Succeeded" {
			w.t.Errorf("a job: %+v", j)
		}
	}
	w.reaches("journalctl -o cat -u benchctl-apply", "; a registration token has to do")
	w.anew()
	refused.Remove()
	if n := len(w.hub.JITConfigs()); n != given {
		w.t.Errorf("%d just-in-time registrations", n-given)
	}
}

// leavesItsRegistration is a Listener that ends in another way than it should,
// and whose registration GitHub has dropped.
func (w *world) leavesItsRegistration() {
	first := w.registered().ID
	w.look("kill -9 $(pgrep -x Runner.Listener)")
	w.hub.DeleteRunner(first)
	w.anew()
	if now := w.registered().ID; now == first {
		w.t.Errorf("it is registration %d again", now)
	}
	if j := w.waitJob(w.hub.Enqueue(standin.Job{Script: cleanJob}), over); j.Result != "Succeeded" {
		w.t.Errorf("a job: %+v", j)
	}
	w.anew()
}

// betweenTwoJobs is what a person sees while the agent is not there, and what an
// apply that is killed leaves.
func (w *world) betweenTwoJobs() {
	w.look("systemctl stop benchctl")
	w.waitJob(w.hub.Enqueue(standin.Job{Script: cleanJob}), over)
	w.reaches("systemctl is-active "+runnerUnit+" || true", "inactive")
	shown := strings.Join(strings.Fields(w.benchctl(2, "diff").Stdout+w.benchctl(2, "status").Stdout), " ")
	for _, want := range []string{
		"registration used up by its one job (id ", "work directory .hidden, _tool, bench, poison -> empty",
		"state waiting for its next registration -> listening", " service waiting for its next registration, enabled",
	} {
		if !strings.Contains(shown, want) {
			w.t.Errorf("not shown: %q in %s", want, shown)
		}
	}
	for n := 1; ; n++ {
		r, came := w.try(n, applyYes)
		if r.Status == 0 {
			w.t.Logf("killed %d times on the way, the last before %v", n-1, came[max(0, n-2)])
			break
		}
		if len(came) != n {
			w.t.Fatalf("not killed before change %d: status %d\n%s%s", n, r.Status, r.Stdout, r.Stderr)
		}
		if left := w.look("ls -A " + boxWork); left != "" && w.unitState("ActiveState") == "active" {
			w.t.Errorf("killed before %v, it listens on a work directory with %q", came[n-1], left)
		}
	}
	w.look("systemctl start benchctl")
	w.anew()
	w.inStep("the kills")
	if j := w.waitJob(w.hub.Enqueue(standin.Job{Script: cleanJob}), over); j.Result != "Succeeded" {
		w.t.Errorf("the job after the kills: %+v", j)
	}
	w.anew()
}

// awayBetweenTwoJobs is GitHub's API: the schedule is what comes again.
func (w *world) awayBetweenTwoJobs() {
	w.spec(ephemeralSpec("@every 3s"))
	w.reaches("journalctl -o cat -u benchctl", "runner.yaml changed and is in force")
	away := w.hub.Fail(standin.Fault{Path: "/repos/*/*/actions/*", Mode: standin.Unavailable})
	deeper := w.hub.Fail(standin.Fault{Path: "/repos/*/*/actions/*/*", Mode: standin.Unavailable})
	w.waitJob(w.hub.Enqueue(standin.Job{Script: cleanJob}), over)
	w.reaches(agentStatus, "correcting failed")
	if all := w.hub.Runners(standin.Repo(repository)); len(all) != 0 {
		w.t.Errorf("GitHub has %+v", all)
	}
	away.Remove()
	deeper.Remove()
	w.look(`sed -i 's/"until":"[^"]*"/"until":"2026-01-01T00:00:00Z"/' ` + github.MemoryFile) // or half an hour passes
	if j := w.waitJob(w.hub.Enqueue(standin.Job{Script: cleanJob}), over); j.Result != "Succeeded" || j.Lost != "" {
		w.t.Errorf("the job after that: %+v", j)
	}
	w.anew()
	if all := w.hub.Runners(standin.Repo(repository)); len(all) != 1 || slices.Contains(labels(all[0]), "self-hosted") {
		w.t.Errorf("GitHub has %s", fmt.Sprint(all))
	}
}
