//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

// outlives starts a daemon that the runner does not know to be its job's.
const outlives = "env -u RUNNER_TRACKING_ID setsid sleep 4711 </dev/null >/dev/null 2>&1 &"

// leftovers is what a hostile user leaves in three weeks: names that a terminal
// acts on, links to what is root's, many files, a directory without rights, and
// directories in each other by the hundred.
const leftovers = `cd ` + boxWork + `
mkdir -p old/old/.git 'esc` + "\x1b" + `[2Jape/x' young/young _tool/Java/17/x64 _tool/Java/21/x64 ../_diag/pages
(cd old && seq 20000 | xargs touch)
ln -s /etc old/old/etc; ln -s /etc/shadow old/shadow; ln -s / old/old/.git/root; mkfifo old/fifo
mkdir -p deep/$(seq -f d%g -s / 500)
head -c 40M /dev/zero >old/old/pack; head -c 12M /dev/zero >_tool/Java/17/x64/modules; head -c 4M /dev/zero >../_diag/Worker_1.log
ln -s /etc link
touch _tool/Java/17/x64.complete _tool/Java/21/x64.complete ../_diag/Worker_2.log ../_diag/pages/1
mkdir old/closed; touch old/closed/x
find deep old esc* link -depth -exec touch -h -d '21 days ago' {} +
chmod 0 old/closed; touch -d '21 days ago' old
find _tool/Java/17 -depth -exec touch -d '100 days ago' {} +
touch -d '40 days ago' ../_diag/Worker_1.log ../_diag/pages/1`

// TestCleanup is the life of a host that stays clean: a job leaves a process,
// and what somebody else left lies about for weeks.
func TestCleanup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	clean := plainSpec + "cleanup: {work: 14d, diag: 30d, tools: 90d, processes: end}\n"
	w.spec(clean)
	w.benchctl(0, "apply")
	w.runJob(outlives)
	w.asUser(leftovers)

	before := w.tree(boxWork + "/_tool") // hashing them would be use
	r := w.benchctl(2, "diff")
	t.Logf("\n%s", r.Stdout)
	want := []string{
		"cleanup/processes process * (sleep): since *, its job is over -> ended",
		"cleanup _work/esc\\x1b[2Jape: unused for 21 days, less than 1 MiB -> removed",
		"cleanup _work/link: unused for 21 days, less than 1 MiB -> removed",
		"cleanup _work/deep: unused for 21 days, more files than were counted -> removed",
		"cleanup _work/old: unused for 21 days, 40 MiB -> removed",
		"cleanup _work/_tool/Java/17: unused for 100 days, 12 MiB -> removed",
		"cleanup _diag: logs not written to for 30 days or more: 2, 4 MiB -> removed",
	}
	if found := w.differs(t.Context()); !alikeInAnyOrder(found, want) {
		t.Errorf("diff finds %q\nwant %q", found, want)
	}
	if touched := before.Touched(w.tree(boxWork + "/_tool")); touched != nil {
		t.Errorf("diff touched the host:\n%s", strings.Join(touched, "\n"))
	}

	w.killedWhileRemoving()
	life := w.life()
	w.apply(0)
	w.inStep("a clean-up")
	w.sh(shadowIsWhole)
	if got := w.sh("ls " + boxWork); got != "_tool\nbench\nyoung\n" {
		t.Errorf("left: %s", got)
	}
	w.sh("! pgrep -u gha-runner sleep && test -d " + boxWork + "/_tool/Java/21 && test -e " + boxDir + "/_diag/Worker_2.log && ! test -e " + boxDir + "/_diag/Worker_1.log")
	if w.life() != life {
		t.Error("a clean-up restarted the runner")
	}
	w.staysAsItIs()
	w.runJob("pwd")

	w.survivorIsKept(strings.Replace(clean, ", processes: end", "", 1))
	w.spec(strings.Replace(clean, "work: 14d", "minFree: 1000TiB", 1))
	r = w.benchctl(1, "apply", "--yes")
	t.Logf("\n%s", r.Stdout)
	if !strings.Contains(r.Stdout, "too little is free: ") || !strings.Contains(r.Stdout, "no work directory is left to remove; make room there") {
		t.Errorf("what cannot be had:\n%s", r.Stdout)
	}
	w.runJob("pwd")
}

// asUser runs a line of shell as the runner's user.
func (w *world) asUser(line string) {
	w.t.Helper()
	w.put("/root/line", line, 0o644)
	w.sh("runuser -u gha-runner -- sh -eu </root/line && rm /root/line")
}

// killedWhileRemoving ends benchctl between a directory's getting out of the
// way and its being deleted: what is left says so, and no job would find it.
func (w *world) killedWhileRemoving() {
	w.t.Helper()
	w.put("/root/spec.yaml", strings.Replace(w.sh("cat /etc/benchctl/runner.yaml"), ", processes: end", "", 1), os.FileMode(0o600))
	w.asUser("mkdir -p " + boxWork + "/first/first && touch -d '50 days ago' " + boxWork + "/first/first " + boxWork + "/first")
	verb := []string{"apply", "--yes", "-f", "/root/spec.yaml", "--only", "cleanup"}
	for n := 1; ; n++ {
		if at := w.killedAt(n, verb...); at.op == "remove" {
			break
		}
	}
	found := w.differs(w.t.Context())
	if !slices.ContainsFunc(found, func(line string) bool {
		return strings.HasPrefix(line, "cleanup _work/.benchctl-gone-") && strings.Contains(line, "left by a removal that was cut off")
	}) {
		w.t.Errorf("after a kill diff finds %q", found)
	}
	w.sh("! test -e " + boxWork + "/first")
}

// survivorIsKept lets a process be that outlives its job: it is named, and that
// is no difference.
func (w *world) survivorIsKept(spec string) {
	w.t.Helper()
	w.spec(spec)
	w.runJob(outlives)
	r := w.benchctl(0, "diff")
	if !strings.Contains(r.Stderr, "note: cleanup.processes: outliving their jobs: process ") || !strings.Contains(r.Stderr, " (sleep) since ") {
		w.t.Errorf("diff says\n%s%s", r.Stdout, r.Stderr)
	}
	w.benchctl(0, "apply", "--yes")
	w.sh("pgrep -u gha-runner sleep")
}

func alikeInAnyOrder(lines, patterns []string) bool {
	return len(lines) == len(patterns) && !slices.ContainsFunc(patterns, func(p string) bool {
		return !slices.ContainsFunc(lines, func(line string) bool { return alike([]string{line}, []string{p}) })
	})
}

// TestAgentCleansUp has the sandboxed agent find what a job left, and what its
// user hid from everybody, and the unit that may change the host remove it.
func TestAgentCleansUp(t *testing.T) {
	t.Parallel()
	w := newAgentWorld(t, "@every 2s")
	w.asUser("mkdir -p " + boxWork + "/hidden/closed; chmod 0 " + boxWork + "/hidden/closed; touch -d '21 days ago' " + boxWork + "/hidden/closed " + boxWork + "/hidden")
	w.runJob(outlives)
	w.spec(agentSpec("@every 2s") + "cleanup: {work: 14d, processes: end}\n")
	w.reaches("ls "+boxWork+"; pgrep -cu gha-runner sleep || true", "bench\n0")
	w.reaches(agentStatus, "in step")
	w.sh("! test -e " + boxWork + "/hidden")
	if said := w.look("journalctl --sync; journalctl -o cat -u benchctl-apply"); !strings.Contains(said, "_work/hidden") || !strings.Contains(said, "(sleep)") {
		t.Errorf("the unit that applies said\n%s", said)
	}
}
