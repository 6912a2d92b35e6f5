package hosttest

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// PutProcess makes a process of /proc, in a control group.
func (m *Machine) PutProcess(p host.Process, group string) {
	m.t.Helper()
	dir := fmt.Sprintf("/proc/%d/", p.PID)
	m.WriteFile(dir+"status", fmt.Sprintf("Name:\t%s\nState:\tS (sleeping)\nPPid:\t%d\nUid:\t%[3]d\t%[3]d\t%[3]d\t%[3]d\nVmSize:\t 1 kB\n", p.Name, p.PPID, p.UID))
	m.WriteFile(dir+"stat", fmt.Sprintf("%d (%s) S %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 %d 0\n", p.PID, p.Name, p.PPID, p.Start))
	m.WriteFile(dir+"cgroup", "0::"+group+"\n")
}

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
