package spec

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	day      = 24 * time.Hour
	leastAge = time.Hour
	mostDays = 3650
)

// duration reads days (14d) and everything that [time.ParseDuration] does.
func duration(s string) (time.Duration, error) {
	days, ok := strings.CutSuffix(s, "d")
	if !ok || !only(days, digits) {
		return time.ParseDuration(s)
	}
	n, err := strconv.Atoi(days)
	if err != nil || n > mostDays {
		return 0, fmt.Errorf("%s days are more than %d", days, mostDays)
	}
	return time.Duration(n) * day, nil
}

// age reads how long something may lie unused; 0 is for ever.
func (l *loader) age(f *field) time.Duration {
	text := f.text()
	if text == Keep {
		return 0
	}
	d, err := duration(text)
	switch {
	case only(text, digits) && d == 0 && err != nil:
		l.fault(f, "write "+short(text)+"d for days, or keep", "%s has no unit", quote(text))
	case err != nil:
		l.fault(f, "write days such as 14d, a duration such as 36h, or keep", "%s is not an age", quote(text))
	case d < leastAge:
		l.fault(f, "choose 1h or more, or keep", "%s is so short that the next job would miss what went", quote(text))
	}
	return d
}

// The units of a size, in bytes.
var sizeUnits = map[string]int64{"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

// mostBytes is more than a file system of a benchmark host has.
const mostBytes = 1 << 50

// size reads a number of bytes such as 20GiB; 0 where there is none.
func (l *loader) size(f *field) int64 {
	if !f.has() {
		return 0
	}
	text := f.text()
	number := strings.TrimRight(text, lower+upper)
	unit, known := sizeUnits[text[len(number):]]
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	switch {
	case !known:
		l.fault(f, sizeHint(strings.TrimSpace(number), text[len(number):]), "%s is not a size", quote(text))
	case err != nil || n < 0:
		l.fault(f, sizeHint("", ""), "%s is not a size", quote(text))
	case n == 0:
		l.fault(f, "name what shall be free, or remove it", "%s asks for nothing", quote(text))
	case n > mostBytes/unit:
		l.fault(f, "ask for less", "%s is more than any disk has", quote(text))
	default:
		return n * unit
	}
	return 0
}

// sizeHint is what was meant by a number with a unit that is not quite one.
func sizeHint(number, unit string) string {
	for known := range sizeUnits {
		if unit != "" && only(number, digits) && strings.EqualFold(known[:1], unit[:1]) {
			return "write " + short(number) + known
		}
	}
	return "write a whole number with MiB, GiB or TiB, such as 20GiB"
}
