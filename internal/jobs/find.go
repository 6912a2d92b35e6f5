package jobs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// find returns the processes of this runner: its Listeners and its Workers, in
// whatever unit they live. An error is a /proc that cannot be read.
func (k *Keeper) find() (listeners, workers []process, err error) {
	found, err := k.proc.named(listenerName, workerName)
	if err != nil {
		return nil, nil, err
	}
	listeners = slices.DeleteFunc(k.mine(found[listenerName]), k.configures)
	return listeners, k.mine(found[workerName]), nil
}

// configures reports whether a Listener does config.sh's work, which takes no
// job. Left behind by a benchctl that was killed, it may still be at it.
func (k *Keeper) configures(listener process) bool {
	line, _ := os.ReadFile(k.proc.path(listener.PID, "cmdline"))
	_, args, _ := strings.Cut(string(line), "\x00")
	command, _, _ := strings.Cut(args, "\x00")
	return command == "configure" || command == "remove"
}

func (k *Keeper) mine(pids []int) []process {
	var mine []process
	for _, pid := range pids {
		s, err := k.proc.process(pid)
		if err == nil && k.owns(pid) {
			mine = append(mine, s)
		}
	}
	return mine
}

// owns decides whether a process with the name of one of the runner's programs
// belongs to this runner or to another one of the host.
//
// In a container it is another machine's. Else what it executes decides, because the kernel says so and the process cannot
// change it; the link is the file's real path, in bin.VERSION. A process in the
// unit's control group is the runner's even if its files were moved. Only if
// the kernel will not tell, it is the runner's when in doubt: if the account is
// the runner's, or its command line or directory names the runner's.
func (k *Keeper) owns(pid int) bool {
	if k.elsewhere(pid) {
		return false
	}
	exe, err := os.Readlink(k.proc.path(pid, "exe"))
	if err == nil && k.below(exe) {
		return true
	}
	if k.inUnit(pid) {
		return true
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	uid, _, _ := strings.Cut(k.proc.field(pid, "Uid"), "\t")
	if uid == "" || uid == strconv.Itoa(k.runner.UID) {
		return true
	}
	line, _ := os.ReadFile(k.proc.path(pid, "cmdline"))
	argv0, _, _ := strings.Cut(string(line), "\x00")
	cwd, _ := os.Readlink(k.proc.path(pid, "cwd"))
	return k.below(argv0) || k.below(cwd)
}

// below reports whether a path lies in the runner's directory.
func (k *Keeper) below(name string) bool {
	for _, dir := range []string{k.runner.Dir, k.realDir()} {
		if strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}

// realDir is the runner's directory as the kernel would name it.
func (k *Keeper) realDir() string {
	if real, err := filepath.EvalSymlinks(k.runner.Dir); err == nil {
		return real
	}
	return filepath.Clean(k.runner.Dir)
}

// inUnit reports whether a process lives in the control group of the unit, by
// the rules of either version of control groups.
func (k *Keeper) inUnit(pid int) bool {
	groups, _ := os.ReadFile(k.proc.path(pid, "cgroup"))
	for line := range strings.Lines(string(groups)) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
			if part == k.runner.Unit && part != "" {
				return true
			}
		}
	}
	return false
}
