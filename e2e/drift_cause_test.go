//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// rivalUnit is a daemon that has another idea of the governor.
const rivalUnit = `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo powersave >` + governors + `policy1/scaling_governor'
`

const metricsFile = "/run/node-exporter/benchctl.prom"

// TestDriftAndItsCause takes a host in step through what changes it behind
// benchctl's back and in front of it, and reads what is said of each.
func TestDriftAndItsCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.sh("mkdir /run/node-exporter")
	spec := plainSpec + "metrics: " + metricsFile + "\n"
	w.spec(spec)
	w.drifted(w.apply(0))
	w.drifted(w.apply(0))
	w.recordsWhatJSONSays()

	w.aDaemonStarted()
	w.aPackageWentAway()
	spec = w.theSpecChanged(spec)
	w.bothAtOnce(spec)
	w.somethingKeepsChangingIt()
	w.whatRevertDoesIsNoDrift()
	w.saysSoInTheJournal()
	w.outlivesKillsAndAFullDisk()
	w.measures()
}

// TestTheAgentSaysWhatDrifted: the agent sees drift from inside its sandbox, and
// has it corrected; the notes, the journal and the metrics of both say why.
func TestTheAgentSaysWhatDrifted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	w.spec(plainSpec + "schedule: \"@every 1h\"\ngithub: {tokenFile: /etc/benchctl/token}\n")
	w.apply(0)
	w.put("/etc/systemd/system/power-profiles-daemon.service", rivalUnit, 0o644)
	w.sh("systemctl daemon-reload; systemctl start power-profiles-daemon; systemctl reload benchctl")
	for _, run := range []string{`"verb":"pass".*"exit":2`, `"verb":"apply".*"exit":0`} {
		e := w.noted(run + ".*corrective")
		at := slices.IndexFunc(e.Changes, func(c history.Item) bool { return c.Field == "policy1" })
		if at < 0 || !e.Changes[at].Corrective || e.Changes[at].Since == nil || !strings.HasPrefix(e.Changes[at].Cause, "power-profiles-daemon started ") {
			t.Errorf("it noted %+v", e)
		}
	}
	w.sh("journalctl --sync")
	for unit, status := range map[string]string{"benchctl": "pending", "benchctl-apply": "changed"} {
		if said := w.sh("journalctl -o cat --output-fields=BENCHCTL_CAUSE -u " + unit + " BENCHCTL_RESOURCE=cpufreq BENCHCTL_STATUS=" + status); !strings.HasPrefix(said, "power-profiles-daemon started ") {
			t.Errorf("the journal of %s says %q", unit, said)
		}
	}
	text := w.sh("cat /run/benchctl/benchctl.prom")
	for _, line := range []string{`benchctl_drift_corrections_total{resource="cpufreq"} 1`, "benchctl_last_pass_exit_code 0", "benchctl_next_run_timestamp_seconds "} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
}

// noted waits until the notes have a run that a pattern fits.
func (w *world) noted(pattern string) history.Entry {
	w.t.Helper()
	var e history.Entry
	line := w.sh(fmt.Sprintf("for i in $(seq 300); do grep -m 1 '%s' %s && exit; sleep 0.1; done; exit 1", pattern, history.Lines))
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		w.t.Fatalf("%v: %s", err, line)
	}
	return e
}

// drifted wants exactly these changes of a report, as "id field", called drift
// since about now.
func (w *world) drifted(r *reconcile.Report, want ...string) {
	w.t.Helper()
	var got []string
	for _, o := range r.Results {
		for _, c := range o.Changes {
			if !c.Corrective {
				if c.Since != nil || c.Cause != "" {
					w.t.Errorf("%s %s is no drift, and has %v, %q", o.ID, c.Field, c.Since, c.Cause)
				}
				continue
			}
			got = append(got, o.ID.String()+" "+c.Field)
			if c.Since == nil || !c.Since.Before(r.Started) || r.Started.Sub(*c.Since) > 10*time.Minute {
				w.t.Errorf("%s %s drifted since %v, in a run of %v", o.ID, c.Field, c.Since, r.Started)
			}
		}
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("what drifted is %q, want %q", got, want)
	}
}

// causes wants the causes of a report's changes to match patterns, in order.
func (w *world) causes(r *reconcile.Report, patterns ...string) {
	w.t.Helper()
	var got []string
	for _, o := range r.Results {
		for _, c := range o.Changes {
			got = append(got, c.Cause)
		}
	}
	if !slices.EqualFunc(got, patterns, func(g, p string) bool { return regexp.MustCompile("^" + p + "$").MatchString(g) }) {
		w.t.Errorf("the causes are %q, want %q", got, patterns)
	}
}

