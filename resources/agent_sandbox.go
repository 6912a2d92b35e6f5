package resources

import (
	"path"

	"github.com/SKaiNET-developers/benchctl/spec"
)

// agentSandbox is what the agent may not do. It looks as root: at files and
// processes of the runner's user, which takes the two capabilities, and over
// D-Bus, where root may start the unit that applies. It can change nothing but
// benchctl's own notes, and reaches no network.
//
// Left out on purpose: ProtectProc= and ProcSubset=, since a look needs to see
// all processes and /proc/sys; PrivateUsers=, which would make every file look
// like nobody's; ProtectHostname=, since the host's name has to be the one of
// today. All rows are known to systemd 249.
var agentSandbox = append([]directive{
	{name: "CapabilityBoundingSet", value: "CAP_DAC_READ_SEARCH CAP_SYS_PTRACE", why: "to see what the runner's user keeps to itself"},
	{name: "ProtectHome", value: "read-only", why: "the runner may live there"},
	{name: "PrivateNetwork", value: "yes", why: "nothing comes in, and out it goes by the relay"},
	{name: "IPAddressDeny", value: "any", why: "nor by a network that somebody hands over"},
	{name: "RestrictAddressFamilies", value: "AF_UNIX", why: "D-Bus, the journal, systemd and the relay"},
}, sandboxOfOurs...)

// relaySandbox is what the relay may not do. It has a network and no right on
// the host: it is nobody in particular and sees no process but its own.
var relaySandbox = append([]directive{
	{name: "DynamicUser", value: "yes", why: "a user that owns nothing"},
	{name: "CapabilityBoundingSet", value: "", why: "no capability"},
	{name: "ProtectHome", value: "yes", why: "it needs no file of anyone's"},
	{name: "InaccessiblePaths", value: "-/etc/benchctl -/var/lib/benchctl -/run/dbus/system_bus_socket -/run/systemd/private", why: "nor of benchctl's, nor to give orders"},
	{name: "ProtectProc", value: "invisible", why: "other processes are none of its business"},
	{name: "ProcSubset", value: "pid", why: "nor are knobs"},
	{name: "PrivateUsers", value: "yes", why: "nor other users"},
	{name: "ProtectHostname", value: "yes", why: "nor the host's name"},
	{name: "RestrictAddressFamilies", value: "AF_UNIX AF_INET AF_INET6", why: "TCP, and name servers"},
}, sandboxOfOurs...)

// sandboxOfOurs is what neither the agent nor the relay ever needs.
var sandboxOfOurs = []directive{
	{name: "NoNewPrivileges", value: "yes", why: "what it starts can do no more than it"},
	{name: "AmbientCapabilities", value: "", why: "and gets nothing to begin with"},
	{name: "RestrictSUIDSGID", value: "yes", why: "no setuid file"},
	{name: "UMask", value: "0077", why: "notes are root's, unless they are made for others"},
	{name: "ProtectSystem", value: "strict", why: "the host is read-only but for benchctl's own directories"},
	{name: "PrivateTmp", value: "yes", why: "no file of others in /tmp is met"},
	{name: "PrivateMounts", value: "yes", why: "no mount reaches the host"},
	{name: "PrivateDevices", value: "yes", why: "no disk, no /dev/cpu/*/msr"},
	{name: "DevicePolicy", value: "closed", why: "nor one made with mknod"},
	{name: "ProtectKernelTunables", value: "yes", why: "knobs are looked at here, and set elsewhere"},
	{name: "ProtectKernelModules", value: "yes", why: "no module"},
	{name: "ProtectKernelLogs", value: "yes", why: "no kernel log"},
	{name: "ProtectControlGroups", value: "yes", why: "no limit of others is moved"},
	{name: "ProtectClock", value: "yes", why: "time is what is measured"},
	{name: "PrivateIPC", value: "yes", why: "no shared memory of others"},
	{name: "KeyringMode", value: "private", why: "no key of other sessions"},
	{name: "RestrictNamespaces", value: "yes", why: "user namespaces are where kernel exploits begin"},
	{name: "RestrictRealtime", value: "yes", why: "whoever keeps numbers clean takes no CPU from jobs"},
	{name: "LockPersonality", value: "yes", why: "no odd execution domain"},
	{name: "MemoryDenyWriteExecute", value: "yes", why: "no code that was not in a file"},
	{name: "SystemCallArchitectures", value: "native", why: "no second, less tested set of system calls"},
	{name: "SystemCallErrorNumber", value: "EPERM", why: "an error that can be reported"},
	{name: "SystemCallFilter", value: "@system-service", why: "what services need, and nothing for the administrator"},
	{name: "SystemCallFilter", value: "~@privileged @resources @keyring io_uring_setup io_uring_enter io_uring_register userfaultfd", why: "not needed, and often attacked"},
}

// metricsLines let the agent write its metrics where the spec wants them. The
// directory is often the exporter's own, hence the capability.
func metricsLines(s *spec.Spec) []string {
	dir := path.Dir(s.Metrics)
	if s.Metrics == "" || dir == "/run/benchctl" || dir == "/var/lib/benchctl" {
		return nil
	}
	return []string{"ReadWritePaths=-" + unitText(dir), "CapabilityBoundingSet=CAP_DAC_OVERRIDE"}
}

func rowLines(rows []directive) []string {
	var lines []string
	for _, d := range rows {
		lines = append(lines, d.name+"="+d.value)
	}
	return lines
}
