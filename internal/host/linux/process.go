package linux

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// userHZ is the number of clock ticks in a second of /proc, on every Linux machine.
const userHZ = 100

// errKernel says that a process is a thread of the kernel's own.
var errKernel = errors.New("a kernel thread")

// Processes returns the processes of the machine. Those that end meanwhile are
// left out.
func (m *Machine) Processes() ([]host.Process, error) {
	names, err := m.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("cannot list the processes: %w", err)
	}
	boot := m.bootTime()
	var all []host.Process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		p, err := m.process(pid, boot)
		if errors.Is(err, fs.ErrNotExist) || err == errKernel {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot list the processes: %w", err)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b host.Process) int { return cmp.Compare(a.PID, b.PID) })
	return all, nil
}

// process describes one process. The error wraps fs.ErrNotExist when it has
// ended, be it as a zombie.
func (m *Machine) process(pid int, boot time.Time) (host.Process, error) {
	p := host.Process{PID: pid}
	dir := "/proc/" + strconv.Itoa(pid)
	status, err := m.procFile(dir + "/status")
	if err != nil {
		return p, err
	}
	memory := false // of its own, as no kernel thread has
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); key {
		case "Name":
			p.Name = value
		case "State":
			if strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X") {
				return p, fs.ErrNotExist
			}
		case "PPid":
			p.PPID, _ = strconv.Atoi(value)
		case "Uid":
			p.UID = sameID(strings.Fields(value))
		case "VmSize":
			memory = true
		}
	}
	if !memory {
		return p, errKernel
	}
	p.Start, err = m.started(pid)
	p.Since = boot.Add(time.Duration(p.Start) * time.Second / userHZ)
	return p, err
}

// sameID is the user of a process whose real, effective, saved and file system
// IDs are one; else -1.
func sameID(ids []string) int {
	if len(slices.Compact(ids)) != 1 {
		return -1
	}
	uid, err := strconv.Atoi(ids[0])
	if err != nil {
		return -1
	}
	return uid
}

// started reads when a process started. Its name may hold anything, a closing
// bracket too, so the fields are counted from the last one (proc_pid_stat(5)).
func (m *Machine) started(pid int) (uint64, error) {
	data, err := m.procFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	const starttime = 19
	if len(fields) <= starttime {
		return 0, fmt.Errorf("cannot read /proc/%d/stat: it has %d fields after the name", pid, len(fields))
	}
	return strconv.ParseUint(fields[starttime], 10, 64)
}

// procFile reads a file of a process; one that has ended while it is read is not
// there.
func (m *Machine) procFile(path string) ([]byte, error) {
	data, err := os.ReadFile(m.at(path))
	if errors.Is(err, unix.ESRCH) {
		err = fs.ErrNotExist
	}
	return data, err
}

// bootTime is when the machine started, by its own clock; zero when it does not say.
func (m *Machine) bootTime() time.Time {
	data, _ := m.ReadFile("/proc/stat")
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "btime "); ok {
			if seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
				return time.Unix(seconds, 0)
			}
		}
	}
	return time.Time{}
}
