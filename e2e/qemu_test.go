//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/originals"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

const realSpec = plainSpec + "service: {cpus: \"0\", needs: [perf]}\n"

// TestCpufreqOnARealKernel tells one story on one machine, since each boot takes
// half a minute: from a power cut in the middle of the first apply to a revert
// that is killed.
func TestCpufreqOnARealKernel(t *testing.T) {
	t.Parallel()
	g := newGuest(t)
	boot := g.governors()
	g.want("drivers", g.sh("cat "+governors+"policy*/scaling_driver | xargs"), "acpi-cpufreq acpi-cpufreq")
	if strings.Contains(boot, "performance") {
		t.Fatalf("this kernel boots with %s, which proves nothing", boot)
	}
	paranoid := g.sh("cat /proc/sys/kernel/perf_event_paranoid")
	parts := []struct {
		name string
		test func(*guest)
	}{
		{"a governor that the driver lacks", (*guest).lacking},
		{"the power fails before the last write", (*guest).powerFails},
		{"every policy", (*guest).everyPolicy},
		{"CPUs of the service", (*guest).pinned},
		{"the gate", (*guest).gated},
		{"a rehearsal beside the runner", (*guest).rehearsed},
		{"one policy drifted", (*guest).drifted},
		{"a CPU unplugged and back", (*guest).unplugged},
		{"a reboot", func(g *guest) { g.rebooted(boot) }},
		{"revert, killed and again", func(g *guest) { g.reverted(paranoid) }},
	}
	for _, p := range parts {
		if !t.Run(p.name, func(t *testing.T) { p.test(g.on(t)) }) {
			break
		}
	}
}

func (g *guest) lacking() {
	g.spec(strings.Replace(realSpec, "governor: performance", "governor: interactive", 1))
	before := g.governors()
	report, _ := g.benchctl(1, nil, "apply", "--only", "cpufreq")
	o := report.Results[0]
	offered := strings.Join(strings.Fields(g.sh("cat "+governors+"policy0/scaling_available_governors")), ", ")
	if o.Status != reconcile.Failed && o.Status != reconcile.Unsupported || !strings.Contains(o.Error, "policy0 offers only "+offered) {
		g.t.Errorf("%+v", o)
	}
	g.want("governors afterwards", g.governors(), before)
	g.spec(strings.Replace(realSpec, "governor: performance", "governor: {name: interactive, ifUnsupported: skip}", 1))
	g.benchctl(0, nil, "apply", "--only", "cpufreq")
}

// powerFails proves that an original is on the disk before the first write:
// what was not synced is lost with the machine's memory.
func (g *guest) powerFails() {
	g.spec(realSpec)
	g.setGovernors("ondemand", "powersave")
	_, said := g.benchctl(0, nil, "apply", "--only", "cpufreq")
	g.benchctl(0, nil, "revert")
	g.want("governors after revert", g.governors(), "ondemand powersave")
	g.sh("sync")
	all := steps(g.t, said)
	last := len(all) - 1
	for last >= 0 && all[last].op != "poke" {
		last--
	}
	g.benchctl(killed, []string{fmt.Sprint("BENCHCTL_KILL_AT=", all[last].n)}, "apply", "--only", "cpufreq")
	g.want("governors after the kill", g.governors(), "performance powersave")
	if err := errors.Join(g.Kill(), g.Start(g.t.Context())); err != nil {
		g.t.Fatal(err)
	}
	for policy, own := range map[string]string{"policy0": "ondemand", "policy1": "powersave"} {
		g.want("original of "+policy+" after the power cut", g.book()[governors+policy+"/scaling_governor"].Value, own)
	}
}

func (g *guest) everyPolicy() {
	report, _ := g.benchctl(0, nil, "apply", "--yes")
	g.t.Logf("apply took %s", time.Duration(report.Elapsed))
	g.want("governors", g.governors(), "performance performance")
	g.inStep()
	all := g.hub.Runners(standin.Repo(repository))
	if len(all) != 1 || !g.hub.Online(standin.Repo(repository), all[0].Name) {
		g.t.Errorf("registrations: %+v", all)
	}
}

