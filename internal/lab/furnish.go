package lab

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"slices"
)

// furnish mounts the machine's tree and gives it what makes it one machine
// among others: name, identity, resolver, trust.
func (m *Machine) furnish(ctx context.Context) (err error) {
	if m.disk, err = diskDir(m.opt); err != nil {
		return err
	}
	if err := m.cell.layer(ctx, m.opt, m.disk); err != nil {
		return err
	}
	// nspawn leaves directories there for each machine.
	if err := m.cell.run(ctx, "mkdir", "-p", "/run/systemd/nspawn"); err != nil {
		return err
	}
	if err := m.cell.run(ctx, "mount", "-t", "tmpfs", "benchctl-lab", "/run/systemd/nspawn"); err != nil {
		return err
	}
	if err := m.identity(); err != nil {
		return err
	}
	if m.opt.Prepare != nil {
		return m.opt.Prepare(m.Path("/"))
	}
	return nil
}

func (m *Machine) identity() error {
	id := make([]byte, 16)
	rand.Read(id)
	files := map[string][]byte{
		"/etc/machine-id": fmt.Appendf(nil, "%x\n", id),
		"/etc/hostname":   []byte(m.opt.Hostname + "\n"),
	}
	if resolver, err := os.ReadFile("/etc/resolv.conf"); err == nil && !m.opt.PrivateNetwork {
		files["/etc/resolv.conf"] = resolver
	}
	for path, data := range files {
		if err := m.replace(path, data, 0o644); err != nil {
			return err
		}
	}
	hosts := fmt.Sprintf("127.0.1.1 %s\n", m.opt.Hostname)
	for _, name := range slices.Sorted(maps.Keys(m.opt.Hosts)) {
		hosts += m.opt.Hosts[name] + " " + name + "\n"
	}
	if err := m.appendTo("/etc/hosts", []byte(hosts)); err != nil || m.opt.CA == nil {
		return err
	}
	if err := m.appendTo("/etc/ssl/certs/ca-certificates.crt", m.opt.CA); err != nil {
		return err
	}
	return m.replace("/usr/local/share/ca-certificates/benchctl-lab.crt", m.opt.CA, 0o644)
}
