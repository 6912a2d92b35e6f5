package rehearse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/reconcile"
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
	dir, err := os.MkdirTemp("/run", "benchctl-rehearsal-")
	if err != nil {
		return fmt.Errorf("cannot rehearse: %w", err)
	}
	defer os.RemoveAll(dir)
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
	s := &stage{Options: o, hub: hub}
	props, err := s.props(dir)
	if err != nil {
		return nil, errors.Join(err, hub.Close())
	}
	if err := s.boot(ctx, dir, props); err != nil {
		return nil, errors.Join(err, hub.Close())
	}
	if err := errors.Join(s.connect(ctx), s.ownSysctl(ctx)); err != nil {
		return nil, errors.Join(err, s.strike())
	}
	return s, nil
}

// boot makes the copy and starts it.
func (s *stage) boot(ctx context.Context, dir string, props *props) error {
	begun := time.Now()
	screen, carried, err := s.survey()
	if err != nil {
		return err
	}
	options := lab.Options{
		Lower: []string{"/"}, Mounts: carried, Hide: screen.dirs,
		Hostname: s.Host, PrivateNetwork: true, Target: Target,
		CA: s.hub.CA(), Hosts: map[string]string{}, Cpufreq: s.cpufreq(),
	}
	for _, name := range s.hub.Hosts() {
		options.Hosts[name] = "127.0.0.1"
	}
	var forgotten int
	options.Prepare = func(at string) error {
		root, err := os.OpenRoot(at) // a link never leads back to this machine
		if err != nil {
			return err
		}
		defer root.Close()
		forgotten, err = screen.lower(root)
		return errors.Join(err, quieten(root), props.dress(root))
	}
	s.say("Booting the copy.")
	l := &lab.Lab{}
	if s.Machine, err = l.Boot(ctx, options); err != nil {
		return err
	}
	s.say("The copy is up %s: file systems: %d; left out for being secret: files %d, directories %d; no way out but to the stand-in and apt's mirrors.",
		took(begun), 1+len(carried), forgotten, len(screen.dirs))
	return nil
}

// survey looks what of this machine goes into the copy: which file systems, and
// what of them not.
func (s *stage) survey() (*screen, []string, error) {
	carried, left, err := mounts()
	if err != nil {
		return nil, nil, err
	}
	out := &screen{root: "/", homes: s.Homes}
	for _, m := range left {
		if out.skip = append(out.skip, m.path); m.remote() {
			s.say("LEFT OUT: %s (%s).", m.path, m.fstype)
		}
	}
	secrets := []string{s.Spec.GitHub.TokenFile}
	if app := s.Spec.GitHub.App; app != nil {
		secrets = append(secrets, app.KeyFile)
	}
	if err := out.raise(secrets...); err != nil {
		return nil, nil, err
	}
	var paths []string
	for _, m := range carried {
		if !out.hides(m.path) {
			paths = append(paths, m.path)
		}
	}
	if _, err := os.Lstat(s.Spec.InstallDir); err == nil {
		s.say("LEFT OUT: this machine's own runner; the copy gets a new one, so its files and its registration differ.")
	}
	return out, paths, nil
}

// took is how long something took, in brackets.
func took(begun time.Time) string { return fmt.Sprintf("(%.1f s)", time.Since(begun).Seconds()) }

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

// cpufreq is a copy of this machine's policies, or two simulated ones.
func (s *stage) cpufreq() *lab.Cpufreq {
	if s.Spec.Governor == nil {
		return nil
	}
	policies, _ := filepath.Glob("/sys/devices/system/cpu/cpufreq/policy*")
	if len(policies) == 0 {
		s.say("SIMULATED: this machine has no cpufreq driver; the copy pretends to have one with two policies.")
		return &lab.Cpufreq{}
	}
	read := func(name string) string {
		data, _ := os.ReadFile(filepath.Join(policies[0], name))
		return string(trim(data))
	}
	s.say("COPIED: the frequency policies are a copy of this machine's (%s).", read("scaling_driver"))
	return &lab.Cpufreq{
		Policies: len(policies), Driver: read("scaling_driver"),
		Governors: read("scaling_available_governors"), Governor: read("scaling_governor"),
	}
}

// ownSysctl gives the copy a kernel.perf_event_paranoid of its own: the real
// one belongs to the kernel, which the copy shares with this machine.
func (s *stage) ownSysctl(ctx context.Context) error {
	if !s.Spec.Service.Has(spec.NeedPerf) {
		return nil
	}
	const script = `cp "$0" /run/benchctl-rehearsal-sysctl && mount --bind /run/benchctl-rehearsal-sysctl "$0"`
	r, err := s.Machine.Run(ctx, "sh", "-c", script, "/proc/sys/kernel/perf_event_paranoid")
	s.say("SIMULATED: kernel.perf_event_paranoid is a file in the copy; the kernel's own is not touched.")
	return errors.Join(err, r.Err())
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
