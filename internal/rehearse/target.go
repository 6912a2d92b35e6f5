package rehearse

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Target is what the copy boots into: a journal, D-Bus, and nothing else of
// the machine's.
const Target = "benchctl-rehearsal.target"

const targetText = `[Unit]
Description=A rehearsal of benchctl
DefaultDependencies=no
Requires=dbus.socket systemd-journald.socket
Wants=systemd-journald.service dbus.service
After=dbus.socket systemd-journald.service
AllowIsolate=yes
Conflicts=shutdown.target
`

// The targets that every ordinary unit is tied to. In the copy they pull in
// nothing, so that starting the runner does not start the machine's services.
var hollow = []string{"sysinit.target", "basic.target", "sockets.target", "timers.target", "paths.target",
	"local-fs.target", "swap.target", "cryptsetup.target", "network-online.target", "multi-user.target", "graphical.target"}

// unitDirs are where systemd finds units and what they pull in (systemd.unit(5)).
var unitDirs = []string{"etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system", "usr/local/lib/systemd/system"}

// generatorDirs make units from fstab, SysV scripts and the like at boot
// (systemd.generator(7)); the copy has no use for any of them.
var generatorDirs = []string{"etc/systemd/system-generators", "usr/lib/systemd/system-generators", "lib/systemd/system-generators",
	"usr/local/lib/systemd/system-generators", "etc/init.d", "etc/rc.local"}

// quieten makes the copy at root boot into Target alone.
func quieten(root string) error {
	var errs []error
	for _, dir := range generatorDirs {
		errs = append(errs, os.RemoveAll(filepath.Join(root, dir)))
	}
	for _, dir := range unitDirs {
		for _, target := range hollow {
			errs = append(errs, os.RemoveAll(filepath.Join(root, dir, target+".wants")), os.RemoveAll(filepath.Join(root, dir, target+".requires")))
		}
	}
	system := filepath.Join(root, "etc/systemd/system")
	errs = append(errs, os.MkdirAll(system, 0o755))
	for _, target := range hollow {
		errs = append(errs, replace(filepath.Join(system, target), "[Unit]\nDescription=Nothing, in a rehearsal\nDefaultDependencies=no\n"))
	}
	errs = append(errs,
		replace(filepath.Join(system, Target), targetText),
		// A package's script that starts its daemon would disturb only the
		// copy, but it would also make the rehearsal longer.
		replace(filepath.Join(root, "usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n"),
		os.Chmod(filepath.Join(root, "usr/sbin/policy-rc.d"), 0o755))
	return errors.Join(errs...)
}

// replace writes a file anew: what stood there may be a link to /dev/null.
func replace(path, text string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
