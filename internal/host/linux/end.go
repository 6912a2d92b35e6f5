package linux

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// lastWait is for processes to go that were sent SIGKILL.
const lastWait = 5 * time.Second

// End ends processes, each held by a descriptor so that no signal reaches
// another one that was given its PID.
func (m *Machine) End(ctx context.Context, grace time.Duration, processes ...host.Process) error {
	for _, p := range processes {
		m.before("end", fmt.Sprintf("%d", p.PID))
	}
	held, err := m.seize(processes)
	defer func() {
		for _, h := range held {
			unix.Close(int(h.fd.Fd))
		}
	}()
	if err != nil {
		return err
	}
	for _, stage := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, grace}, {unix.SIGKILL, lastWait}} {
		if err := signalAll(held, stage.signal); err != nil {
			return err
		}
		if err := await(ctx, held, stage.wait); err != nil {
			return err
		}
	}
	var left []string
	for _, h := range held {
		if !h.ended() {
			left = append(left, fmt.Sprint(h.pid))
		}
	}
	if left != nil {
		return fmt.Errorf("cannot end %s: still there %s after SIGKILL", strings.Join(left, ", "), lastWait)
	}
	return nil
}

// A seized process is one that is held by a pidfd.
type seized struct {
	pid int
	fd  unix.PollFd
}

func (s *seized) ended() bool { return s.fd.Revents&unix.POLLIN != 0 }

// seize opens the processes that are still the ones that were seen.
func (m *Machine) seize(processes []host.Process) ([]*seized, error) {
	var held []*seized
	for _, p := range processes {
		fd, err := unix.PidfdOpen(p.PID, 0)
		if err == unix.ESRCH {
			continue
		}
		if err != nil {
			return held, fmt.Errorf("cannot open process %d: %w", p.PID, err)
		}
		if start, err := m.started(p.PID); err != nil || start != p.Start {
			unix.Close(fd)
			continue
		}
		held = append(held, &seized{p.PID, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}})
	}
	return held, nil
}

func signalAll(held []*seized, signal unix.Signal) error {
	for _, h := range held {
		if h.ended() {
			continue
		}
		if err := unix.PidfdSendSignal(int(h.fd.Fd), signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("cannot send %v to process %d: %w", signal, h.pid, err)
		}
	}
	return nil
}

// await sleeps until all processes have ended, or the time is over.
func await(ctx context.Context, held []*seized, most time.Duration) error {
	const nap = 100 * time.Millisecond // in which the context may end
	for end := time.Now().Add(most); ; {
		fds := make([]unix.PollFd, 0, len(held))
		var waiting []*seized
		for _, h := range held {
			if !h.ended() {
				fds, waiting = append(fds, h.fd), append(waiting, h)
			}
		}
		left := time.Until(end)
		if len(fds) == 0 || left <= 0 {
			return nil
		}
		if _, err := unix.Poll(fds, int(min(left, nap)/time.Millisecond)+1); err != nil && err != unix.EINTR {
			return fmt.Errorf("cannot wait for processes to end: %w", err)
		}
		for i, h := range waiting {
			h.fd.Revents = fds[i].Revents
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
