package agent

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A WallClock is the machine's clock as the kernel's own timer has it. Timers
// of the runtime count a clock that stands still while the machine is suspended
// and that does not notice when the time of day is set; this one rings on time
// after both, and nobody has to look again and again.
type WallClock struct {
	timer *os.File
	ring  chan struct{}
}

// NewWallClock makes a clock. Close ends it.
func NewWallClock() (*WallClock, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make an alarm: %w", err)
	}
	c := &WallClock{timer: os.NewFile(uintptr(fd), "timerfd"), ring: make(chan struct{}, 1)}
	go c.listen()
	return c, nil
}

// Close turns the alarm off for good.
func (c *WallClock) Close() error { return c.timer.Close() }

// Now is the time of day, without the reading of a clock that cannot be set.
func (c *WallClock) Now() time.Time { return time.Now().Round(0) }

// Ring sets the alarm.
func (c *WallClock) Ring(at time.Time) <-chan struct{} {
	var set unix.ItimerSpec // all zero: off
	if !at.IsZero() {
		set.Value = unix.NsecToTimespec(max(1, at.UnixNano()))
	}
	raw, err := c.timer.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			// An error, ECANCELED, says that the clock was just set: look again.
			if unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &set, nil) != nil {
				c.sound()
			}
		})
	}
	if err != nil {
		c.sound()
	}
	return c.ring
}

// listen sounds the ring each time that the timer expires, and each time that
// the clock is set, which makes the read fail.
func (c *WallClock) listen() {
	var expirations [8]byte
	for {
		_, err := c.timer.Read(expirations[:])
		if err != nil && !errors.Is(err, unix.ECANCELED) {
			return
		}
		c.sound()
	}
}

func (c *WallClock) sound() {
	select {
	case c.ring <- struct{}{}:
	default:
	}
}
