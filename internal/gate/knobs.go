package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
)

// knobs compares every file of every knob; one finding a knob.
func (g Gate) knobs(want *expect.Expected) []Finding {
	var found []Finding
	for _, k := range want.Knobs {
		f := g.knob(k)
		f.Check = k.ID
		found = append(found, f)
	}
	return found
}

func (g Gate) knob(k expect.Knob) Finding {
	settings, err := k.Settings(g.Host)
	switch {
	case err != nil:
		return cannotSee(err)
	case len(settings) == 0 && k.Optional:
		return unsupported("this host has no %s, which the spec lets pass", k.Files)
	case len(settings) == 0:
		return differs("this host has no %s, which has to be %s", k.Files, k.Want)
	}
	var wrong, refused []string
	for _, s := range settings {
		if k.Suffices(s.Value) {
			continue
		}
		words, err := k.Offers(g.Host, s.Path)
		if err != nil {
			return cannotSee(err)
		}
		text := fmt.Sprintf("%s is %s, not %s", short(s.Path), plain(s.Value), k.Want)
		if k.Optional && words != nil && !slices.Contains(words, k.Want) {
			refused = append(refused, text)
		} else {
			wrong = append(wrong, text)
		}
	}
	switch {
	case wrong != nil:
		return differs("%s", enumerate(wrong))
	case refused != nil:
		return unsupported("%s, which the spec lets pass", enumerate(refused))
	}
	return inStep("%s%s", plain(settings[0].Value), onAll(len(settings)))
}

// onAll says how many files there are, where there is more than one.
func onAll(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" on all %d", n)
}

// short leaves out of a kernel file's path what everybody knows.
func short(path string) string {
	for _, dir := range []string{"/sys/devices/system/cpu/cpufreq/", "/sys/devices/system/cpu/", "/proc/sys/", "/sys/"} {
		if rest, ok := strings.CutPrefix(path, dir); ok {
			return rest
		}
	}
	return path
}

// enumerate is a list that does not grow with the machine.
func enumerate(items []string) string {
	const most = 4
	if len(items) <= most {
		return strings.Join(items, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:most], ", "), len(items)-most)
}
