package gate

import (
	"path"
	"strings"
)

// power wants a laptop to be plugged in: on its battery it is another machine.
// Each directory of /sys/class/power_supply is a battery, or what charges one
// (Documentation/ABI/testing/sysfs-class-power).
func (g Gate) power() []Finding {
	supplies, err := g.Host.Glob("/sys/class/power_supply/*/type")
	if err != nil {
		return []Finding{cannotSee(err)}
	}
	var batteries, unplugged []string
	for _, file := range supplies {
		dir := path.Dir(file)
		if g.word(dir+"/scope") == "Device" {
			continue // of a mouse or a headset
		}
		switch kind := g.word(file); {
		case kind == "Battery":
			batteries = append(batteries, dir)
		case kind == "UPS":
		case g.word(dir+"/online") == "1":
			return []Finding{inStep("on AC power (%s)", plain(path.Base(dir)))}
		case g.word(dir+"/online") == "0":
			unplugged = append(unplugged, plain(path.Base(dir)))
		}
	}
	if batteries == nil {
		return nil // no laptop
	}
	for _, dir := range batteries {
		if g.word(dir+"/status") == "Discharging" {
			return []Finding{differs("on battery (%s, %s %%)", plain(path.Base(dir)), orAbsent(g.word(dir+"/capacity")))}
		}
	}
	if unplugged != nil {
		return []Finding{differs("on battery: no power from %s", enumerate(unplugged))}
	}
	return []Finding{inStep("the battery is not discharging")}
}

// word is a kernel file of one word, and "" where there is none.
func (g Gate) word(file string) string {
	text, _ := g.Host.ReadFile(file)
	return strings.TrimSpace(string(text))
}
