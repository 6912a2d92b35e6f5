package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

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

// PID returns the machine's init as seen from outside, for whoever wants to
// enter its namespaces.
func (m *Machine) PID() (int, error) {
	b, err := m.current()
	if err != nil {
		return 0, err
	}
	return b.pid()
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
