package notify

import (
	"fmt"
	"slices"
	"time"
)

// A sample is how much was free once.
type sample struct {
	At   time.Time `json:"at"`
	Free uint64    `json:"free"` // bytes
}

const (
	mostSamples = 8 // one a day
	fewestFalls = 3 // before a pace is believed
)

// filling says whether a disk is too full, or will be within a week at the pace
// of the last days.
func (b *book) filling(d Disk, now time.Time) (what string, full bool) {
	path := plain(d.Path)
	if d.Free < d.Floor {
		return fmt.Sprintf("%s are free at %s, and %s should be", gib(d.Free), path, gib(d.Floor)), true
	}
	b.measure(path, sample{now, d.Free})
	pace := b.pace(path)
	if pace <= 0 {
		return "", false
	}
	left := float64(d.Free-d.Floor) / pace // days
	if left >= week.Hours()/day.Hours() {
		return "", false
	}
	return fmt.Sprintf("%s are free at %s; at %s a day, as lately, the %s that should be are left for %.0f days",
		gib(d.Free), path, gib(uint64(pace)), gib(d.Floor), left), true
}

// pace is how many bytes a day a disk has filled by lately: the median, since a
// single job may leave much behind. 0 is that it has not, or not for long enough.
func (b *book) pace(path string) float64 {
	var falls []float64
	for i, s := range b.Free[path] {
		if i > 0 {
			last := b.Free[path][i-1]
			falls = append(falls, (float64(last.Free)-float64(s.Free))/(s.At.Sub(last.At).Hours()/day.Hours()))
		}
	}
	if len(falls) < fewestFalls {
		return 0
	}
	slices.Sort(falls)
	return falls[(len(falls)-1)/2]
}

// measure keeps one sample a day, for about a week.
func (b *book) measure(path string, s sample) {
	kept := slices.DeleteFunc(slices.Clone(b.Free[path]), func(old sample) bool {
		return old.At.After(s.At) || s.At.Sub(old.At) > week+day // a clock that jumped, or too old
	})
	if n := len(kept); n == 0 || s.At.Sub(kept[n-1].At) >= day {
		kept = append(kept, s)
	}
	if len(b.Free) >= maxDisks && b.Free[path] == nil {
		clear(b.Free)
	}
	b.Free[path] = kept[max(0, len(kept)-mostSamples):]
}
