package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// tools writes the governor, the JDK and the Phoronix Test Suite.
func (d *Draft) tools() {
	d.gap()
	d.governor()
	d.jdk()
	if pts := d.Survey.PTS; pts != "" {
		d.put("pts", strconv.Quote(pts), "found: the package phoronix-test-suite")
	}
}

func (d *Draft) governor() {
	count := d.Survey.Governors
	names := slices.Sorted(maps.Keys(count))
	switch len(names) {
	case 0:
		d.say("governor: this host has no cpufreq (a virtual machine?), so there is none to set.")
		return
	case 1:
		n := count[names[0]]
		d.put("governor", scalar(names[0]), "found: on "+all(n))
		if names[0] != "performance" {
			d.say("Better for benchmarks: performance.")
		}
		return
	}
	var found []string
	for _, name := range names {
		found = append(found, fmt.Sprintf("%s on %d", name, count[name]))
	}
	d.put("governor", "performance", "found: "+tidy(strings.Join(found, ", "))+"; one for all policies is better")
}

func all(n int) string {
	if n == 1 {
		return "the one policy"
	}
	return fmt.Sprintf("all %d policies", n)
}

func (d *Draft) jdk() {
	j := d.Survey.Java
	switch {
	case j == nil:
		d.say("jdk: jobs find no java on their PATH.")
		return
	case j.Version == "":
		d.say("jdk: jobs find a java in " + tidy(j.Home) + ", which does not say its version.")
		return
	}
	found := "found: " + tidy(j.Home) + " of the package " + tidy(j.Package)
	vendor := strings.HasPrefix(j.Package, "temurin-")
	if j.Package == "" {
		found = "found: " + tidy(j.Home) + ", which no package brought; this asks for a packaged one"
	}
	if !vendor && !d.Survey.HasJDK(j.Version) {
		vendor = true
	}
	if vendor {
		d.put("jdk", fmt.Sprintf("{version: %s, vendor: temurin}", j.Version), found)
		return
	}
	d.put("jdk", j.Version, found)
}
