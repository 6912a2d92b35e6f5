package linux

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrAgentRuns says that the host has an agent already.
var ErrAgentRuns = errors.New("another one runs on this host")

// LockAgent makes this process the one agent of the host, or says who is.
func (m *Machine) LockAgent() (release func(), err error) {
	f, err := m.openLock("agent.lock")
	if err != nil {
		return nil, fmt.Errorf("cannot run the agent: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		return nil, fmt.Errorf("cannot run the agent: %w: %s; end it with: systemctl stop benchctl", ErrAgentRuns, holder(f))
	}
	sign(f, "benchctl agent")
	return func() { letGo(f) }, nil
}
