package linux

import (
	"errors"
	"fmt"
)

// ErrAgentRuns says that the host has an agent already.
var ErrAgentRuns = errors.New("another one runs on this host")

// LockAgent makes this process the one agent of the host, or says who is.
func (m *Machine) LockAgent() (release func(), err error) {
	release, err = m.tryLock("agent.lock", "benchctl agent")
	var locked LockedError
	switch {
	case errors.As(err, &locked):
		return nil, fmt.Errorf("cannot run the agent: %w: %s; end it with: systemctl stop benchctl", ErrAgentRuns, locked.Holder)
	case err != nil:
		return nil, fmt.Errorf("cannot run the agent: %w", err)
	}
	return release, nil
}
