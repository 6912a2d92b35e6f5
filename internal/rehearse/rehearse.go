package rehearse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// Options say what to rehearse and how.
type Options struct {
	Spec   *spec.Spec
	Text   []byte   // of the spec
	Homes  []string // of the runner's user, as the spec has it and as it is
	Binary string   // benchctl's own file
	Host   string   // this machine's name
	// Idle looks whether a job runs on this machine; from then on the
	// rehearsal gives way to it.
	Idle func(context.Context) error
	// Fetch fetches the real runner into a new directory, as an apply does it.
	Fetch func(ctx context.Context, dir string) (resources.RunnerPackage, error)

	RealDownloads bool // what is not the distribution's comes from where it says
	Keep          bool // leave the copy up for a look, until ctx ends
	Shell         bool // open a shell in the copy before it is thrown away

	Out io.Writer // what a person reads
	In  io.Reader // for the shell
}

// token opens the stand-in's API, and no other.
const token = "a-token-of-the-rehearsal"

// proxyPort is where apt in the copy finds its way to the mirrors.
const proxyPort = "3142"

// A stage is a copy of this machine, up and running, and all that it can reach.
type stage struct {
	Options
	*lab.Machine
	hub   *standin.Server
	proxy *mirrorProxy
	dir   string // scratch, outside of the copy
}

// Run rehearses. The error is what went wrong in the play, or before it; one
// that wraps reconcile.ErrBusy is a job that came.
func Run(ctx context.Context, o Options) (err error) {
	if err := Check(); err != nil {
		return err
	}
	ctx, giveWay := context.WithCancelCause(ctx)
	defer giveWay(nil)
	go watch(ctx, o.Idle, giveWay)
	dir, remove, err := scratch()
	if err != nil {
		return fmt.Errorf("cannot rehearse: %w", err)
	}
	defer remove()
	fmt.Fprintln(o.Out, "A rehearsal takes a minute or two, most of it for apt in the copy. Ctrl-C ends it and leaves nothing.")
	s, err := newStage(ctx, o, dir)
	if err != nil {
		return interrupted(ctx, fmt.Errorf("cannot rehearse: %w", tooDeep(err)))
	}
	defer func() { err = errors.Join(err, s.strike()) }()
	err = interrupted(ctx, s.play(ctx))
	if o.Shell && ctx.Err() == nil {
		err = errors.Join(err, interrupted(ctx, s.shell(ctx)))
	}
	if o.Keep && ctx.Err() == nil {
		err = errors.Join(err, interrupted(ctx, s.linger(ctx)))
	}
	return err
}

// watch ends the rehearsal when a job comes: a copy of the machine takes CPU,
// memory and disk, and so disturbs what is measured.
func watch(ctx context.Context, idle func(context.Context) error, giveWay context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
			if err := idle(ctx); errors.Is(err, reconcile.ErrBusy) {
				giveWay(fmt.Errorf("%w; the rehearsal gave way", err))
				return
			}
		}
	}
}

// interrupted says why a rehearsal was cut short, in place of where.
func interrupted(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, reconcile.ErrBusy) {
		return cause
	}
	if err == nil || ctx.Err() == nil {
		return err
	}
	return errors.New("the rehearsal was interrupted")
}

// newStage makes the stand-in and the copy, and boots it.
func newStage(ctx context.Context, o Options, dir string) (*stage, error) {
	hub, err := standin.Start(standin.Options{Unheard: true, Names: []string{o.Spec.Runner.URL.Host}})
	if err != nil {
		return nil, err
	}
	s := &stage{Options: o, hub: hub, dir: dir}
	props, err := s.props()
	if err != nil {
		return nil, errors.Join(err, hub.Close())
	}
	if err := s.boot(ctx, props); err != nil {
		return nil, errors.Join(err, hub.Close())
	}
	if err := errors.Join(s.connect(ctx), s.ownSysctl(ctx)); err != nil {
		return nil, errors.Join(err, s.strike())
	}
	return s, nil
}

// connect puts the stand-in and the way to the mirrors on the copy's loopback.
func (s *stage) connect(ctx context.Context) error {
	hosts, err := mirrorHosts("/")
	if err != nil {
		return err
	}
	s.proxy = newMirrorProxy(append(hosts, s.downloadHosts()...))
	for port, answer := range map[string]func(net.Listener) error{
		"80":      func(l net.Listener) error { s.hub.Serve(l); return nil },
		"443":     s.hub.ServeTLS,
		proxyPort: func(l net.Listener) error { serve(ctx, l, s.proxy); return nil },
	} {
		l, err := s.Listen("127.0.0.1:" + port)
		if err != nil {
			return err
		}
		if err := answer(l); err != nil {
			return err
		}
	}
	return nil
}

// strike throws everything away. Nobody needs an orderly end of a copy.
func (s *stage) strike() error {
	err := errors.Join(s.Kill(), s.Close(), s.hub.Close())
	if err == nil {
		s.say("The copy is gone; this machine is as it was.")
	}
	return err
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }
