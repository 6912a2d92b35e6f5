package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
)

// introduce gives a virtual machine its names, its trust and its way to
// servers on this host's loopback.
func (v *VM) introduce(ctx context.Context, opt QEMUOptions) error {
	var script strings.Builder
	script.WriteString("set -e\n")
	for _, name := range slices.Sorted(maps.Keys(opt.Hosts)) {
		fmt.Fprintf(&script, "echo %s >>/etc/hosts\n", shellQuote(opt.Hosts[name]+" "+name))
	}
	if opt.CA != nil {
		script.WriteString("tee -a /etc/ssl/certs/ca-certificates.crt >/usr/local/share/ca-certificates/benchctl-lab.crt\n")
	}
	for i, address := range opt.Forward {
		port, err := v.forward(address)
		if err != nil {
			return err
		}
		if err := v.putProxy(i, address, port); err != nil {
			return err
		}
		fmt.Fprintf(&script, "systemctl enable --now lab-forward-%d.socket\n", i)
	}
	r, err := v.agent.do(ctx, script.String(), opt.CA)
	if err = errors.Join(err, r.Err()); err != nil {
		return fmt.Errorf("cannot introduce the virtual machine to its network: %w", err)
	}
	return nil
}

// putProxy makes the machine listen at an address and pass connections on to
// a port of ours, which QEMU's network shows at 10.0.2.2.
func (v *VM) putProxy(i int, address string, port int) error {
	unit := fmt.Sprintf("/etc/systemd/system/lab-forward-%d.", i)
	socket := "[Socket]\nListenStream=" + address + "\n\n[Install]\nWantedBy=sockets.target\n"
	service := fmt.Sprintf("[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd 10.0.2.2:%d\n", port)
	return errors.Join(v.Put(unit+"socket", []byte(socket), 0o644), v.Put(unit+"service", []byte(service), 0o644))
}

// forward listens on a port of 127.0.0.1, the one address of this host that
// QEMU's network leads to, and passes connections on to another address.
func (v *VM) forward(address string) (port int, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	v.forwards = append(v.forwards, l)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go relay(conn, address)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// relay joins a connection to a new one to address until both ends are done.
func relay(near net.Conn, address string) {
	defer near.Close()
	far, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer far.Close()
	done := make(chan struct{})
	go func() {
		io.Copy(far, near)
		far.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	io.Copy(near, far)
	near.(*net.TCPConn).CloseWrite()
	<-done
}