// diff is `benchctl diff` of some kinds, in a report.
func (w *world) diff(code int, kinds string) *reconcile.Report {
	w.t.Helper()
	return w.parse(w.benchctl(code, "diff", "-o", "json", "--only", kinds))
}

// recordsWhatJSONSays compares what an apply prints with what it keeps.
func (w *world) recordsWhatJSONSays() {
	w.t.Helper()
	printed := w.benchctl(0, "apply", "--yes", "-o", "json").Stdout
	if kept := w.sh("cat " + history.LastRun); kept != printed {
		w.t.Errorf("printed\n%s\nkept\n%s", printed, kept)
	}
	if modes := w.sh("stat -c '%a %U' " + history.Dir + " " + strings.Join(notes, " ")); modes != "700 root\n"+strings.Repeat("600 root\n", len(notes)) {
		w.t.Errorf("the notes are %s", modes)
	}
	if lines := w.sh("wc -l <" + history.Lines); strings.TrimSpace(lines) != "3" {
		w.t.Errorf("three runs have %s lines", lines)
	}
}

// clock is how a time is told: with its date when that was yesterday.
const clock = `(\d{4}-\d\d-\d\d )?\d\d:\d\d`

// aDaemonStarted: the governor changed, and what did it is running.
func (w *world) aDaemonStarted() {
	w.t.Helper()
	w.put("/etc/systemd/system/power-profiles-daemon.service", rivalUnit, 0o644)
	w.sh("systemctl daemon-reload; systemctl start power-profiles-daemon")
	before := w.tree()
	const cause = `power-profiles-daemon started ` + clock
	said := w.benchctl(2, "diff", "--only", "cpufreq").Stdout
	if !regexp.MustCompile(`(?m)^  policy1  powersave -> performance  drifted since ` + clock + ` \(` + cause + `\)$`).MatchString(said) {
		w.t.Errorf("diff said\n%s", said)
	}
	r := w.diff(2, "cpufreq")
	w.drifted(r, "cpufreq policy1")
	w.causes(r, cause)
	if touched := before.Touched(w.tree()); touched != nil {
		w.t.Errorf("diff touched the host:\n%s", strings.Join(touched, "\n"))
	}
	w.drifted(w.parse(w.benchctl(2, "pass", "-o", "json")), "cpufreq policy1")
	r = w.apply(0)
	w.drifted(r, "cpufreq policy1")
	w.causes(r, cause)
	w.sh("systemctl stop power-profiles-daemon")
	w.drifted(w.apply(0))
}

// aPackageWentAway: dpkg's log says how. What apply installs is not in it yet
// when the cause is looked for.
func (w *world) aPackageWentAway() {
	w.t.Helper()
	w.sh("apt-get purge -y git >/dev/null")
	for _, r := range []*reconcile.Report{w.diff(2, "packages"), w.apply(0, "--only", "packages")} {
		w.drifted(r, "packages git")
		var service []string
		if n := len(r.Results); n > 1 { // the service was stopped for apt, and is started again
			service = make([]string, len(r.Results[n-1].Changes))
		}
		w.causes(r, append([]string{`dpkg purged git ` + clock + `, by apt-get`}, service...)...)
	}
	w.drifted(w.apply(0))
}

// theSpecChanged: what differs then was asked for, though it was in step before.
func (w *world) theSpecChanged(spec string) string {
	w.t.Helper()
	spec = strings.Replace(spec, "governor: performance", "governor: schedutil", 1)
	w.spec(spec)
	w.drifted(w.diff(2, "cpufreq"))
	r := w.apply(0)
	w.drifted(r)
	if got := changed(r); !slices.Equal(got, []string{"cpufreq", "hooks"}) && !slices.Equal(got, []string{"cpufreq"}) {
		w.t.Errorf("changed %q", got)
	}
	return spec
}

// bothAtOnce: the spec asks for a variable, and the governor went as well. The
// pass comes first, as the agent's does; that it saw the rest in step under the
// new spec must not make the apply forget the old one. The service, which is
// down for the variable's sake, did not drift.
func (w *world) bothAtOnce(spec string) {
	w.t.Helper()
	spec = strings.Replace(spec, "  version:", "  env: {MARK: one}\n  version:", 1)
	w.spec(spec)
	w.flip()
	w.drifted(w.parse(w.benchctl(2, "pass", "-o", "json")), "cpufreq policy1")
	r := w.apply(0)
	w.drifted(r, "cpufreq policy1")
	if got := changed(r); !slices.Contains(got, "env") || !slices.Contains(got, "service") {
		w.t.Errorf("changed %q", got)
	}
	w.drifted(w.apply(0))
}

