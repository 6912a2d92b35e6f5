package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// controlGroup is the directory of the unit's control group. The gate's own
// group is the unit's or, where jobs may make groups, one below it.
func (g Gate) controlGroup(unit string) (string, error) {
	text, err := g.Host.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		// 0::/system.slice/NAME.service, and with the older hierarchy
		// 1:name=systemd:/system.slice/NAME.service
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 || parts[1] != "" && parts[1] != "name=systemd" {
			continue
		}
		before, _, found := strings.Cut(parts[2]+"/", "/"+unit+"/")
		if !found {
			continue
		}
		for _, root := range []string{"", "/systemd", "/unified"} {
			dir := "/sys/fs/cgroup" + root + before + "/" + unit
			if _, err := g.Host.Lstat(dir); err == nil {
				return dir, nil
			}
		}
		return "", fmt.Errorf("there is no control group of %s below /sys/fs/cgroup: %w", unit, fs.ErrNotExist)
	}
	return "", fmt.Errorf("this is no process of %s", unit)
}

// members are the processes of a control group and of those below it.
func (g Gate) members(dir string) ([]int, error) {
	text, err := g.Host.ReadFile(dir + "/cgroup.procs")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, word := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	names, err := g.Host.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if info, err := g.Host.Lstat(dir + "/" + name); err == nil && info.IsDir() {
			below, err := g.members(dir + "/" + name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			pids = append(pids, below...)
		}
	}
	return pids, nil
}
