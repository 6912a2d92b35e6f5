package hosttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Systemd changes the units of the test.
func (m *Machine) Systemd() host.Systemd { return manager{m} }

type manager struct{ m *Machine }

// change notes a change and makes it, if the unit is there and the context has
// not ended.
func (s manager) change(ctx context.Context, op, unit string, do func(*host.Unit)) error {
	if ctx.Err() != nil {
		return fmt.Errorf("cannot %s %s: %w", op, unit, ctx.Err())
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.Writes = append(s.m.Writes, op+" "+unit)
	u, ok := s.m.Units[unit]
	if !ok {
		return fmt.Errorf("cannot %s %s: Unit %s not found", op, unit, unit)
	}
	do(&u)
	s.m.Units[unit] = u
	return nil
}

func (s manager) Start(ctx context.Context, unit string) error {
	if s.m.OnStart != nil {
		if err := s.m.OnStart(unit); err != nil {
			return err
		}
	}
	return s.change(ctx, "start", unit, func(u *host.Unit) { u.ActiveState, u.SubState = "active", "running" })
}

func (s manager) Stop(ctx context.Context, unit string) error {
	if s.m.OnStop != nil {
		if err := s.m.OnStop(unit); err != nil {
			return err
		}
	}
	return s.change(ctx, "stop", unit, func(u *host.Unit) { u.ActiveState, u.SubState, u.MainPID = "inactive", "dead", 0 })
}

func (s manager) BeginStop(ctx context.Context, unit string) (func(context.Context) error, error) {
	return func(context.Context) error { return nil }, s.Stop(ctx, unit)
}

func (s manager) Enable(ctx context.Context, unit string) error {
	return s.change(ctx, "enable", unit, func(u *host.Unit) { u.UnitFileState = "enabled" })
}

func (s manager) Disable(ctx context.Context, unit string) error {
	return s.change(ctx, "disable", unit, func(u *host.Unit) { u.UnitFileState = "disabled" })
}

func (s manager) Unmask(ctx context.Context, unit string) error {
	return s.change(ctx, "unmask", unit, func(u *host.Unit) { u.LoadState = "loaded" })
}

// Reload finds the unit files under /etc, and those that have gone, as systemd
// would.
func (s manager) Reload(context.Context) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.Writes = append(s.m.Writes, "reload systemd")
	const dir = "/etc/systemd/system/"
	found, err := s.m.Glob(dir + "*.service")
	sockets, err2 := s.m.Glob(dir + "*.socket")
	found = append(found, sockets...)
	for _, path := range found {
		name := path[len(dir):]
		u := s.m.Units[name]
		u.LoadState, u.FragmentPath, u.NeedReload = "loaded", path, false
		if u.ActiveState == "" {
			u.ActiveState, u.SubState, u.UnitFileState = "inactive", "dead", "disabled"
		}
		s.m.Units[name] = u
	}
	for name, u := range s.m.Units {
		if strings.HasPrefix(u.FragmentPath, dir) && !slices.Contains(found, u.FragmentPath) {
			u.LoadState, u.FragmentPath, u.UnitFileState = "not-found", "", ""
			s.m.Units[name] = u
		}
	}
	return errors.Join(err, err2)
}

func (s manager) ReloadUnit(ctx context.Context, unit string) error {
	if s.m.OnReload != nil {
		if err := s.m.OnReload(unit); err != nil {
			return err
		}
	}
	return s.change(ctx, "reload", unit, func(*host.Unit) {})
}

func (s manager) ResetFailed(context.Context, string) error { return nil }
