package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// boot is one life of the machine's init. A reboot ends one and begins the
// next.
type boot struct {
	nspawn *exec.Cmd
	done   chan struct{} // closed when nspawn ended
}

// spawn starts nspawn, and once more each time the machine reboots.
func (m *Machine) spawn() error {
	if err := m.resetCpufreq(); err != nil {
		return err
	}
	argv := []string{"env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=" + m.unified(), "systemd-nspawn"}
	if m.opt.PrivateNetwork {
		// Not --private-network: nspawn would mount a /sys of its own, over
		// the frequency policies that we bind there.
		argv = append([]string{"unshare", "--net", "--"}, argv...)
	}
	argv = append(argv, m.nspawnArgs()...)
	b := &boot{nspawn: m.cell.command(context.Background(), argv...), done: make(chan struct{})}
	b.nspawn.Stdout, b.nspawn.Stderr = &m.console, &m.console
	b.nspawn.WaitDelay = time.Second
	if err := b.nspawn.Start(); err != nil {
		return err
	}
	m.init = b
	go m.attend(b)
	return nil
}

// attend waits for the end of a boot and, after a reboot, begins the next.
func (m *Machine) attend(b *boot) {
	const rebootStatus = 133 // what nspawn --keep-unit ends with when the machine asked for a reboot
	b.nspawn.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.nspawn.ProcessState.ExitCode() == rebootStatus && m.init == b {
		if err := m.spawn(); err != nil {
			fmt.Fprintf(&m.console, "cannot boot again: %v\n", err)
		}
	}
	close(b.done)
}

func (m *Machine) unified() string {
	if m.opt.LegacyCgroups {
		return "0"
	}
	return "1"
}

func (m *Machine) nspawnArgs() []string {
	args := []string{"-q", "-D", m.cell.merged(), "--register=no", "--keep-unit", "-M", m.opt.Hostname, "--hostname=" + m.opt.Hostname,
		"-b", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--system-call-filter=perf_event_open"}
	for from, to := range m.opt.Binds {
		args = append(args, "--bind="+from+":"+to)
	}
	for _, capability := range m.opt.Capabilities {
		args = append(args, "--capability="+capability)
	}
	if m.opt.Cpufreq != nil {
		args = append(args, "--bind="+m.cell.stage+"/cpufreq:"+cpufreqDir)
	}
	if m.opt.Target != "" {
		args = append(args, "systemd.unit="+m.opt.Target)
	}
	return args
}

// current returns the machine's present life.
func (m *Machine) current() (*boot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.init == nil {
		return nil, fmt.Errorf("%s: %w", m.opt.Hostname, ErrDown)
	}
	select {
	case <-m.init.done:
		return nil, fmt.Errorf("%s: %w", m.opt.Hostname, ErrDown)
	default:
		return m.init, nil
	}
}

// pid finds init among the children of nspawn: the one that is number 1 in a
// namespace of its own.
func (b *boot) pid() (int, error) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", b.nspawn.Process.Pid))
	if err != nil {
		return 0, ErrDown
	}
	for _, child := range strings.Fields(string(children)) {
		status, err := os.ReadFile("/proc/" + child + "/status")
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(status), "\nNSpid:")
		line, _, _ := strings.Cut(rest, "\n")
		if pids := strings.Fields(line); len(pids) > 1 && pids[len(pids)-1] == "1" {
			var pid int
			_, err := fmt.Sscan(child, &pid)
			return pid, err
		}
	}
	return 0, fmt.Errorf("its init has not started: %w", ErrDown)
}

// wait waits for the end of a boot.
func (b *boot) wait(ctx context.Context) error {
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
