package resources

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
)

// aptTotals are the two lines in which apt-get sums up what it is about to do,
// and the one that says that an earlier run of it is waited for.
var aptTotals = regexp.MustCompile(`^([0-9]+ upgraded, .*|Need to get .*|waiting for ` + regexp.QuoteMeta(aptUnit) + `.*)$`)

// aptPhases are how the lines of each phase begin, what to call it, and which
// word of such a line is the package.
var aptPhases = []struct {
	begins, phase string
	pkg           int
}{
	{"Get:", "fetching packages", 4},
	{"Unpacking ", "unpacking packages", 1},
	{"Setting up ", "setting packages up", 2},
}

// aptProgress hands on what apt-get and dpkg say that a person waits for: the
// totals, once each the phase they are in, and how far that is when nothing
// else was said for a while.
type aptProgress struct {
	mu      sync.Mutex
	say     func(string) // nil once closed
	pace    time.Duration
	silence *time.Timer // since something was said
	told    map[string]bool
	phase   string
	count   int    // of this phase's lines
	current string // package
}

// newAptProgress speaks up each time that nothing was said for so long, until
// it is closed.
func newAptProgress(say func(string), pace time.Duration) *aptProgress {
	p := &aptProgress{say: say, pace: pace, told: map[string]bool{}}
	p.silence = time.AfterFunc(pace, p.beat)
	return p
}

func (p *aptProgress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silence.Stop()
	p.say = nil
}

// line hears what apt-get says.
func (p *aptProgress) line(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if aptTotals.MatchString(line) {
		p.tell(line)
		return
	}
	for _, a := range aptPhases {
		if !strings.HasPrefix(line, a.begins) {
			continue
		}
		if p.phase != a.phase {
			p.phase, p.count = a.phase, 0
		}
		p.count++
		if words := strings.Fields(line); len(words) > a.pkg {
			p.current = words[a.pkg]
		}
		if !p.told[a.phase] {
			p.told[a.phase] = true
			p.tell(a.phase)
		}
	}
}

func (p *aptProgress) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase == "" {
		p.tell("still at work")
		return
	}
	p.tell(fmt.Sprintf("still %s: %s is number %d", p.phase, p.current, p.count))
}

func (p *aptProgress) tell(line string) {
	if p.say != nil {
		p.silence.Reset(p.pace)
		p.say(line)
	}
}
