//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

const (
	// scheduled is a spec's part with an agent that makes no pass by itself
	// while a test lasts, and the credentials that it has.
	scheduled = "schedule: \"" + yearly + "\"\ngithub: {tokenFile: " + tokenFile + "}\n"

	agentUnit     = "benchctl.service"
	agentUnitFile = "/etc/systemd/system/" + agentUnit
)

// exposureBar is the most that the agent's service may have.
const exposureBar = 1.5

// agentSeesAll has one more apply set the agent up: within its bar of exposure,
// with nothing in its units that this systemd objects to, and with a look from
// inside its sandbox that sees what one from outside sees.
func (w *world) agentSeesAll(release lab.Release) {
	full := w.sh("cat /etc/benchctl/runner.yaml")
	if !seesKnobs(release) {
		full = strings.Replace(full, "service: {needs: [perf]}\n", "", 1)
	}
	w.put(tokenFile, apiToken+"\n", 0o600)
	w.spec(full + "\n" + scheduled + "cleanup: {work: 14d, diag: 30d, tools: 90d, processes: end}\n")
	w.apply(0)
	for _, unit := range []string{agentUnit, "benchctl-relay.service"} {
		exposure := box{w.host}.exposure(w.t, unit)
		w.t.Logf("%s: exposure of %s: %.1f", release, unit, exposure)
		if exposure > exposureBar {
			w.t.Errorf("the exposure of %s is %.1f, above %.1f", unit, exposure, exposureBar)
		}
	}
	said := w.sh("systemd-analyze verify /etc/systemd/system/benchctl* 2>&1 | grep -F benchctl || true") +
		w.sh("journalctl --sync; journalctl -q -b _PID=1 | grep -E 'benchctl(-apply|-relay)?[.](service|socket):' | grep -v lab-run | grep -i -E 'unknown|ignoring|invalid|fail|proceeding' || true")
	if said != "" {
		w.t.Errorf("systemd objects:\n%s", said)
	}
	w.looksTheSameFromInside("in step", 0)
	w.breakEverything()
	if seesKnobs(release) {
		w.sh("echo 3 >/proc/sys/kernel/perf_event_paranoid")
	}
	w.looksTheSameFromInside("out of step", 2)
}

// seesKnobs: before 254, systemd gives a sandbox a /proc of its own, in which the
// lab's stand-ins for kernel files are not.
func seesKnobs(release lab.Release) bool {
	return release.Name == lab.Debian13.Name || release.Name == lab.Ubuntu2404.Name
}

// networked lets the machine's systemd make network namespaces.
func networked(o *lab.Options) { o.Capabilities = append(o.Capabilities, "CAP_NET_ADMIN") }

// breakEverything breaks something of each kind, in ways that only root, or the
// runner's user, gets to see.
func (w *world) breakEverything() {
	w.t.Helper()
	w.runJob(outlives)
	w.asUser(leftovers)
	w.sh(`usermod -s /bin/bash gha-runner
		echo x >>` + boxDir + `/.path
		echo powersave >/sys/devices/system/cpu/cpufreq/policy1/scaling_governor
		echo true >>/usr/local/lib/benchctl/job-started.sh
		rm ` + boxHome + `/.phoronix-test-suite/user-config.xml
		chmod 777 ` + boxDir + `/run.sh
		sed -i s/Nice=10/Nice=-10/ ` + agentUnitFile + `
		mkdir -p /etc/systemd/system/` + runnerUnit + `.d
		printf '[Service]\nNice=5\n' >/etc/systemd/system/` + runnerUnit + `.d/nice.conf
		systemctl daemon-reload`)
}

