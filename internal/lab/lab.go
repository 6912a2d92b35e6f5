// Package lab makes throwaway machines with a real systemd, D-Bus, apt and
// kernel, for tests that must not be content with a make-believe host, and for
// rehearsing a change on a copy of a real one.
//
// Two kinds: [Lab.Boot] starts a container with its own init (systemd-nspawn)
// in about a second, [Lab.BootQEMU] a virtual machine with its own kernel in
// half a minute. Both run on a layer over a root that is never changed, and
// nothing of them is left when they are closed, or when the process that
// started them dies: mounts live in a private namespace and processes in a
// cgroup, and a watcher that only holds a pipe empties both.
//
// Everything here needs root, and [Check] says what else.
package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A Lab makes machines. The zero value is ready for use.
type Lab struct {
	// Cache is where roots and images are kept between runs;
	// /var/cache/benchctl-lab when empty.
	Cache string
	// Log, if set, hears one line for each thing the lab does.
	Log func(format string, args ...any)
}

func (l *Lab) logf(format string, args ...any) {
	if l.Log != nil {
		l.Log(format, args...)
	}
}

func (l *Lab) cache() string {
	if l.Cache != "" {
		return l.Cache
	}
	return "/var/cache/benchctl-lab"
}

// Check reports in one sentence what this machine lacks to make roots and to
// run containers on them.
func Check() error {
	if err := CheckBoot(); err != nil {
		return err
	}
	return needs(map[string]string{"debootstrap": "debootstrap", "gpg": "gnupg"})
}

// CheckBoot reports what this machine lacks to run containers on roots that
// are there already, such as its own.
func CheckBoot() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("cannot run lab machines: they need root; run this as root")
	}
	return needs(map[string]string{
		"systemd-nspawn": "systemd-container",
		"nsenter":        "util-linux",
	})
}

// needs names the packages of the programs that are not installed.
func needs(packageOf map[string]string) error {
	var missing []string
	for program, pkg := range packageOf {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, pkg)
		}
	}
	if missing == nil {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("cannot run lab machines: %s missing; run `apt-get install %s`",
		isOrAre(len(missing)), strings.Join(missing, " "))
}

func isOrAre(n int) string {
	if n == 1 {
		return "a program is"
	}
	return fmt.Sprintf("%d programs are", n)
}

// output runs a program and returns what it wrote to stdout; its error ends
// with the last thing the program said.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	return finish(exec.CommandContext(ctx, name, args...))
}

// environ is the whole environment of the programs that run outside a machine:
// ours may hold a token. A way to the network is left to them.
func environ() []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "TMPDIR", "TERM"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// finish is output for a command that somebody else put together.
func finish(cmd *exec.Cmd) ([]byte, error) {
	if cmd.Env == nil {
		cmd.Env = environ()
	}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Args[0]), err, tail(said.String()+string(out)))
	}
	return out, nil
}

// tail returns the last few lines of a program's output, on one line.
func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], " | ")
}
