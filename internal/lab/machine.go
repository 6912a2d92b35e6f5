package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say what machine to make.
type Options struct {
	// Lower are the directories that make up the machine's tree, the one
	// that hides the others first: mostly one, from [Lab.Root], or "/" for
	// a copy of this very host. They are never written to.
	Lower []string
	// Mounts are file systems mounted below the last of Lower that the
	// machine shall have too, as absolute paths below it, parents first.
	Mounts []string
	// Disk is a directory on a disk for what the machine writes, deleted
	// on Close. Empty means memory.
	Disk string
	// Hostname is the machine's name; "lab" when empty.
	Hostname string
	// Hosts are names added to /etc/hosts, and their addresses.
	Hosts map[string]string
	// CA are certificates (PEM) that the machine shall trust.
	CA []byte
	// Binds are paths of this host and where the machine sees them, read
	// and write.
	Binds map[string]string
	// Cpufreq, if set, is what the machine sees as its frequency policies.
	Cpufreq *Cpufreq
	// PrivateNetwork gives the machine nothing but a loopback of its own.
	PrivateNetwork bool
	// LegacyCgroups boots with the hierarchy of systemd before 248, where
	// /sys/fs/cgroup is no cgroup2.
	LegacyCgroups bool
	// Target is what the machine boots into, its default target when empty.
	Target string
	// Prepare, if set, changes the machine's tree before its first boot.
	// root is the tree's path as seen from outside.
	Prepare func(root string) error
}

// ErrDown says that a machine is not running.
var ErrDown = errors.New("the machine is down")

// A Machine is a container with its own init. Its methods may be called from
// several goroutines.
type Machine struct {
	lab     *Lab
	opt     Options
	cell    *cell
	disk    string
	console console
	runs    counter

	mu   sync.Mutex
	init *boot // nil before the first start
}

// boot is one life of the machine's init. A reboot ends one and begins the
// next.
type boot struct {
	nspawn *exec.Cmd
	done   chan struct{} // closed when nspawn ended
}

// Boot makes a machine and waits until it is up.
func (l *Lab) Boot(ctx context.Context, opt Options) (*Machine, error) {
	m, err := l.New(ctx, opt)
	if err != nil {
		return nil, err
	}
	if err := m.Start(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// New makes a machine that is still switched off: its tree can be read and
// changed.
func (l *Lab) New(ctx context.Context, opt Options) (*Machine, error) {
	if err := CheckBoot(); err != nil {
		return nil, err
	}
	if opt.Hostname == "" {
		opt.Hostname = "lab"
	}
	cell, err := newCell()
	if err != nil {
		return nil, fmt.Errorf("cannot make a lab machine: %w", err)
	}
	m := &Machine{lab: l, opt: opt, cell: cell}
	if err := m.furnish(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make a lab machine: %w", err), m.Close())
	}
	return m, nil
}

// Start switches the machine on and waits until it is up.
func (m *Machine) Start(ctx context.Context) error {
	start := time.Now()
	m.mu.Lock()
	err := m.spawn()
	m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", m.opt.Hostname, err)
	}
	if err := m.Ready(ctx); err != nil {
		return err
	}
	m.lab.logf("lab: %s is up after %s", m.opt.Hostname, time.Since(start).Round(10*time.Millisecond))
	return nil
}

// spawn starts nspawn, and once more each time the machine reboots.
func (m *Machine) spawn() error {
	if err := m.resetCpufreq(); err != nil {
		return err
	}
	argv := append([]string{"env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=" + m.unified(), "systemd-nspawn"}, m.nspawnArgs()...)
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
	args := []string{"-q", "-D", merged, "--register=no", "--keep-unit", "-M", m.opt.Hostname, "--hostname=" + m.opt.Hostname,
		"-b", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--system-call-filter=perf_event_open"}
	if m.opt.PrivateNetwork {
		args = append(args, "--private-network")
	}
	for from, to := range m.opt.Binds {
		args = append(args, "--bind="+from+":"+to)
	}
	if m.opt.Cpufreq != nil {
		args = append(args, "--bind="+stage+"/cpufreq:"+cpufreqDir)
	}
	if m.opt.Target != "" {
		args = append(args, "systemd.unit="+m.opt.Target)
	}
	return args
}

// Ready waits until the machine is up: everything that its boot starts has
// been started, or has failed. It also waits out a reboot that is under way.
func (m *Machine) Ready(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := m.current()
		if err != nil {
			return fmt.Errorf("%w; its console ends: %s", err, tail(m.console.String()))
		}
		if out, err := m.look(ctx, b, "systemctl", "is-system-running"); err == nil || out.Status == 1 {
			if state := strings.TrimSpace(out.Stdout); state == "running" || state == "degraded" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s was not up in time: %w; its console ends: %s", m.opt.Hostname, ctx.Err(), tail(m.console.String()))
		case <-tick.C:
		}
	}
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

// PID returns the machine's init as seen from outside, for whoever wants to
// enter its namespaces.
func (m *Machine) PID() (int, error) {
	b, err := m.current()
	if err != nil {
		return 0, err
	}
	return b.pid()
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

// Reboot reboots the machine and waits until it is up again. What it wrote
// stays.
func (m *Machine) Reboot(ctx context.Context) error {
	b, err := m.current()
	if err != nil {
		return err
	}
	start := time.Now()
	m.look(ctx, b, "systemctl", "--no-block", "reboot")
	if err := b.wait(ctx); err != nil {
		return fmt.Errorf("cannot reboot %s: %w", m.opt.Hostname, err)
	}
	if err := m.Ready(ctx); err != nil {
		return err
	}
	m.lab.logf("lab: %s is up again after %s", m.opt.Hostname, time.Since(start).Round(10*time.Millisecond))
	return nil
}

// Stop shuts the machine down in an orderly way. It can be started again.
func (m *Machine) Stop(ctx context.Context) error {
	b, err := m.current()
	if err != nil {
		return nil
	}
	if err := b.nspawn.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := b.wait(ctx); err != nil {
		return fmt.Errorf("cannot shut %s down: %w", m.opt.Hostname, err)
	}
	return nil
}

// Kill cuts the power. The machine can be started again.
func (m *Machine) Kill() error {
	b, err := m.current()
	if err != nil {
		return nil
	}
	if err := m.cell.kill(); err != nil {
		return fmt.Errorf("cannot kill %s: %w", m.opt.Hostname, err)
	}
	return b.wait(context.Background())
}

func (b *boot) wait(ctx context.Context) error {
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close shuts the machine down, with force after ten seconds, and deletes it.
func (m *Machine) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	m.Stop(ctx)
	err := errors.Join(m.Kill(), m.cell.close())
	if m.disk != "" {
		err = errors.Join(err, os.RemoveAll(m.disk))
	}
	return err
}

// Console returns the end of what the machine wrote to its console.
func (m *Machine) Console() string { return m.console.String() }