// looksTheSameFromInside compares `benchctl diff` with one in the very sandbox
// of the agent, but for the agent's own process, which only one from outside
// minds.
func (w *world) looksTheSameFromInside(state string, code int) {
	w.t.Helper()
	outside := w.parse(w.benchctl(code, "diff", "-o", "json"))
	inside, status := w.lookFromInside()
	if status != fmt.Sprint(code) {
		w.t.Errorf("%s: inside the sandbox, diff ends with %s, want %d", state, status, code)
	}
	out, in := whatItSays(outside), whatItSays(inside)
	if !slices.Equal(out, in) {
		w.t.Errorf("%s: from outside it looks like\n%s\nand from inside like\n%s", state, strings.Join(out, "\n"), strings.Join(in, "\n"))
	}
	w.t.Logf("%s: %d resources, %d lines, the same from inside", state, len(inside.Results), len(in))
}

// whatItSays is all of a report but times.
func whatItSays(r *reconcile.Report) []string {
	said := linesOf(r)
	for _, o := range r.Results {
		said = append(said, fmt.Sprintf("%s is %s %v", o.ID, o.Status, o.Effects))
	}
	return said
}

// lookFromInside runs `benchctl diff` in the unit of the agent, with nothing of
// it left out but how it is started and ended.
func (w *world) lookFromInside() (*reconcile.Report, string) {
	w.t.Helper()
	var unit strings.Builder
	for line := range strings.Lines(w.sh("sed '/^\\[Install\\]/,$d' " + agentUnitFile)) {
		key, _, _ := strings.Cut(line, "=")
		switch key {
		case "Type", "ExecReload", "Restart", "RestartSec", "RestartPreventExitStatus", "After":
		case "ExecStart":
			unit.WriteString("Type=oneshot\nExecStart=/usr/local/bin/benchctl diff -o json\n" +
				"StandardOutput=truncate:/run/benchctl/look.json\nStandardError=journal\n")
		default:
			unit.WriteString(line)
		}
	}
	w.put("/run/systemd/system/lab-look.service", unit.String(), 0o644)
	w.sh("systemctl daemon-reload; systemctl start lab-look.service || true")
	var report reconcile.Report
	text := w.sh("cat /run/benchctl/look.json")
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		w.t.Fatalf("%v\n%s\n%s", err, text, w.sh("journalctl --no-pager -n 30 -u lab-look.service"))
	}
	return &report, strings.TrimSpace(w.sh("systemctl show -P ExecMainStatus lab-look.service"))
}

// TestAgentTellsFromInside: a pass in the sandbox, which has no network and may
// write nothing of the host's, still gets word to whoever is to be told, and
// metrics to where they are collected.
func TestAgentTellsFromInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t), networked)
	room, address := newChat(t, w)
	w.put("/etc/benchctl/webhook", address+"\n", 0o600)
	w.put(tellerPath, teller, 0o755)
	w.put(tokenFile, apiToken+"\n", 0o600)
	w.hub.EndToken(apiToken, time.Now().Add(72*time.Hour))
	const metrics = "/var/lib/prometheus/node-exporter/benchctl.prom" // a directory of somebody else's
	w.sh("install -d -o 4711 -g 4711 -m 755 " + path.Dir(metrics))
	w.spec(plainSpec + scheduled + "notify: {command: " + tellerPath + ", webhookFile: /etc/benchctl/webhook}\nmetrics: " + metrics + "\n")
	w.apply(0)
	w.look("rm " + metrics + "; systemctl reload benchctl") // its first pass may have met the apply
	w.reaches("stat -c '%U %a' "+metrics+" || true", "root 644")
	w.reaches("cat /var/log/told.jsonl 2>/dev/null || true", "deadline/credential")
	w.reaches(agentStatus, "in step; next pass")
	w.commandTold("firing deadline/credential")
	w.told(room, "firing deadline/credential")
	if env := w.sh("cat /var/log/told.env"); !strings.Contains(env, "BENCHCTL_CAUSE=deadline/credential") || strings.Contains(env, "BENCHCTL_RELAY") {
		t.Errorf("the program's environment was\n%s", env)
	}
}
