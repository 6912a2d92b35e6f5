package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// basePackages are in every root: what a minimal installed host has and
// debootstrap's smallest variant leaves out.
var basePackages = []string{"systemd", "systemd-sysv", "dbus", "passwd", "ca-certificates", "sudo", "procps", "kmod"}

// rootFormat changes whenever roots are made differently.
const rootFormat = "2"

// Root returns the directory of a release's root with the given packages on
// top, made now or reused. Nobody may write to it: machines run on a layer
// over it. Parallel callers wait for the one that makes it. The error wraps
// [ErrNoMirror] when the release's archive cannot be reached.
func (l *Lab) Root(ctx context.Context, r Release, packages ...string) (string, error) {
	if err := Check(); err != nil {
		return "", err
	}
	packages = slices.Compact(slices.Sorted(slices.Values(packages)))
	sum := sha256.Sum256([]byte(strings.Join(slices.Concat([]string{rootFormat, r.sources()}, basePackages, packages), "\n")))
	name := fmt.Sprintf("%s-%x", r.Name, sum[:6])
	dir, err := l.cached(ctx, name, func(tmp string) error { return l.makeRoot(ctx, r, tmp, packages) })
	if err != nil {
		return "", fmt.Errorf("cannot make the lab root %s: %w", name, err)
	}
	return dir, nil
}

// makeRoot fills dir: from nothing, or from the release's plain root.
func (l *Lab) makeRoot(ctx context.Context, r Release, dir string, packages []string) error {
	if len(packages) == 0 {
		return l.debootstrap(ctx, r, dir)
	}
	base, err := l.Root(ctx, r)
	if err != nil {
		return err
	}
	l.logf("lab: installing %s on %s", strings.Join(packages, " "), r)
	if _, err := output(ctx, "cp", "-a", "--reflink=auto", base+"/.", dir); err != nil {
		return err
	}
	install := append([]string{"apt-get", "install", "-qy", "--no-install-recommends"}, packages...)
	if err := inRoot(ctx, dir, install...); err != nil {
		return err
	}
	return inRoot(ctx, dir, "apt-get", "clean")
}

func (l *Lab) debootstrap(ctx context.Context, r Release, dir string) error {
	if err := reach(ctx, r.mirror+"/dists/"+r.suite+"/InRelease"); err != nil {
		return err
	}
	args := []string{"--variant=minbase", "--include=" + strings.Join(basePackages, ","),
		"--components=" + strings.ReplaceAll(r.parts, " ", ",")}
	if r.keyID != "" {
		keyring := dir + ".gpg"
		defer os.Remove(keyring)
		if err := fetchKeyring(ctx, r, keyring); err != nil {
			return err
		}
		args = append(args, "--keyring="+keyring)
	}
	args = append(args, r.suite, dir, r.mirror)
	if r.script != "" {
		args = append(args, r.script)
	}
	l.logf("lab: debootstrap of %s from %s", r, r.mirror)
	if _, err := output(ctx, "debootstrap", args...); err != nil {
		return err
	}
	return settle(ctx, r, dir)
}

// settle makes of a fresh debootstrap what an installed host looks like: up to
// date, with nothing that wakes up by itself in the middle of a test.
func settle(ctx context.Context, r Release, dir string) error {
	for path, text := range map[string]string{
		"etc/apt/sources.list":                 r.sources(),
		"etc/apt/apt.conf.d/90lab":             "Acquire::Languages \"none\";\n",
		"etc/hosts":                            "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
		"etc/hostname":                         "lab\n",
		"etc/machine-id":                       "",
		"usr/sbin/policy-rc.d":                 "",
		"etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\n",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if text == "" {
			os.Remove(path)
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, unit := range quiet {
		if err := os.Symlink("/dev/null", filepath.Join(dir, "etc/systemd/system", unit)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, argv := range [][]string{{"update", "-q"}, {"dist-upgrade", "-qy"}, {"clean"}} {
		if err := inRoot(ctx, dir, append([]string{"apt-get"}, argv...)...); err != nil {
			return err
		}
	}
	return nil
}

// quiet are the units that a lab host masks: they would take apt's lock, or
// write files, at a time of their own choosing.
var quiet = []string{"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
	"fstrim.timer", "logrotate.timer", "man-db.timer", "motd-news.timer", "systemd-tmpfiles-clean.timer"}

// inRoot runs a program in a root that is not booted, with /proc and /dev and
// with the network of this machine. Its mounts and processes end with it.
func inRoot(ctx context.Context, dir string, argv ...string) error {
	const script = `mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
		cp /etc/resolv.conf "$0/etc/resolv.conf" && exec chroot "$0" "$@"`
	args := append([]string{"--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
		"sh", "-c", script, dir}, argv...)
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Env = []string{"DEBIAN_FRONTEND=noninteractive", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	_, err := finish(cmd)
	return err
}
