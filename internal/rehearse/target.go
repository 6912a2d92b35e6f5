package rehearse

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
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

// activationDirs name the services that D-Bus starts when somebody calls them,
// as apt calls PackageKit (dbus-daemon(1)).
var activationDirs = []string{"usr/share/dbus-1/system-services", "usr/local/share/dbus-1/system-services", "lib/dbus-1/system-services"}

// runnerWants are the links by which a runner's unit and the agent's start at
// boot. Nothing reaches that target in the copy, so they may stay, and are in
// step if they are.
const runnerWants = "etc/systemd/system/multi-user.target.wants"

// quieten makes the copy at root boot into Target alone.
func quieten(root *os.Root) error {
	var errs []error
	for _, dir := range slices.Concat(generatorDirs, activationDirs) {
		errs = append(errs, root.RemoveAll(dir))
	}
	for _, dir := range unitDirs {
		for _, target := range hollow {
			errs = append(errs, unwant(root, path.Join(dir, target+".wants")), root.RemoveAll(path.Join(dir, target+".requires")))
		}
	}
	const system = "etc/systemd/system/"
	for _, target := range hollow {
		errs = append(errs, replace(root, system+target, "[Unit]\nDescription=Nothing, in a rehearsal\nDefaultDependencies=no\n", 0o644))
	}
	errs = append(errs,
		replace(root, system+Target, targetText, 0o644),
		// A package's script that starts its daemon would disturb only the
		// copy, but it would also make the rehearsal longer.
		replace(root, "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755))
	return errors.Join(errs...)
}

// unwant takes out what a target pulls in.
func unwant(root *os.Root, dir string) error {
	if dir != runnerWants {
		return root.RemoveAll(dir)
	}
	links, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return ignoreGone(err)
	}
	var errs []error
	for _, link := range links {
		if name := link.Name(); !strings.HasPrefix(name, "actions.runner.") && name != "benchctl.service" {
			errs = append(errs, root.RemoveAll(path.Join(dir, link.Name())))
		}
	}
	return errors.Join(errs...)
}

// replace writes a file anew: what stood there may be a link to /dev/null.
func replace(root *os.Root, name, text string, mode fs.FileMode) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := root.WriteFile(name, []byte(text), mode); err != nil {
		return err
	}
	return root.Chmod(name, mode)
}
