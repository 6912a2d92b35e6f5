package rehearse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// boot makes the copy and starts it.
func (s *stage) boot(ctx context.Context, props *props) error {
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