// somethingKeepsChangingIt: the third correction in a day is called out.
func (w *world) somethingKeepsChangingIt() {
	w.t.Helper()
	w.flip()
	if said := w.benchctl(2, "diff", "--only", "cpufreq").Stdout; strings.Contains(said, "corrected") {
		w.t.Errorf("after two corrections diff says\n%s", said)
	}
	said := w.benchctl(0, "apply", "--yes").Stdout
	if !strings.Contains(said, "\n  corrected 3 times in 24 h: something keeps changing it\n") {
		w.t.Errorf("the third correction says\n%s", said)
	}
}

// whatRevertDoesIsNoDrift: somebody asked for it.
func (w *world) whatRevertDoesIsNoDrift() {
	w.t.Helper()
	w.benchctl(0, "revert")
	w.drifted(w.diff(2, "cpufreq,hooks"))
	w.drifted(w.apply(0))
}

// saysSoInTheJournal: what nobody was there to read can be searched for.
func (w *world) saysSoInTheJournal() {
	w.t.Helper()
	w.flip()
	w.sh("systemd-run -q --wait --setenv=GITHUB_TOKEN=" + apiToken + " --unit=unattended /usr/local/bin/benchctl apply --unattended")
	w.sh("journalctl --sync")
	var entry map[string]string
	text := w.sh("journalctl -o json BENCHCTL_RESOURCE=cpufreq BENCHCTL_CORRECTIVE=true _SYSTEMD_UNIT=unattended.service")
	if err := json.Unmarshal([]byte(text), &entry); err != nil {
		w.t.Fatalf("%v\n%s", err, text)
	}
	for field, want := range map[string]string{"STATUS": "changed", "FIELD": "policy1", "HAVE": "powersave", "WANT": "schedutil"} {
		if got := entry["BENCHCTL_"+field]; got != want {
			w.t.Errorf("BENCHCTL_%s is %q", field, got)
		}
	}
	if since, err := time.Parse(time.RFC3339, entry["BENCHCTL_SINCE"]); err != nil || time.Since(since) > 10*time.Minute {
		w.t.Errorf("since %v, %v", since, err)
	}
	if n := strings.Count(w.sh("journalctl --sync; journalctl -o cat _SYSTEMD_UNIT=unattended.service"), "powersave -> schedutil"); n != 1 {
		w.t.Errorf("the journal has the change %d times", n)
	}
}

// outlivesKillsAndAFullDisk: notes that are cut off or cannot be written cost
// nothing but themselves.
func (w *world) outlivesKillsAndAFullDisk() {
	w.t.Helper()
	n := 1
	for ; ; n++ {
		w.flip()
		r, _ := w.try(0, applyYes, fmt.Sprint("BENCHCTL_KILL_AT_RECORD=", n))
		if r.Status == 0 {
			break
		}
		if r := w.benchctl(0, "diff"); r.Stderr != "" || n > 9 {
			w.t.Fatalf("killed at note %d: %s", n, r.Stderr)
		}
	}
	if n < 3 {
		w.t.Errorf("only %d notes are written", n-1)
	}
	w.look("mount -t tmpfs -o size=16k,mode=700 none " + history.Dir + " && head -c 16k /dev/zero >" + history.Dir + "/filler")
	r := w.benchctl(0, "apply", "--yes")
	w.says(r, "cannot keep what this run came to: * no space left on device; the host itself is as reported, see to "+history.Dir)
	w.look("umount " + history.Dir)
	w.drifted(w.apply(0))
}

// measures looks at the file for Prometheus.
func (w *world) measures() {
	w.t.Helper()
	w.benchctl(0, "apply", "--yes")
	text := w.sh("cat " + metricsFile)
	for _, pattern := range []string{
		`benchctl_outcomes\{kind="cpufreq",status="unchanged"\} 1`,
		`benchctl_drift_corrections_total\{resource="cpufreq"\} [4-9]`,
		`benchctl_drift_corrections_total\{resource="packages"\} 1`,
		`benchctl_drift_corrections_total\{resource="service"\} 0`,
		`benchctl_registration_online 1`,
		`benchctl_last_pass_exit_code 0`,
		`benchctl_in_step_timestamp_seconds \d{10}(\.\d+)?`,
	} {
		if !regexp.MustCompile("(?m)^" + pattern + "$").MatchString(text) {
			w.t.Errorf("no %s in\n%s", pattern, text)
		}
	}
	if mode := w.sh("stat -c '%a %U' " + metricsFile); mode != "644 root\n" {
		w.t.Errorf("the metrics are %s", mode)
	}
}
