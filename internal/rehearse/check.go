package rehearse

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Check says in a sentence why this machine cannot be rehearsed on, and what
// to do about it.
func Check() error {
	if os.Geteuid() != 0 {
		return errors.New("cannot rehearse: booting a copy of this machine takes root; run it with sudo")
	}
	if kind := container(); kind != "" {
		return fmt.Errorf("cannot rehearse inside a container (%s): a copy of it could not boot a systemd of its own; "+
			"rehearse on the machine itself, or in a virtual machine", kind)
	}
	for program, pkg := range map[string]string{
		"systemd-nspawn": "systemd-container", "unshare": "util-linux", "nsenter": "util-linux",
	} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("cannot rehearse: %s is not installed; run apt-get install %s", program, pkg)
		}
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		return errors.New("cannot rehearse: this machine has no systemd, which benchctl needs; install it, or use a host that has")
	}
	if _, err := os.Stat("/usr/bin/dbus-daemon"); err != nil {
		return errors.New("cannot rehearse: D-Bus is not installed; run apt-get install dbus")
	}
	return nil
}

// initialPIDNamespace is what the first PID namespace is called, on every
// kernel (PROC_PID_INIT_INO in include/uapi/linux/nsfs.h and its forerunners).
const initialPIDNamespace = "pid:[4026531836]"

// container names the container that we run in, "" on a machine. The kernel
// decides; who runs the container is only a hint, since an image's marks
// outlive the image's use as a machine's root.
func container() string {
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns == initialPIDNamespace {
		return ""
	}
	if data, err := os.ReadFile("/run/systemd/container"); err == nil {
		return strings.TrimSpace(string(data))
	}
	for path, kind := range map[string]string{"/.dockerenv": "docker", "/run/.containerenv": "podman"} {
		if _, err := os.Stat(path); err == nil {
			return kind
		}
	}
	return "of an unknown kind"
}

// tooDeep explains the one refusal of overlayfs that a person can act on.
func tooDeep(err error) error {
	if err == nil || !strings.Contains(err.Error(), "overlay") {
		return err
	}
	return fmt.Errorf("%w; if this machine's root is itself made of overlays (a live system, a container image), "+
		"one more layer is too many: rehearse on a machine whose root is a disk", err)
}
