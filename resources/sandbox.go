package resources

import (
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/spec"
)

// A directive is a row of the sandbox: a line of [Service], and why it is there.
// All of them are known to systemd 249, the oldest that benchctl serves.
// systemd.exec(5) says what each one does; the reason here is about jobs.
type directive struct {
	name, value string
	why         string
	// unless lists the needs for whose sake the row is left out.
	unless []string
	// need is the one for whose sake the row is there at all; "" is everyone.
	need string
}

// sandbox is what a job may not do, in the order of the unit file. It leaves
// everything that a benchmark lives from: a JIT (so no MemoryDenyWriteExecute),
// CPU affinity and NUMA policy (CoreCLR does not even start without
// sched_setaffinity), batch scheduling, nice and ionice, /tmp, /dev/shm, pipes,
// ptys, TCP and netlink. The paths of the spec are in [launch.paths].
var sandbox = []directive{
	{name: "NoNewPrivileges", value: "yes", why: "no sudo, su or other setuid program", unless: containers},
	{name: "CapabilityBoundingSet", value: "", why: "no capability, whatever is run", unless: containers},
	{name: "AmbientCapabilities", value: "", why: "and none to begin with"},
	{name: "RestrictSUIDSGID", value: "yes", why: "no setuid file left behind for others", unless: containers},
	{name: "UMask", value: "0077", why: "what a job writes is the runner's alone"},

	{name: "ProtectSystem", value: "strict", why: "the host is read-only but for the paths below"},
	{name: "PrivateTmp", value: "yes", why: "a job's /tmp is writable and its own; a JVM attaches through it"},
	{name: "PrivateMounts", value: "yes", why: "no mount reaches the host"},
	{name: "PrivateDevices", value: "yes", why: "no disk, no /dev/cpu/*/msr, no /dev/mem", unless: containers},
	{name: "DevicePolicy", value: "closed", why: "nor one made with mknod", unless: containers},
	{name: "ProtectProc", value: "invisible", why: "a job sees its own processes", unless: containers},
	{name: "ProtectKernelTunables", value: "yes", why: "no job changes a knob behind benchctl's back", unless: containers},
	{name: "ProtectKernelModules", value: "yes", why: "no module is loaded on purpose"},
	{name: "ProtectKernelLogs", value: "yes", why: "no kernel log", unless: containers},
	{name: "ProtectControlGroups", value: "yes", why: "no job leaves the unit's limits", unless: containers},
	{name: "ProtectClock", value: "yes", why: "time is what is measured", unless: containers},
	{name: "ProtectHostname", value: "yes", why: "the runner is named after the host", unless: containers},
	{name: "PrivateIPC", value: "yes", why: "no shared memory of other services"},
	{name: "RemoveIPC", value: "yes", why: "and none left by a job"},
	{name: "KeyringMode", value: "private", why: "no key of other sessions"},
	{name: "PrivateUsers", value: "yes", why: "other users' ids mean nothing to a job", unless: containers},

	{name: "RestrictNamespaces", value: "yes", why: "user namespaces are where kernel exploits begin", unless: containers},
	{name: "RestrictAddressFamilies", value: "AF_INET AF_INET6 AF_UNIX AF_NETLINK", why: "no raw packets, no vsock", unless: containers},
	{name: "RestrictRealtime", value: "yes", why: "a real-time loop takes a CPU from everyone", unless: []string{spec.NeedRealtime}},
	{name: "LimitRTPRIO", value: "99", why: "chrt -f without a capability", need: spec.NeedRealtime},
	{name: "LockPersonality", value: "yes", why: "no odd execution domain", unless: []string{spec.NeedSetarch, spec.NeedContainers}},
	{name: "SystemCallArchitectures", value: "native", why: "no second, less tested set of system calls"},
	{name: "SystemCallErrorNumber", value: "EPERM", why: "an error that programs cope with; Node dies of a signal"},
	{name: "SystemCallFilter", value: "@system-service", why: "what services need, and nothing for the administrator", unless: containers},
	{name: "SystemCallFilter", value: "~@keyring io_uring_setup io_uring_enter io_uring_register userfaultfd", why: "not needed, and often attacked", unless: containers},
	{name: "SystemCallFilter", value: "perf_event_open", why: "perf stat and JMH's profilers", need: spec.NeedPerf, unless: containers},
	{name: "SystemCallFilter", value: "ptrace pidfd_getfd", why: "gdb and strace", need: spec.NeedPtrace, unless: containers},

	{name: "Delegate", value: "yes", why: "a container engine makes control groups of its own", need: spec.NeedContainers},
}

// containers is the need that takes most of the sandbox away: rootless podman
// makes user namespaces and mounts and calls setuid helpers; a Docker group is
// root by another name.
var containers = []string{spec.NeedContainers}

// hidden is what no job gets to see: benchctl's spec, state and credentials,
// and every socket over which something privileged takes orders. Each may be
// missing, hence the dash.
var hidden = []string{
	"-/etc/benchctl", "-/var/lib/benchctl",
	"-/run/dbus/system_bus_socket", "-/run/systemd/private",
}

// engines are the sockets of container engines.
var engines = []string{"-/run/docker.sock", "-/run/containerd", "-/run/podman", "-/run/crio"}

// applies reports whether the row is in force with these needs.
func (d directive) applies(needs []string) bool {
	if d.need != "" && !slices.Contains(needs, d.need) {
		return false
	}
	return !slices.ContainsFunc(d.unless, func(n string) bool { return slices.Contains(needs, n) })
}

// sandboxLines are the rows in force, and the paths of this spec.
func (l launch) sandboxLines(perfLog string) []string {
	var lines []string
	for _, d := range sandbox {
		if d.applies(l.spec.Service.Needs) {
			lines = append(lines, d.name+"="+d.value)
		}
	}
	return append(lines, l.pathLines(perfLog)...)
}

// pathLines say where a job may write and what it does not see.
func (l launch) pathLines(perfLog string) []string {
	s := l.spec
	writable := []string{s.User.Home, s.InstallDir, s.WorkDir()}
	out := slices.Clone(hidden)
	if !slices.Contains(s.Service.Needs, spec.NeedContainers) {
		out = append(out, engines...)
	}
	lines := []string{
		// The dash, since ExecStartPre= makes the perf log, and systemd wants
		// the paths of the unit to be there for that process too.
		"ReadWritePaths=" + unitWords(append(outermost(writable), "-"+perfLog)),
		"InaccessiblePaths=" + unitWords(out),
	}
	if !s.Runner.AutoUpdate {
		lines = append(lines, "ReadOnlyPaths="+unitWords([]string{"-" + s.InstallDir + "/bin", "-" + s.InstallDir + "/externals"}))
	}
	homes := slices.DeleteFunc(outermost(writable), func(p string) bool { return !strings.HasPrefix(p, "/home/") })
	if len(homes) == 0 {
		return append(lines, "ProtectHome=yes")
	}
	// The runner lives among people: it sees its own directory there alone.
	return append(lines, "ProtectHome=tmpfs", "BindPaths="+unitWords(homes))
}

// outermost drops every path that lies below another one.
func outermost(paths []string) []string {
	var out []string
	for i, p := range paths {
		below := slices.ContainsFunc(paths, func(q string) bool { return strings.HasPrefix(p, q+"/") })
		if !below && !slices.Contains(paths[:i], p) {
			out = append(out, p)
		}
	}
	return out
}
