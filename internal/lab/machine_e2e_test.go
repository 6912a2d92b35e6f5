//go:build e2e

package lab_test

import (
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

func TestTreeOfAMachine(t *testing.T) {
	t.Parallel()
	m := boot(t, lab.Debian12, lab.Options{})
	read := func() lab.Tree {
		start := time.Now()
		tree, err := m.HashTree(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d paths in %s", len(tree), time.Since(start))
		return tree
	}
	before := read()
	if err := m.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lines := before.Touched(read()); lines != nil {
		t.Errorf("a reboot alone changed:\n%s", strings.Join(lines, "\n"))
	}
	must(t, m, "useradd --system bench")
	changed := strings.Join(before.Changed(read()), "\n")
	for _, path := range []string{"/etc/passwd:", "/etc/shadow:", "/etc/group:"} {
		if !strings.Contains(changed, path) {
			t.Errorf("useradd is not seen to change %s", path)
		}
	}
}

func TestCpufreqIsWritableAndForgotten(t *testing.T) {
	t.Parallel()
	m := boot(t, lab.Debian12, lab.Options{Cpufreq: &lab.Cpufreq{}})
	const governors = "cat /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
	if got := must(t, m, governors); got != "powersave\npowersave" {
		t.Fatalf("governors after a boot: %q", got)
	}
	must(t, m, "echo performance >/sys/devices/system/cpu/cpufreq/policy1/scaling_governor")
	if got := must(t, m, governors); got != "powersave\nperformance" {
		t.Errorf("governors after writing one: %q", got)
	}
	if err := m.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := must(t, m, governors); got != "powersave\npowersave" {
		t.Errorf("governors after a reboot: %q", got)
	}
}

func TestHostsAndBinds(t *testing.T) {
	t.Parallel()
	m := boot(t, lab.Debian13, lab.Options{
		Hostname: "bench-1",
		Hosts:    map[string]string{"github.com": "127.7.7.7"},
		Binds:    map[string]string{t.TempDir(): "/srv/shared"},
	})
	if got := must(t, m, "getent ahostsv4 github.com | head -1; hostname; touch /srv/shared/x"); !strings.HasPrefix(got, "127.7.7.7") || !strings.HasSuffix(got, "\nbench-1") {
		t.Errorf("the machine says %q", got)
	}
}

func TestLegacyCgroups(t *testing.T) {
	t.Parallel()
	m := boot(t, lab.Debian12, lab.Options{LegacyCgroups: true})
	if got := must(t, m, "stat -f -c %T /sys/fs/cgroup"); got != "tmpfs" {
		t.Errorf("/sys/fs/cgroup is %s, want the tmpfs of the old hierarchy", got)
	}
	unified := boot(t, lab.Debian12, lab.Options{})
	if got := must(t, unified, "stat -f -c %T /sys/fs/cgroup"); got != "cgroup2fs" {
		t.Errorf("/sys/fs/cgroup is %s, want cgroup2fs", got)
	}
}

func TestPrivateNetworkHasNoWayOut(t *testing.T) {
	t.Parallel()
	m := boot(t, lab.Debian12, lab.Options{PrivateNetwork: true})
	if got := must(t, m, "ls /sys/class/net"); got != "lo" {
		t.Errorf("network devices: %q, want only lo", got)
	}
}

// What the machine's own root cannot do must fail in Run too, though we who
// call it could.
func TestRunHasTheRightsOfTheMachine(t *testing.T) {
	t.Parallel()
	m := boot(t, lab.Debian12, lab.Options{})
	r, err := m.Run(t.Context(), "grep", "Seccomp:", "/proc/self/status")
	if err != nil || strings.Join(strings.Fields(r.Stdout), " ") != "Seccomp: 2" {
		t.Errorf("a command ran without the machine's seccomp filter: %+v, %v", r, err)
	}
}
