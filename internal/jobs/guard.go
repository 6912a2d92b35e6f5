package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// GuardVerb is the hidden verb of benchctl that runs [Guard].
const GuardVerb = "resume-guard"

// Guard is the guardian of a runner that is held: a process of its own that
// lets the runner go on when benchctl ends, however it ends, or when the time
// is over. Its arguments are
//
//	OWNER LIMIT PROCESS...
//
// with each process as PID:START and the limit as a duration, which begins with
// the signal [beginHold]. It says that it is ready to systemd, or on its
// standard output when nobody else listens.
func Guard(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("usage: benchctl %s OWNER LIMIT PROCESS, with one PROCESS or more", GuardVerb)
	}
	limit, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	signal.Ignore(unix.SIGHUP, unix.SIGPIPE)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := make(chan os.Signal, 1)
	signal.Notify(begin, beginHold)
	go func() {
		<-begin
		time.AfterFunc(limit, cancel)
	}()

	owner, err := grabArg(args[0])
	if err != nil {
		return err
	}
	var held []target
	for _, arg := range args[2:] {
		t, err := grabArg(arg)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		held = append(held, t)
	}
	if err := announce(); err != nil {
		return err
	}
	// However the wait ends, the runner goes on.
	_ = owner.wait(ctx)
	for _, t := range held {
		err = errors.Join(err, t.send(unix.SIGCONT))
	}
	return err
}

func grabArg(arg string) (target, error) {
	want, err := parseTarget(arg)
	if err != nil {
		return target{}, err
	}
	return proc("/proc").grab(want)
}

// announce tells whoever waits that the guardian is on duty.
func announce() error {
	if sent, err := daemon.SdNotify(false, daemon.SdNotifyReady); sent || err != nil {
		return err
	}
	_, err := fmt.Println(armed)
	if err != nil {
		return err
	}
	return os.Stdout.Close()
}

const armed = "armed"

// beginHold tells the guardian that the processes are about to be stopped.
const beginHold = unix.SIGUSR1
