package rehearse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// Options say what to rehearse and how.
type Options struct {
	Spec   *spec.Spec
	Text   []byte // of the spec
	Binary string // benchctl's own file
	Host   string // this machine's name

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

// Run rehearses. The error is what went wrong in the play, or before it.
func Run(ctx context.Context, o Options) (err error) {
	if err := Check(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "benchctl-rehearsal-")
	if err != nil {
		return fmt.Errorf("cannot rehearse: %w", err)
	}
	defer os.RemoveAll(dir)
	s, err := newStage(ctx, o, dir)
	if err != nil {
		return fmt.Errorf("cannot rehearse: %w", tooDeep(err))
	}
	defer func() { err = errors.Join(err, s.strike()) }()
	err = s.play(ctx)
	if o.Shell && ctx.Err() == nil {
		err = errors.Join(err, s.shell(ctx))
	}
	if o.Keep {
		s.linger(ctx)
	}
	return err
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
	carried, left, err := mounts()
	if err != nil {
		return err
	}
	for _, m := range left {
		s.say("Left out of the copy: %s (%s).", m.path, m.fstype)
	}
	options := lab.Options{
		Lower: []string{"/"}, Hostname: s.Host, PrivateNetwork: true, Target: Target,
		Hide: hiddenDirs(s.Spec.User.Home, s.Spec.InstallDir),
		CA:   s.hub.CA(), Hosts: map[string]string{}, Cpufreq: s.cpufreq(),
	}
	for _, m := range carried {
		options.Mounts = append(options.Mounts, m.path)
	}
	for _, name := range s.hub.Hosts() {
		options.Hosts[name] = "127.0.0.1"
	}
	var forgotten int
	options.Prepare = func(root string) error {
		n, err := forget(root, s.Spec.User.Home, s.Spec.InstallDir)
		forgotten = n
		return errors.Join(err, quieten(root), props.dress(root))
	}
	l := &lab.Lab{}
	if s.Machine, err = l.Boot(ctx, options); err != nil {
		return err
	}
	s.say("The copy is up: %d file systems, %d secret files left out, no way out but to the stand-in and apt's mirrors.", 1+len(carried), forgotten)
	return nil
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

// strike throws everything away.
func (s *stage) strike() error {
	err := errors.Join(s.Close(), s.hub.Close())
	if err == nil {
		s.say("The copy is gone; this machine is as it was.")
	}
	return err
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }
