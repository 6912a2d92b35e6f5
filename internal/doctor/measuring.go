package doctor

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// measuring looks at what decides about the processor's frequency.
func (d *Doctor) measuring(ctx context.Context) []Check {
	g := &group{name: "measuring"}
	d.cpufreq(g)
	for _, rival := range rivals {
		u, err := d.Host.Unit(ctx, rival+".service")
		if err == nil && u.ActiveState == "active" {
			g.add(Warning, "rival", "systemctl disable --now "+rival, "%s runs, and sets governor and limits by its own mind", rival)
		}
	}
	return g.checks
}

// rivals are the daemons that set what benchctl sets.
var rivals = []string{"power-profiles-daemon", "tuned", "thermald", "tlp", "auto-cpufreq", "cpufrequtils", "ondemand"}

// cpufreq says which driver there is, in which mode, and what this processor
// can do (Documentation/admin-guide/pm/cpufreq.rst, intel_pstate.rst, amd-pstate.rst).
func (d *Doctor) cpufreq(g *group) {
	policies, _ := d.Host.Glob("/sys/devices/system/cpu/cpufreq/policy*")
	if len(policies) == 0 {
		verdict := Warning
		if d.Spec.Governor == nil || d.Spec.Governor.IfUnsupported == "skip" {
			verdict = OK
		}
		g.add(verdict, "cpufreq", "enable frequency scaling in the firmware, or set governor.ifUnsupported: skip",
			"no driver: /sys/devices/system/cpu/cpufreq has no policy, so nobody here decides about the frequency")
		return
	}
	first := policies[0]
	driver := orSome(d.text(path.Join(first, "scaling_driver")), "an unnamed driver")
	for _, mode := range []string{"intel_pstate", "amd_pstate"} {
		if said := d.text("/sys/devices/system/cpu/" + mode + "/status"); said != "" {
			driver += ", " + mode + " is " + said
		}
	}
	offered := strings.Fields(d.text(path.Join(first, "scaling_available_governors")))
	count := fmt.Sprintf("%d policies", len(policies))
	if len(policies) == 1 {
		count = "1 policy"
	}
	g.ok("cpufreq", "%s, %s, governors %s", driver, count, strings.Join(offered, " "))
	d.governor(g, offered)
	d.turbo(g)
}

func (d *Doctor) governor(g *group, offered []string) {
	want := d.Spec.Governor
	switch {
	case want == nil:
		g.add(Warning, "governor", "add governor: performance to the spec", "the spec asks for none, so the frequency wanders with the load")
	case !slices.Contains(offered, want.Name) && want.IfUnsupported == "skip":
		g.ok("governor", "the driver does not offer %s, which the spec lets pass", want.Name)
	case !slices.Contains(offered, want.Name):
		g.add(Error, "governor", "choose one that it offers", "the driver does not offer %s", want.Name)
	default:
		g.ok("governor", "%s is offered", want.Name)
	}
}

// turbo is information: neither way is wrong, but it explains numbers.
func (d *Doctor) turbo(g *group) {
	switch {
	case d.text("/sys/devices/system/cpu/intel_pstate/no_turbo") == "1", d.text("/sys/devices/system/cpu/cpufreq/boost") == "0":
		g.ok("turbo", "off")
	case d.text("/sys/devices/system/cpu/intel_pstate/no_turbo") == "0", d.text("/sys/devices/system/cpu/cpufreq/boost") == "1":
		g.ok("turbo", "on: the frequency depends on temperature and on how many cores are busy")
	}
	if smt := d.text("/sys/devices/system/cpu/smt/active"); smt != "" {
		g.ok("SMT", "%s", map[string]string{"0": "off", "1": "on: two threads share a core"}[smt])
	}
}

// power looks at a laptop: on its battery, or asleep, it measures nothing.
func (d *Doctor) power(ctx context.Context) []Check {
	g := &group{name: "power"}
	supplies, _ := d.Host.Glob("/sys/class/power_supply/*/type")
	laptop, plugged := false, false
	for _, file := range supplies {
		dir := path.Dir(file)
		switch kind := d.text(file); {
		case kind == "Battery" && d.text(dir+"/scope") != "Device":
			laptop = true
		case kind != "Battery" && kind != "UPS" && d.text(dir+"/online") == "1":
			plugged = true
		}
	}
	if !laptop {
		return nil
	}
	if plugged {
		g.ok("laptop", "on AC power")
	} else {
		g.add(Error, "laptop", "plug it in", "it runs on its battery, which makes it another machine")
	}
	if u, err := d.Host.Unit(ctx, "sleep.target"); err == nil && u.LoadState != "masked" {
		g.add(Warning, "sleep", "systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target", "a laptop that goes to sleep ends the job")
	}
	lids, _ := d.Host.Glob("/proc/acpi/button/lid/*/state")
	if len(lids) > 0 && !d.ignoresLid() {
		g.add(Warning, "lid", "set HandleLidSwitch=ignore in /etc/systemd/logind.conf.d/lid.conf", "closing the lid suspends it")
	}
	return g.checks
}

func (d *Doctor) ignoresLid() bool {
	files, _ := d.Host.Glob("/etc/systemd/logind.conf.d/*.conf")
	for _, file := range append(files, "/etc/systemd/logind.conf") {
		for line := range strings.Lines(d.text(file)) {
			if strings.TrimSpace(line) == "HandleLidSwitch=ignore" {
				return true
			}
		}
	}
	return false
}

// software says of what jobs use whether it is there as the spec wants it.
func (d *Doctor) software(context.Context) []Check {
	g := &group{name: "software"}
	for _, o := range d.Outcomes {
		name := o.ID.String()
		switch o.Status {
		case reconcile.Unchanged:
			g.ok(name, "as the spec wants it, seen as the service sees it")
		case reconcile.Pending:
			c := o.Changes[0]
			g.add(Warning, name, "benchctl apply makes it so", "%s is %s, wanted %s", c.Field, c.Have, c.Want)
		case reconcile.Failed:
			g.add(Error, name, "", "%s", o.Error)
		default:
			g.add(Unknown, name, "", "%s", orSome(o.Error, string(o.Status)))
		}
	}
	return g.checks
}
