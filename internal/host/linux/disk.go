package linux

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Disk describes the file system that holds path, or would hold it: the
// nearest parent that exists decides. How it is mounted is asked of process 1,
// whose mounts are those of the machine: to a service in a sandbox, all of its
// own look read-only.
func (m *Machine) Disk(path string) (host.Disk, error) {
	at := m.at(path)
	var st unix.Statfs_t
	err := unix.Statfs(at, &st)
	for err == unix.ENOENT && at != "/" {
		at = filepath.Dir(at)
		err = unix.Statfs(at, &st)
	}
	if err != nil {
		return host.Disk{}, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	d := host.Disk{
		Mount:      "/",
		Free:       st.Bavail * uint64(st.Bsize),
		FreeInodes: st.Ffree,
		Inodes:     st.Files,
		NoExec:     st.Flags&unix.ST_NOEXEC != 0,
		ReadOnly:   st.Flags&unix.ST_RDONLY != 0,
	}
	if real, err := filepath.EvalSymlinks(at); err == nil {
		at = real
	}
	if mount, ok := m.mountOf(filepath.Join("/", strings.TrimPrefix(at, m.rooted()))); ok {
		d.Mount, d.NoExec, d.ReadOnly = mount.path, mount.has("noexec"), mount.has("ro")
	}
	return d, nil
}

// A mount is a line of mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	path    string
	options []string // of the mount and of the file system
}

func (m mount) has(option string) bool { return slices.Contains(m.options, option) }

// mountOf finds the mount that holds a path without links: the deepest one, and
// of several at one place the last, which hides the others.
func (m *Machine) mountOf(path string) (found mount, ok bool) {
	text, err := m.ReadFile("/proc/1/mountinfo")
	if err != nil {
		text, _ = m.ReadFile("/proc/self/mountinfo") // process 1 is hidden from us
	}
	for line := range bytes.Lines(text) {
		mount, isMount := parseMount(string(line))
		if isMount && within(path, mount.path) && len(mount.path) >= len(found.path) {
			found, ok = mount, true
		}
	}
	return found, ok
}

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// parseMount reads "36 35 98:0 /root /point rw,noatime optional... - type source rw".
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	fields, rest := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < 6 || len(rest) < 3 {
		return mount{}, false
	}
	options := append(strings.Split(fields[5], ","), strings.Split(rest[2], ",")...)
	return mount{unescapeMount.Replace(fields[4]), options}, true
}

// unescapeMount undoes how the kernel writes blanks in a path.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
