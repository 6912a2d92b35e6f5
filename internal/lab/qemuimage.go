package lab

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

var (
	//go:embed agent.sh
	agentScript []byte
	//go:embed pss.asl
	cpufreqTable []byte
)

// diskSize is what a virtual machine's disk claims to hold: a runner's host must
// have 20 GiB free. Only what is written takes any space.
const diskSize = "40G"

// NeedsQEMU reports in one sentence what this machine lacks to run virtual
// machines.
func NeedsQEMU() error {
	if err := Check(); err != nil {
		return err
	}
	return needs(map[string]string{
		"qemu-system-x86_64": "qemu-system-x86",
		"qemu-img":           "qemu-utils",
		"iasl":               "acpica-tools",
		"mkfs.ext4":          "e2fsprogs",
	})
}

// image returns a directory with all that a virtual machine boots from:
// disk.img, vmlinuz, initrd.img and the ACPI table pss.aml.
func (l *Lab) image(ctx context.Context) (string, error) {
	sum := sha256.New()
	for _, data := range [][]byte{[]byte(rootFormat + diskSize), agentScript, cpufreqTable} {
		sum.Write(data)
	}
	fmt.Fprintln(sum, guestPackages)
	for _, f := range guestFiles {
		fmt.Fprintln(sum, f)
	}
	name := fmt.Sprintf("qemu-%s-%x", Debian12.Name, sum.Sum(nil)[:6])
	dir, err := l.cached(ctx, name, func(tmp string) error { return l.makeImage(ctx, tmp) })
	if err != nil {
		return "", fmt.Errorf("cannot make the lab image %s: %w", name, err)
	}
	return dir, nil
}

// makeImage installs a kernel in a container and makes a disk of its tree.
func (l *Lab) makeImage(ctx context.Context, dir string) (err error) {
	root, err := l.Root(ctx, Debian12, guestPackages...)
	if err != nil {
		return err
	}
	m, err := l.Boot(ctx, Options{Lower: []string{root}, Hostname: "lab-image"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := l.installKernel(ctx, m); err != nil {
		return err
	}
	if err := m.Stop(ctx); err != nil {
		return err
	}
	if err := takeKernel(m.Path("/boot"), dir); err != nil {
		return err
	}
	l.logf("lab: making the disk image")
	if _, err := output(ctx, "mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1",
		"-d", m.Path("/"), filepath.Join(dir, "disk.img"), diskSize); err != nil {
		return err
	}
	table := filepath.Join(dir, "pss.asl")
	if err := os.WriteFile(table, cpufreqTable, 0o644); err != nil {
		return err
	}
	_, err = output(ctx, "iasl", "-p", filepath.Join(dir, "pss"), table)
	return err
}

func (l *Lab) installKernel(ctx context.Context, m *Machine) error {
	for _, f := range guestFiles {
		if err := m.Put(f.path, []byte(f.text), 0o644); err != nil {
			return err
		}
	}
	if err := m.Put("/usr/local/lib/lab-agent", agentScript, 0o755); err != nil {
		return err
	}
	l.logf("lab: installing a kernel")
	for _, argv := range [][]string{
		{"apt-get", "install", "-qy", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "linux-image-amd64", "initramfs-tools"},
		{"apt-get", "clean"},
		{"systemctl", "enable", "lab-agent.service", "systemd-networkd.service"},
		{"rm", "-f", "/etc/machine-id"},
	} {
		r, err := m.Do(ctx, Command{Argv: argv, Env: []string{"DEBIAN_FRONTEND=noninteractive"}})
		if err = errors.Join(err, r.Err()); err != nil {
			return fmt.Errorf("%s %s: %w", argv[0], argv[1], err)
		}
	}
	return nil
}

// takeKernel copies the one kernel in boot and its initial file system.
func takeKernel(boot, dir string) error {
	for _, name := range []string{"vmlinuz", "initrd.img"} {
		found, err := filepath.Glob(filepath.Join(boot, name+"-*"))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("want one %s in %s, found %v", name, boot, found)
		}
		data, err := os.ReadFile(found[0])
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// guestPackages are what a runner needs of the distribution: apt would take
// minutes in the machine.
var guestPackages = []string{"git", "systemd-container", "libicu72", "libkrb5-3"}

// guestFiles are put into the image before its kernel is installed.
var guestFiles = []struct{ path, text string }{
	// An initial file system with the disk's driver alone boots faster.
	{"/etc/initramfs-tools/conf.d/lab", "MODULES=list\nCOMPRESS=gzip\n"},
	{"/etc/initramfs-tools/modules", "virtio_pci\nvirtio_blk\next4\ncrc32c_generic\n"},
	{"/etc/modules-load.d/lab.conf", "acpi-cpufreq\n"},
	{"/etc/fstab", "/dev/vda / ext4 defaults 0 1\n"},
	{"/etc/resolv.conf", "nameserver 10.0.2.3\n"},
	{"/etc/systemd/network/lab.network",
		"[Match]\nName=eth0\n\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nIPv6AcceptRA=no\nLinkLocalAddressing=no\n"},
	{"/etc/systemd/system/lab-agent.service",
		"[Unit]\nDescription=Runs what the lab asks for\n\n[Service]\nExecStart=/usr/local/lib/lab-agent\nRestart=always\n\n[Install]\nWantedBy=multi-user.target\n"},
}
