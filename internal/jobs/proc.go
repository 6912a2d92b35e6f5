package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// proc is a directory such as /proc.
type proc string

// A process is one that was seen. The PID alone may have gone to another since;
// with the start time it names exactly one process of a boot.
type process struct {
	PID   int
	Start uint64 // clock ticks from boot to its start
	State byte   // R, S, D, T, Z, ... as in proc(5)
}

// ticks is the number of clock ticks in a second, on every Linux machine
// (USER_HZ).
const ticks = 100

func (p proc) path(pid int, name string) string {
	return string(p) + "/" + strconv.Itoa(pid) + "/" + name
}

// named lists the processes whose main thread has one of the names. It reads
// one small file for each process of the host, which is all it costs.
func (p proc) named(names ...string) (map[string][]int, error) {
	dir, err := os.Open(string(p))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]int)
	at := int(dir.Fd())
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry); err == nil {
			if name := commOf(at, entry, names); name != "" {
				found[name] = append(found[name], pid)
			}
		}
	}
	return found, nil
}

// commOf returns the one of the names by which the kernel calls a process, ""
// when it is none of them, or gone. It goes past package os because it is
// called for each process of the host.
func commOf(dir int, pid string, names []string) string {
	fd, err := unix.Openat(dir, pid+"/comm", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var buf [32]byte
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return ""
	}
	comm := bytes.TrimSuffix(buf[:n], []byte("\n"))
	for _, name := range names {
		if string(comm) == name {
			return name
		}
	}
	return ""
}

// process returns what a PID stands for now. The error wraps fs.ErrNotExist
// when it stands for nothing, or for a zombie.
func (p proc) process(pid int) (process, error) {
	s, err := p.stat(p.path(pid, "stat"))
	if err != nil {
		return process{}, err
	}
	s.PID = pid
	if s.State == 'Z' || s.State == 'X' {
		return process{}, fmt.Errorf("process %d has ended: %w", pid, fs.ErrNotExist)
	}
	return s, nil
}

// stat reads /proc/PID/stat. The name in it may hold anything, a closing
// bracket too, so the fields are counted from the last one.
func (p proc) stat(file string) (process, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, unix.ESRCH) {
		err = fmt.Errorf("%s: %w", file, fs.ErrNotExist)
	}
	if err != nil {
		return process{}, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return process{}, fmt.Errorf("cannot read %s: it has %d fields after the name", file, len(fields))
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return process{}, fmt.Errorf("cannot read %s: %w", file, err)
	}
	return process{State: fields[0][0], Start: start}, nil
}

// since is when a process started, by the clock of now.
func (p proc) since(s process) time.Time {
	data, err := os.ReadFile(path.Join(string(p), "uptime"))
	if err != nil {
		return time.Time{}
	}
	first, _, _ := strings.Cut(string(data), " ")
	up, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return time.Time{}
	}
	age := up - float64(s.Start)/ticks
	return time.Now().Add(-time.Duration(age * float64(time.Second)))
}

// still reports whether each thread of a process is stopped or has ended.
func (p proc) still(pid int) (bool, error) {
	tasks := p.path(pid, "task")
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		s, err := p.stat(path.Join(tasks, entry.Name(), "stat"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if !strings.ContainsRune("TtZX", rune(s.State)) {
			return false, nil
		}
	}
	return true, nil
}

// field returns a value of /proc/PID/status, "" when there is none.
func (p proc) field(pid int, name string) string {
	data, _ := os.ReadFile(p.path(pid, "status"))
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// pending reports whether one of the signals waits for a stopped process.
func (p proc) pending(pid int, signals ...unix.Signal) bool {
	var waiting uint64
	for _, name := range []string{"SigPnd", "ShdPnd"} {
		set, _ := strconv.ParseUint(p.field(pid, name), 16, 64)
		waiting |= set
	}
	return slices.ContainsFunc(signals, func(s unix.Signal) bool {
		return waiting&(1<<(s-1)) != 0
	})
}

// family lists a process and all that descend from it, parents first. Where
// the kernel does not tell children, it is the process alone.
func (p proc) family(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		lists, _ := fs.Glob(os.DirFS(string(p)), fmt.Sprintf("%d/task/*/children", all[i]))
		for _, list := range lists {
			data, _ := os.ReadFile(path.Join(string(p), list))
			for _, word := range strings.Fields(string(data)) {
				if child, err := strconv.Atoi(word); err == nil && !slices.Contains(all, child) {
					all = append(all, child)
				}
			}
		}
	}
	return all
}
