package resources

import (
	"regexp"
	"strings"
)

// aptTotals are the two lines in which apt-get sums up what it is about to do.
var aptTotals = regexp.MustCompile(`^([0-9]+ upgraded, .*|Need to get .*)$`)

// aptPhases are how the first line of each phase begins, and what to call it.
var aptPhases = []struct{ begins, phase string }{
	{"Get:", "fetching packages"},
	{"Unpacking ", "unpacking packages"},
	{"Setting up ", "setting packages up"},
}

// phases hands on what apt-get and dpkg say that a person waits for: the
// totals, and once each the phase they are in.
func phases(say func(string)) func(line string) {
	told := map[string]bool{}
	return func(line string) {
		if aptTotals.MatchString(line) {
			say(line)
			return
		}
		for _, p := range aptPhases {
			if strings.HasPrefix(line, p.begins) && !told[p.phase] {
				told[p.phase] = true
				say(p.phase)
			}
		}
	}
}
