package linux

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// ErrNoSystemd says that systemd does not run this machine, or does not answer.
var ErrNoSystemd = errors.New("systemd does not answer here; benchctl needs a host that systemd has booted")

// systemd connects on first use. The connection outlives any one context.
func (m *Machine) systemd() (*sd.Conn, error) {
	m.bus.Lock()
	defer m.bus.Unlock()
	if m.bus.conn != nil && m.bus.conn.Connected() {
		return m.bus.conn, nil
	}
	if m.rooted() != "" {
		return nil, fmt.Errorf("%w (%s is a tree of files)", ErrNoSystemd, m.Root)
	}
	conn, err := sd.NewWithContext(context.Background())
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrNoSystemd, err)
	}
	m.bus.conn = conn
	return conn, nil
}

// SystemdVersion is the number of systemd's release, such as 257; 0 where it
// does not answer.
func (m *Machine) SystemdVersion() int {
	conn, err := m.systemd()
	if err != nil {
		return 0
	}
	said, err := conn.GetManagerProperty("Version") // "257.8-1~deb13u2", in quotes
	if err != nil {
		return 0
	}
	var n int
	_, _ = fmt.Sscanf(strings.Trim(said, `"`), "%d", &n)
	return n
}

// Unit returns what systemd has in force for a unit.
func (m *Machine) Unit(ctx context.Context, name string) (host.Unit, error) {
	conn, err := m.systemd()
	if err != nil {
		return host.Unit{}, err
	}
	props, err := conn.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return host.Unit{}, fmt.Errorf("cannot ask systemd about %s: %w", name, err)
	}
	return unitOf(name, props), nil
}

// unitOf picks what we need; names as in org.freedesktop.systemd1(5).
func unitOf(name string, props map[string]any) host.Unit {
	u := host.Unit{Name: name}
	u.LoadState, _ = props["LoadState"].(string)
	u.ActiveState, _ = props["ActiveState"].(string)
	u.SubState, _ = props["SubState"].(string)
	u.UnitFileState, _ = props["UnitFileState"].(string)
	u.FragmentPath, _ = props["FragmentPath"].(string)
	u.DropInPaths, _ = props["DropInPaths"].([]string)
	u.NeedReload, _ = props["NeedDaemonReload"].(bool)
	u.ControlGroup, _ = props["ControlGroup"].(string)
	u.Result, _ = props["Result"].(string)
	u.StatusText, _ = props["StatusText"].(string)
	if pid, ok := props["MainPID"].(uint32); ok {
		u.MainPID = int(pid)
	}
	if id, ok := props["InvocationID"].([]byte); ok && len(id) > 0 {
		u.InvocationID = fmt.Sprintf("%x", id)
	}
	if usec, ok := props["ActiveEnterTimestamp"].(uint64); ok && usec > 0 {
		u.ActiveSince = time.UnixMicro(int64(usec)).UTC()
	}
	return u
}

// Systemd changes the state of units.
func (m *Machine) Systemd() host.Systemd { return (*manager)(m) }

type manager Machine

// call makes one change through a fresh look at the connection.
func (s *manager) call(op, unit string, do func(*sd.Conn) error) error {
	m := (*Machine)(s)
	m.before(op, unit)
	conn, err := m.systemd()
	if err == nil {
		err = do(conn)
	}
	if err != nil {
		return fmt.Errorf("cannot %s %s: %w", op, unit, said(err))
	}
	return nil
}

// said leaves of a D-Bus error what systemd wrote for people.
func said(err error) error {
	var e dbus.Error
	if errors.As(err, &e) && len(e.Body) > 0 {
		if text, ok := e.Body[0].(string); ok {
			return errors.New(text)
		}
	}
	return err
}

