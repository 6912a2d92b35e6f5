package rehearse

import (
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// listenIn opens a listening socket in the network namespace of another
// process. A socket belongs to the namespace that it was made in, for good, so
// this process can serve a loopback that has no way out.
func listenIn(pid int, address string) (net.Listener, error) {
	type result struct {
		l   net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		// The thread is tainted by the other namespace and must end with this
		// goroutine: it is locked and never unlocked.
		runtime.LockOSThread()
		l, err := listenThere(pid, address)
		done <- result{l, err}
	}()
	r := <-done
	return r.l, r.err
}

func listenThere(pid int, address string) (net.Listener, error) {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, fmt.Errorf("cannot enter the copy's network: %w", err)
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("cannot enter the copy's network: %w", err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s in the copy: %w", address, err)
	}
	return l, nil
}
