//go:build e2e

package lab_test

import (
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

func TestTrustOfACertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // one of the two is to break off
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	l := &lab.Lab{Log: t.Logf}
	lower := []string{root(t, l, lab.Ubuntu2404, "curl")}
	for name, want := range map[string]struct {
		ca     []byte
		status int
	}{"trusted": {ca, 0}, "unknown": {nil, 60}} {
		t.Run(name, func(t *testing.T) {
			m, err := l.Boot(t.Context(), lab.Options{Lower: lower, CA: want.ca, Hosts: map[string]string{"example.com": "127.0.0.1"}})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
			r, err := m.Run(t.Context(), "curl", "-sS", "-o", "/dev/null", "https://example.com:"+port+"/")
			if err != nil || r.Status != want.status {
				t.Errorf("curl: %+v, %v; want status %d", r, err, want.status)
			}
		})
	}
}

// Paths are the machine's, whatever links it has: neither reading nor writing
// leads out of it.
func TestFilesStayInTheMachine(t *testing.T) {
	t.Parallel()
	m := boot(t, lab.Debian12, lab.Options{})
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("outside"), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, m, "ln -s "+outside+" /root/file; ln -s "+filepath.Dir(outside)+" /root/dir; ln -s ../../../../.."+outside+" /root/up")
	for _, path := range []string{"/root/file", "/root/dir/outside", "/root/up"} {
		if data, err := m.Read(path); err == nil {
			t.Errorf("reading %s led outside: %q", path, data)
		}
		if err := m.Put(path, []byte("changed"), 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			t.Errorf("writing %s: %v", path, err)
		}
	}
	if data, _ := os.ReadFile(outside); string(data) != "outside" {
		t.Errorf("writing led outside: %q", data)
	}
	if err := m.Put("/run/new/file", []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got := must(t, m, "stat -c '%a %U' /run/new/file"); got != "640 root" {
		t.Errorf("a file put into /run is %s", got)
	}
}
