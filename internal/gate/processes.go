package gate

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
)

// workerName is what the kernel calls the process that runs a job.
const workerName = "Runner.Worker"

// leftovers are processes of earlier jobs. No job can leave the control group of
// the runner's service, so whatever lives there is the runner itself, this job,
// or was left behind.
func (g Gate) leftovers(want *expect.Expected) []Finding {
	f, err := g.family(want.Runner.Unit)
	if err != nil {
		return []Finding{cannotSee(err)}
	}
	var left []string
	for _, p := range f.strangers() {
		left = append(left, g.introduce(p))
	}
	if left != nil {
		return []Finding{differs("left by earlier jobs: %s", enumerate(left))}
	}
	return []Finding{inStep("none left by earlier jobs")}
}

// survivors are processes that will outlive the job which now ends: they run
// beside its last hook and have cast off the mark by which the runner ends what
// a job leaves.
func (g Gate) survivors(want *expect.Expected) []Finding {
	f, err := g.family(want.Runner.Unit)
	if err != nil {
		return []Finding{noted("cannot be seen: %s", plain(err.Error()))}
	}
	var left []string
	for _, p := range f.strangers() {
		if g.environ(p.pid)["RUNNER_TRACKING_ID"] == "" {
			left = append(left, g.introduce(p))
		}
	}
	if left != nil {
		return []Finding{noted("will outlive the job: %s", enumerate(left))}
	}
	return nil
}

// A process is one of the runner's control group.
type process struct {
	pid, parent int
	name        string // as the kernel calls it; a job may choose it
}

// A family is the runner's control group as seen from the gate.
type family struct {
	all    map[int]process
	self   int
	worker int // that runs this job
}

// strangers are those that are neither above the gate nor below the job's worker.
func (f family) strangers() []process {
	ours := f.above(f.self)
	var found []process
	for _, p := range f.all {
		if !slices.Contains(ours, p.pid) && !slices.Contains(f.above(p.pid), f.worker) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b process) int { return a.pid - b.pid })
	return found
}

// above is a process, and those that it descends from.
func (f family) above(pid int) []int {
	var line []int
	for p, here := f.all[pid]; here && !slices.Contains(line, p.pid); p, here = f.all[p.parent] {
		line = append(line, p.pid)
	}
	return line
}

// family reads the control group that the gate runs in, which has to be that of
// the runner's unit.
func (g Gate) family(unit string) (family, error) {
	dir, err := g.controlGroup(unit)
	if err != nil {
		return family{}, err
	}
	self, err := g.process("self")
	if err != nil {
		return family{}, err
	}
	pids, err := g.members(dir)
	if err != nil {
		return family{}, err
	}
	f := family{all: map[int]process{self.pid: self}, self: self.pid}
	var hidden []int
	for _, pid := range pids {
		p, err := g.process(strconv.Itoa(pid))
		if err != nil {
			hidden = append(hidden, pid) // or ended since
			continue
		}
		f.all[pid] = p
	}
	for _, pid := range g.still(dir, hidden) {
		f.all[pid] = process{pid: pid, name: "a process that hides"}
	}
	for _, pid := range f.above(self.pid) {
		if f.all[pid].name == workerName {
			f.worker = pid
			return f, nil
		}
	}
	return family{}, fmt.Errorf("no %s started this gate", workerName)
}

// still are the members that are there, but not to be read: a process can forbid
// that (prctl(2), PR_SET_DUMPABLE).
func (g Gate) still(dir string, pids []int) []int {
	if pids == nil {
		return nil
	}
	now, _ := g.members(dir)
	return slices.DeleteFunc(pids, func(pid int) bool { return !slices.Contains(now, pid) })
}

// process reads /proc/PID/stat. The name in it may hold anything, a closing
// bracket too, so what follows is counted from the last one.
func (g Gate) process(pid string) (process, error) {
	text, err := g.Host.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return process{}, err
	}
	number, rest, _ := strings.Cut(string(text), " (")
	end := strings.LastIndex(rest, ") ")
	if end < 0 {
		return process{}, fmt.Errorf("/proc/%s/stat is not as proc(5) has it", pid)
	}
	p := process{name: rest[:end]}
	_, err1 := fmt.Sscanf(rest[end+2:], "%s %d", new(string), &p.parent)
	p.pid, err = strconv.Atoi(number)
	if err = errors.Join(err, err1); err != nil {
		return process{}, fmt.Errorf("/proc/%s/stat is not as proc(5) has it: %w", pid, err)
	}
	return p, nil
}

// introduce names a process for people, with the run that started it, if it
// still says so.
func (g Gate) introduce(p process) string {
	who := plain(p.name)
	line, _ := g.Host.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
	if args := strings.Split(string(line), "\x00"); args[0] != "" {
		who = plain(path.Base(args[0]))
	}
	if run := g.environ(p.pid)["GITHUB_RUN_ID"]; run != "" {
		return fmt.Sprintf("%s (pid %d, of run %s)", who, p.pid, plain(run))
	}
	return fmt.Sprintf("%s (pid %d)", who, p.pid)
}

// environ is what a process was started with, as far as it lets us see.
func (g Gate) environ(pid int) map[string]string {
	text, _ := g.Host.ReadBelow(fmt.Sprintf("/proc/%d", pid), "environ")
	vars := map[string]string{}
	for entry := range bytes.SplitSeq(text, []byte{0}) {
		if name, value, ok := strings.Cut(string(entry), "="); ok {
			vars[name] = value
		}
	}
	return vars
}
