package jobs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A target is a process that is held by a file descriptor, so that a signal
// never reaches another one that was given its PID.
type target struct {
	process
	listener bool
	fd       *os.File
}

// grab opens a process. The error wraps fs.ErrNotExist when it has ended.
func (p proc) grab(want process) (target, error) {
	fd, err := unix.PidfdOpen(want.PID, unix.PIDFD_NONBLOCK)
	if err == unix.ESRCH {
		return target{}, fmt.Errorf("process %d has ended: %w", want.PID, fs.ErrNotExist)
	}
	if err != nil {
		return target{}, fmt.Errorf("cannot open process %d: %w", want.PID, err)
	}
	t := target{process: want, fd: os.NewFile(uintptr(fd), "pidfd")}
	have, err := p.process(want.PID)
	if err == nil && have.Start != want.Start {
		err = fmt.Errorf("process %d has ended: %w", want.PID, fs.ErrNotExist)
	}
	if err != nil {
		t.fd.Close()
		return target{}, err
	}
	return t, nil
}

// send sends a signal; a process that has ended needs none.
func (t target) send(signal unix.Signal) error {
	raw, err := t.fd.SyscallConn()
	if err != nil {
		return err
	}
	sent := raw.Control(func(fd uintptr) {
		err = unix.PidfdSendSignal(int(fd), signal, nil, 0)
	})
	if sent != nil {
		return sent
	}
	if err != nil && err != unix.ESRCH {
		return fmt.Errorf("cannot send %v to process %d: %w", signal, t.PID, err)
	}
	return nil
}

// wait sleeps until the process ends, woken by its descriptor, or until the
// context does.
func (t target) wait(ctx context.Context) error {
	raw, err := t.fd.SyscallConn()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { t.fd.SetReadDeadline(time.Unix(1, 0)) })()
	err = raw.Read(func(fd uintptr) bool {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(polled, 0)
		return n > 0 && err == nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// ended reports whether the process has ended.
func (t target) ended() bool {
	raw, err := t.fd.SyscallConn()
	if err != nil {
		return true
	}
	polled := []unix.PollFd{{Events: unix.POLLIN}}
	n := 0
	asked := raw.Control(func(fd uintptr) {
		polled[0].Fd = int32(fd)
		n, err = unix.Poll(polled, 0)
	})
	return asked != nil || err == nil && n > 0
}

// String is what parseTarget reads.
func (t target) String() string { return fmt.Sprintf("%d:%d", t.PID, t.Start) }

func parseTarget(s string) (process, error) {
	pid, start, _ := strings.Cut(s, ":")
	var want process
	var err error
	if want.PID, err = strconv.Atoi(pid); err == nil {
		want.Start, err = strconv.ParseUint(start, 10, 64)
	}
	if err != nil || want.PID <= 1 {
		return process{}, fmt.Errorf("%q is not PID:START", s)
	}
	return want, nil
}
