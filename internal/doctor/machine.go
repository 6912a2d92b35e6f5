package doctor

import (
	"context"
	"debug/elf"
	"io"
	"strconv"
	"strings"
)

const (
	gib         = 1 << 30
	leastFree   = 20 * gib // for the runner, its tools and a few checkouts
	leastInodes = 200_000  // a runner has about 9,000 files, a checkout with its caches many more
	leastUnit   = 249      // systemd's version
)

// oldest is the first release of each distribution that benchctl serves.
var oldest = map[string]float64{"debian": 12, "ubuntu": 22.04}

// machine looks at what everything else stands on.
func (d *Doctor) machine(context.Context) []Check {
	g := &group{name: "machine"}
	d.processor(g)
	d.release(g)
	d.systemd(g)
	if d.Root {
		g.ok("root", "you are root")
	} else {
		g.add(Warning, "root", "run it with sudo", "you are not root: some checks below cannot see everything")
	}
	d.disk(g)
	d.clock(g)
	d.virtual(g)
	d.selinux(g)
	return g.checks
}

// processor asks the kernel's own init, which is what this machine executes.
func (d *Doctor) processor(g *group) {
	f, err := d.Host.Open("/proc/self/exe")
	if err != nil {
		g.add(Unknown, "processor", "", "cannot tell for which processor this machine runs programs: %v", err)
		return
	}
	defer f.Close()
	at, seekable := f.(io.ReaderAt)
	if !seekable {
		g.add(Unknown, "processor", "", "cannot tell for which processor this machine runs programs")
		return
	}
	file, err := elf.NewFile(at)
	if err != nil || file.Machine != elf.EM_X86_64 {
		g.add(Error, "processor", "use an x86_64 machine", "the runner that benchctl installs is for Linux x86_64, and this is another machine")
		return
	}
	g.ok("processor", "Linux x86_64")
}

func (d *Doctor) release(g *group) {
	text := d.text("/etc/os-release")
	if text == "" {
		text = d.text("/usr/lib/os-release")
	}
	said := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		said[key] = strings.Trim(value, `"'`)
	}
	name := said["PRETTY_NAME"]
	least, known := oldest[said["ID"]]
	version, err := strconv.ParseFloat(said["VERSION_ID"], 64)
	switch {
	case text == "":
		g.add(Unknown, "release", "", "no os-release file says what this machine runs")
	case !known:
		g.add(Warning, "release", "use Debian 12 or newer, or Ubuntu 22.04 or newer", "%s is not a release that benchctl is tested on", name)
	case err != nil:
		g.add(Warning, "release", "", "%s says no version, so it may be newer than what benchctl is tested on", name)
	case version < least:
		g.add(Error, "release", "upgrade the machine", "%s is too old: the first that benchctl serves is %g", name, least)
	default:
		g.ok("release", "%s", name)
	}
}

func (d *Doctor) systemd(g *group) {
	switch {
	case d.Systemd == 0:
		g.add(Error, "systemd", "boot the machine with systemd as its init", "systemd does not run this machine, or does not answer")
	case d.Systemd < leastUnit:
		g.add(Error, "systemd", "upgrade the machine", "systemd %d is too old: %d is the first that can hold the runner's sandbox", d.Systemd, leastUnit)
	default:
		g.ok("systemd", "version %d", d.Systemd)
	}
}

// disk looks at the file system that will hold the runner.
func (d *Doctor) disk(g *group) {
	at := d.Spec.InstallDir
	disk, err := d.Host.Disk(at)
	if err != nil {
		g.add(Unknown, "disk", "", "cannot look at the file system of %s: %v", at, err)
		return
	}
	free := float64(disk.Free) / gib
	switch {
	case disk.ReadOnly:
		g.add(Error, "disk", "mount it writable", "%s, which would hold %s, is mounted read-only", disk.Mount, at)
	case disk.NoExec:
		g.add(Error, "disk", "remount it with exec, or choose another installDir", "%s, which would hold %s, is mounted noexec: the runner could not start", disk.Mount, at)
	case disk.Free < leastFree:
		g.add(Error, "disk", "free some, or choose another installDir", "%.1f GiB are free in %s, which would hold %s; 20 GiB are wanted", free, disk.Mount, at)
	case disk.Inodes > 0 && disk.FreeInodes < leastInodes:
		g.add(Warning, "disk", "remove many small files", "%d inodes are free in %s; %d are wanted", disk.FreeInodes, disk.Mount, leastInodes)
	default:
		g.ok("disk", "%.0f GiB free in %s, %d inodes", free, disk.Mount, disk.FreeInodes)
	}
}

// clock asks whether somebody keeps it; how wrong it is shows with the network.
func (d *Doctor) clock(g *group) {
	if _, err := d.Host.Lstat("/run/systemd/timesync/synchronized"); err == nil {
		g.ok("time", "systemd-timesyncd keeps the clock")
		return
	}
	for _, name := range []string{"chronyd.service", "chrony.service", "ntpd.service", "ntpsec.service", "openntpd.service", "systemd-timesyncd.service"} {
		if u, err := d.Host.Unit(context.Background(), name); err == nil && u.ActiveState == "active" {
			g.ok("time", "%s keeps the clock", strings.TrimSuffix(name, ".service"))
			return
		}
	}
	g.add(Warning, "time", "install chrony, or enable systemd-timesyncd", "nothing keeps the clock: more than five minutes off, GitHub lets no runner sign in")
}

// virtual says whether the numbers would be a neighbour's, too.
func (d *Doctor) virtual(g *group) {
	info := d.text("/proc/cpuinfo")
	switch {
	case info == "":
		g.add(Unknown, "hardware", "", "/proc/cpuinfo does not say whether this is a virtual machine")
	case strings.Contains(info, " hypervisor"):
		g.add(Warning, "hardware", "measure on a machine of your own", "this is a virtual machine (%s): what its host does moves the numbers", orSome(d.text("/sys/class/dmi/id/product_name"), "which one, it does not say"))
	default:
		g.ok("hardware", "a real machine (%s)", orSome(d.text("/sys/class/dmi/id/product_name"), "without a name"))
	}
}

func (d *Doctor) selinux(g *group) {
	switch d.text("/sys/fs/selinux/enforce") {
	case "1":
		g.add(Warning, "SELinux", "run restorecon on the install directory after the first apply, or set it to permissive", "it enforces: it keeps systemd from starting programs below a home directory")
	case "0":
		g.ok("SELinux", "permissive")
	default:
		g.ok("SELinux", "not in use")
	}
}

// text is a small file without the space around, "" when it cannot be read.
func (d *Doctor) text(file string) string {
	data, err := d.Host.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func orSome(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
