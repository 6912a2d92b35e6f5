// Package linux is the real machine: files, processes, accounts and systemd of
// the Linux host that benchctl runs on.
package linux

import (
	"os"
	"path/filepath"
	"sync"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A Machine is the host. The zero value is this machine itself; with Root set,
// its files are those below Root, as in a captured tree.
type Machine struct {
	// Root is put before every path; "" and "/" are the machine itself.
	Root string
	// Before, if set, is called with each change just before it is made. Tests
	// use it to stop benchctl at every instant there is. The op of benchctl's
	// own notes, which are no change of the host, is "record".
	Before func(op, path string)

	bus struct {
		sync.Mutex
		conn *sd.Conn
	}
}

var _ host.Host = (*Machine)(nil)

// Close lets go of the connection to systemd.
func (m *Machine) Close() {
	m.bus.Lock()
	defer m.bus.Unlock()
	if m.bus.conn != nil {
		m.bus.conn.Close()
		m.bus.conn = nil
	}
}

// Hostname is the machine's name, or "localhost" where it has none.
func (m *Machine) Hostname() string {
	if data, err := m.ReadFile("/proc/sys/kernel/hostname"); err == nil {
		if name := firstLine(data); name != "" {
			return name
		}
	}
	if name, err := os.Hostname(); err == nil && m.rooted() == "" {
		return name
	}
	return "localhost"
}

func (m *Machine) rooted() string {
	if m.Root == "/" {
		return ""
	}
	return m.Root
}

// at is where a path of the machine really lies.
func (m *Machine) at(path string) string {
	if m.rooted() == "" {
		return path
	}
	return filepath.Join(m.Root, path)
}

func (m *Machine) before(op, path string) {
	if m.Before != nil {
		m.Before(op, path)
	}
}
