package resources

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// allowedCPUs is where a process may run, as proc(5) writes it: 2-5,8.
func allowedCPUs(r host.Reader, pid int) (string, error) {
	status, err := r.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "", fmt.Errorf("cannot see the runner's CPUs: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return strings.TrimSpace(list), nil
		}
	}
	return "", fmt.Errorf("cannot see the runner's CPUs: /proc/%d/status has no Cpus_allowed_list", pid)
}

// sameCPUs compares CPU lists by what they mean: 0,1,2 is 0-2.
func sameCPUs(a, b string) bool {
	x, err1 := spec.ParseCPUs(a)
	y, err2 := spec.ParseCPUs(b)
	return err1 == nil && err2 == nil && x.Equal(y)
}

// environ is what a process was started with. It is the jobs' to forge, which
// gains them a restart or the lack of one.
func environ(r host.Reader, pid int) (map[string]string, error) {
	text, err := r.ReadBelow(fmt.Sprintf("/proc/%d", pid), "environ")
	if err != nil {
		return nil, err
	}
	return variables(strings.ReplaceAll(string(text), "\x00", "\n")), nil
}

// connected reports whether a Listener below pid has an established TCP
// connection. Whatever cannot be read is no connection.
func connected(r host.Reader, pid int) bool {
	return slices.ContainsFunc(listeners(r, pid), func(p int) bool { return established(r, p) })
}

// listeners are the Listeners that descend from a process.
func listeners(r host.Reader, pid int) []int {
	return slices.DeleteFunc(family(r, pid), func(p int) bool {
		comm, err := r.ReadFile(fmt.Sprintf("/proc/%d/comm", p))
		return err != nil || strings.TrimSpace(string(comm)) != "Runner.Listener"
	})
}

// family is a process with all its descendants.
func family(r host.Reader, pid int) []int {
	all := []int{pid}
	seen := map[int]bool{pid: true}
	for i := 0; i < len(all); i++ {
		lists, _ := r.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i])) // the pattern is well-formed
		for _, list := range lists {
			text, _ := r.ReadFile(list)
			for _, word := range strings.Fields(string(text)) {
				if child, err := strconv.Atoi(word); err == nil && !seen[child] {
					seen[child] = true
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// established looks the process's sockets up in its own network's tables, whose
// fourth column is the state (01 is established) and whose tenth is the inode.
func established(r host.Reader, pid int) bool {
	sockets := map[string]bool{}
	fds, _ := r.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	for _, fd := range fds {
		target, _ := r.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd))
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			sockets[strings.TrimSuffix(inode, "]")] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		text, _ := r.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		for line := range strings.Lines(string(text)) {
			columns := strings.Fields(line)
			if len(columns) > 9 && columns[3] == "01" && sockets[columns[9]] {
				return true
			}
		}
	}
	return false
}
