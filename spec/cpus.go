package spec

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// maxCPUs is the most CPUs that a Linux kernel can be built for on x86_64
// (NR_CPUS, with MAXSMP).
const maxCPUs = 8192

// A CPUSet is a set of CPUs by number. The zero value is empty.
type CPUSet struct {
	cpus []int // sorted, each once
}

// ParseCPUs reads a CPU list as the kernel writes it (2-5,8); spaces around
// the parts, and between them in place of commas, are fine, as in systemd's
// lists. "" is the empty set.
func ParseCPUs(list string) (CPUSet, error) {
	var set CPUSet
	for _, part := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := cpuNumber(from)
		last, err2 := cpuNumber(to)
		switch {
		case err1 != nil || err2 != nil:
			return CPUSet{}, fmt.Errorf("%s is neither a CPU below %d nor a range of them", quote(part), maxCPUs)
		case first > last:
			return CPUSet{}, fmt.Errorf("the range %s runs backwards", quote(part))
		}
		for cpu := first; cpu <= last; cpu++ {
			set.cpus = append(set.cpus, cpu)
		}
		if len(set.cpus) > maxCPUs {
			set.tidy() // a list that repeats itself must not grow without end
		}
	}
	set.tidy()
	return set, nil
}

func cpuNumber(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n >= maxCPUs {
		return 0, fmt.Errorf("%q is not a CPU", s)
	}
	return int(n), nil
}

func (s *CPUSet) tidy() {
	slices.Sort(s.cpus)
	s.cpus = slices.Compact(s.cpus)
}

// String is the set as the kernel writes it: 2-5,8.
func (s CPUSet) String() string {
	var b strings.Builder
	for i := 0; i < len(s.cpus); {
		j := i
		for j+1 < len(s.cpus) && s.cpus[j+1] == s.cpus[j]+1 {
			j++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(s.cpus[i]))
		if j > i {
			b.WriteString("-" + strconv.Itoa(s.cpus[j]))
		}
		i = j + 1
	}
	return b.String()
}

// Len is how many CPUs are in the set.
func (s CPUSet) Len() int { return len(s.cpus) }

// Has tells whether a CPU is in the set.
func (s CPUSet) Has(cpu int) bool {
	_, ok := slices.BinarySearch(s.cpus, cpu)
	return ok
}

// All are the CPUs of the set in ascending order.
func (s CPUSet) All() iter.Seq[int] { return slices.Values(s.cpus) }

// Equal tells whether two sets hold the same CPUs.
func (s CPUSet) Equal(t CPUSet) bool { return slices.Equal(s.cpus, t.cpus) }
