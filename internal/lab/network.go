package lab

import (
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Listen opens a listening TCP socket in the machine's own network. A socket
// belongs for good to the network that it was made in, so this process can
// serve a loopback that has no way out.
func (m *Machine) Listen(address string) (net.Listener, error) {
	pid, err := m.PID()
	if err != nil {
		return nil, err
	}
	type result struct {
		l   net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		// The thread is tainted by the other network and has to end with this
		// goroutine: it is locked and never unlocked.
		runtime.LockOSThread()
		l, err := listenIn(fmt.Sprintf("/proc/%d/ns/net", pid), address)
		done <- result{l, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("cannot listen on %s in %s: %w", address, m.opt.Hostname, r.err)
	}
	return r.l, nil
}

func listenIn(network, address string) (net.Listener, error) {
	ns, err := os.Open(network)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	if err := raiseLoopback(); err != nil {
		return nil, fmt.Errorf("its loopback does not come up: %w", err)
	}
	return net.Listen("tcp", address)
}

// raiseLoopback does what `ip link set lo up` does, for this thread's network.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifr); err != nil {
		return err
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}
