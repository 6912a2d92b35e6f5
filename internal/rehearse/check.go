package rehearse

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
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
	if missing := lacking(); len(missing) > 0 {
		return fmt.Errorf("cannot rehearse: it takes what is not installed here; run apt-get install %s", strings.Join(missing, " "))
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		return errors.New("cannot rehearse: this machine has no systemd, which benchctl needs; install it, or use a host that has")
	}
	return nil
}

// lacking names the packages of the programs that are not there.
func lacking() (packages []string) {
	for _, need := range []struct{ pkg, program string }{
		{"systemd-container", "systemd-nspawn"}, {"util-linux", "unshare"}, {"util-linux", "nsenter"},
	} {
		if _, err := exec.LookPath(need.program); err != nil {
			packages = append(packages, need.pkg)
		}
	}
	if _, err := os.Stat("/usr/lib/systemd/system/dbus.service"); err != nil {
		if _, err := os.Stat("/lib/systemd/system/dbus.service"); err != nil {
			packages = append(packages, "dbus")
		}
	}
	return slices.Compact(packages)
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