// pinned: the kernel itself keeps the runner and its jobs on their CPU.
func (g *guest) pinned() {
	const list = "/status | grep -h ^Cpus_allowed_list"
	g.want("the Listener's CPUs", g.sh("cat /proc/$(pgrep -x Runner.Listener)"+list), "Cpus_allowed_list:\t0")
	j := g.job(`grep -h ^Cpus_allowed_list /proc/self/status; taskset -c 1 echo escaped || echo kept`)
	if !strings.Contains(j.Log, "Cpus_allowed_list:\t0\n") || strings.Contains(j.Log, "escaped") || !strings.Contains(j.Log, "kept") {
		g.t.Errorf("the job says %q (%s)", j.Log, j.Reason)
	}
}

func (g *guest) drifted() {
	g.setGovernors("performance", "schedutil")
	report, _ := g.benchctl(2, nil, "diff")
	if got := found(report); !slices.Equal(got, []string{"cpufreq policy1: schedutil -> performance"}) {
		g.t.Errorf("diff says %q", got)
	}
	report, _ = g.benchctl(0, nil, "apply")
	if n := report.Summary[reconcile.Changed]; n != 1 {
		g.t.Errorf("apply changed %d resources: %q", n, found(report))
	}
	g.want("governors", g.governors(), "performance performance")
	g.want("original", g.book()[governors+"policy1/scaling_governor"].Value, "powersave")
}

func (g *guest) unplugged() {
	const online = "/sys/devices/system/cpu/cpu1/online"
	g.sh("echo 0 >" + online)
	g.want("governors without CPU 1", g.governors(), "performance off")
	g.inStep()
	g.sh("/usr/local/bin/benchctl ready")
	g.sh("echo 1 >" + online)
	back := g.governors()
	g.t.Logf("CPU 1 came back: %s", back)
	report, _ := g.benchctl(map[bool]int{true: 0, false: 2}[back == "performance performance"], nil, "diff")
	if got := found(report); back != "performance performance" && (len(got) != 1 || !strings.HasPrefix(got[0], "cpufreq policy1: ")) {
		g.t.Errorf("diff says %q", got)
	}
	g.benchctl(0, nil, "apply")
	g.want("governors", g.governors(), "performance performance")
}

// rebooted: a job that waits for the runner while the machine boots is the
// first to see whether the governor is in force. A unit that comes before the
// runner's saw what the kernel had set.
func (g *guest) rebooted(boot string) {
	unit := g.sh("basename /etc/systemd/system/actions.runner.*.service")
	g.put("/etc/systemd/system/probe.service", `[Unit]
After=systemd-modules-load.service
Before=`+unit+`
[Service]
Type=oneshot
ExecStart=sh -c 'cat `+governors+`policy*/scaling_governor | xargs >/run/probe'
[Install]
WantedBy=multi-user.target
`, 0o644)
	g.sh("systemctl enable probe; systemctl stop " + unit)
	id := g.hub.Enqueue(standin.Job{Script: "cat " + governors + "policy*/scaling_governor | xargs"})
	if err := g.Reboot(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
	j := g.ended(id)
	g.want("governors that the kernel had set", g.sh("cat /run/probe"), boot)
	if !strings.Contains(j.Log, "performance performance\n") {
		g.t.Errorf("the first job after the reboot says %q (%s)", j.Log, j.Reason)
	}
	g.want("originals after the reboot", g.book()[governors+"policy1/scaling_governor"].Value, "powersave")
	g.inStep()
}

func (g *guest) reverted(paranoid string) {
	// The 9th change is the write to the second policy.
	g.benchctl(killed, []string{"BENCHCTL_KILL_AT=9"}, "revert")
	g.want("governors after the kill", g.governors(), "ondemand performance")
	g.benchctl(0, nil, "revert")
	g.want("governors", g.governors(), "ondemand powersave")
	g.want("kernel.perf_event_paranoid", g.sh("cat /proc/sys/kernel/perf_event_paranoid"), paranoid)
	g.want("originals left", g.sh("ls "+originals.File+" 2>/dev/null || true"), "")
	g.benchctl(0, nil, "apply")
	g.inStep()
}
