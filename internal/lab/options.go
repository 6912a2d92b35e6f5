package lab

// Options say what machine to make.
type Options struct {
	// Lower are the directories that make up the machine's tree, the one
	// that hides the others first: mostly one, from [Lab.Root], or "/" for
	// a copy of this very host. They are never written to.
	Lower []string
	// Mounts are file systems mounted below the last of Lower that the
	// machine shall have too, as absolute paths below it, parents first.
	Mounts []string
	// Hide are directories, as absolute paths in the machine, that it finds
	// empty, whatever Lower and Mounts have there.
	Hide []string
	// Disk is a directory on a disk for what the machine writes, deleted
	// on Close. Empty means memory.
	Disk string
	// Hostname is the machine's name; "lab" when empty.
	Hostname string
	// Hosts are names added to /etc/hosts, and their addresses.
	Hosts map[string]string
	// CA are certificates (PEM) that the machine shall trust.
	CA []byte
	// Binds are paths of this host and where the machine sees them, read
	// and write.
	Binds map[string]string
	// Cpufreq, if set, is what the machine sees as its frequency policies.
	Cpufreq *Cpufreq
	// PrivateNetwork gives the machine nothing but a loopback of its own.
	PrivateNetwork bool
	// Capabilities are kept by the machine beyond those that a container has,
	// such as CAP_NET_ADMIN, without which systemd makes no network namespaces.
	Capabilities []string
	// LegacyCgroups boots with the hierarchy of systemd before 248, where
	// /sys/fs/cgroup is no cgroup2.
	LegacyCgroups bool
	// Target is what the machine boots into, its default target when empty.
	Target string
	// Prepare, if set, changes the machine's tree before its first boot.
	// root is the tree's path as seen from outside.
	Prepare func(root string) error
}