// job queues a job and returns how to wait for it.
func (s *manager) job(op, unit string, queue func(*sd.Conn, chan<- string) (int, error)) (func(context.Context) error, error) {
	done := make(chan string, 1) // go-systemd's dispatcher must never wait for us
	var conn *sd.Conn
	err := s.call(op, unit, func(c *sd.Conn) error {
		conn = c
		_, err := queue(c, done)
		return err
	})
	return func(ctx context.Context) error {
		hear := time.NewTicker(time.Second)
		defer hear.Stop()
		for {
			select {
			case <-ctx.Done():
				return fmt.Errorf("systemd has not finished to %s %s: %w", op, unit, ctx.Err())
			case result := <-done:
				if result != "done" && result != "skipped" {
					return fmt.Errorf("cannot %s %s: the job of systemd ended as %q", op, unit, result)
				}
				return nil
			case <-hear.C:
				if !conn.Connected() {
					return s.lookFor(ctx, op, unit)
				}
			}
		}
	}, err
}

// lookFor waits for the end of a job that can no longer be heard of, because
// the bus was restarted: what the unit has become says how it ended.
func (s *manager) lookFor(ctx context.Context, op, unit string) error {
	for {
		u, err := (*Machine)(s).Unit(ctx, unit)
		switch {
		case err != nil || u.ActiveState == "activating" || u.ActiveState == "deactivating":
		case op == "stop" && u.ActiveState != "active", op == "start" && u.ActiveState == "active":
			return nil
		case op == "start" && u.ActiveState == "inactive" && u.Result == "success":
			return nil
		case op == "start":
			return fmt.Errorf("cannot %s %s: the unit is %s, with the result %q", op, unit, u.ActiveState, u.Result)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("systemd has not finished to %s %s: %w", op, unit, ctx.Err())
		case <-time.After(time.Second):
		}
	}
}

func (s *manager) Start(ctx context.Context, unit string) error {
	wait, err := s.job("start", unit, func(c *sd.Conn, done chan<- string) (int, error) {
		return c.StartUnitContext(ctx, unit, "replace", done)
	})
	if err != nil {
		return err
	}
	return wait(ctx)
}

func (s *manager) BeginStop(ctx context.Context, unit string) (func(context.Context) error, error) {
	return s.job("stop", unit, func(c *sd.Conn, done chan<- string) (int, error) {
		return c.StopUnitContext(ctx, unit, "replace", done)
	})
}

func (s *manager) Stop(ctx context.Context, unit string) error {
	wait, err := s.BeginStop(ctx, unit)
	if err != nil {
		return err
	}
	return wait(ctx)
}

func (s *manager) Enable(ctx context.Context, unit string) error {
	return s.call("enable", unit, func(c *sd.Conn) error {
		_, _, err := c.EnableUnitFilesContext(ctx, []string{unit}, false, true)
		return err
	})
}

func (s *manager) Disable(ctx context.Context, unit string) error {
	return s.call("disable", unit, func(c *sd.Conn) error {
		_, err := c.DisableUnitFilesContext(ctx, []string{unit}, false)
		return err
	})
}

func (s *manager) Unmask(ctx context.Context, unit string) error {
	return s.call("unmask", unit, func(c *sd.Conn) error {
		// A mask can stand in /etc and in /run; each is a set of its own.
		_, err := c.UnmaskUnitFilesContext(ctx, []string{unit}, false)
		_, err2 := c.UnmaskUnitFilesContext(ctx, []string{unit}, true)
		return errors.Join(err, err2)
	})
}

func (s *manager) Reload(ctx context.Context) error {
	return s.call("reload", "systemd", func(c *sd.Conn) error { return c.ReloadContext(ctx) })
}

// ReloadUnit queues the reload. A service that waits for us before it says that
// it is done would wait for ever.
func (s *manager) ReloadUnit(ctx context.Context, unit string) error {
	return s.call("reload", unit, func(c *sd.Conn) error {
		_, err := c.ReloadUnitContext(ctx, unit, "replace", nil)
		return err
	})
}

func (s *manager) ResetFailed(ctx context.Context, unit string) error {
	return s.call("reset", unit, func(c *sd.Conn) error {
		err := c.ResetFailedUnitContext(ctx, unit)
		var e dbus.Error
		if errors.As(err, &e) && e.Name == "org.freedesktop.systemd1.NoSuchUnit" {
			return nil
		}
		return err
	})
}
