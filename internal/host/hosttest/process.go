package hosttest

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// End makes processes of the test's /proc end; it sends no signal to anything.
func (m *Machine) End(_ context.Context, _ time.Duration, processes ...host.Process) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range processes {
		m.Writes = append(m.Writes, fmt.Sprintf("end %d", p.PID))
		if err := os.RemoveAll(m.Path(fmt.Sprintf("/proc/%d", p.PID))); err != nil {
			return err
		}
	}
	return nil
}
