package rehearse

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMounts(t *testing.T) {
	t.Parallel()
	carried, left := splitMounts([]byte(`22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /proc rw - proc proc rw
24 22 8:2 / /var rw shared:2 - xfs /dev/sda2 rw
25 24 8:3 / /var/lib/my\040data rw - ext4 /dev/sda3 rw
26 22 0:6 / /srv/share rw - nfs4 server:/x rw
27 22 0:7 / /home/me/remote rw - fuse.sshfs me@x rw
28 26 8:4 / /srv/share/disk rw - ext4 /dev/sdb1 rw
29 22 0:8 / /dev/shm rw - tmpfs tmpfs rw
30 22 8:5 / /boot/efi rw - vfat /dev/sda5 rw
31 22 0:9 / /opt rw - ext4 /dev/sdc1 rw
32 31 0:9 / /opt rw - tmpfs covers rw
33 24 0:9 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
broken line
`))
	paths := func(mounts []mount) (paths []string) {
		for _, m := range mounts {
			paths = append(paths, m.path)
		}
		return paths
	}
	if got, want := paths(carried), []string{"/var", "/var/lib/my data"}; !slices.Equal(got, want) {
		t.Errorf("carried %q, want %q", got, want)
	}
	if got, want := paths(left), []string{"/boot/efi", "/home/me/remote", "/opt", "/srv/share", "/srv/share/disk", "/var/lib/docker/overlay2/x/merged"}; !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
}

// put makes files below root; a path that ends in a slash is a directory.
func put(t *testing.T, root string, files map[string]fs.FileMode) {
	t.Helper()
	for path := range files {
		at := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "/") {
			continue
		}
		if err := os.WriteFile(at, []byte("canary"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, mode := range files {
		if err := os.MkdirAll(filepath.Join(root, path), 0o755); strings.HasSuffix(path, "/") && err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(root, path), mode); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQuietenLeavesNothingOfTheMachinesToStart(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put(t, root, map[string]fs.FileMode{
		"/etc/systemd/system/multi-user.target.wants/postgresql.service":       0o644,
		"/usr/lib/systemd/system/sysinit.target.wants/plymouth.service":        0o644,
		"/etc/systemd/system/timers.target.wants/apt-daily.timer":              0o644,
		"/usr/lib/systemd/system/basic.target":                                 0o644,
		"/usr/share/dbus-1/system-services/org.freedesktop.PackageKit.service": 0o644,
		"/etc/init.d/legacy": 0o755,
		"/usr/lib/systemd/system-generators/systemd-fstab-generator":       0o755,
		"/etc/systemd/system/sockets.target.requires/something.socket":     0o644,
		"/usr/lib/systemd/system/dbus.service":                             0o644,
		"/etc/systemd/system/graphical.target":                             0o644,
		"/etc/systemd/system/network-online.target.wants/networkd.service": 0o644,

		"/etc/systemd/system/multi-user.target.wants/actions.runner.x.y.service": 0o644,
		"/etc/systemd/system/multi-user.target.wants/benchctl.service":           0o644,
	})
	at, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	if err := quieten(at); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"etc/systemd/system/*.wants/[^ab]*", "etc/systemd/system/[^m]*.wants", "usr/lib/systemd/system/*.wants", "etc/systemd/system/*.requires",
		"usr/lib/systemd/system-generators", "etc/init.d", "usr/share/dbus-1/system-services"} {
		if found, _ := filepath.Glob(filepath.Join(root, pattern)); len(found) > 0 {
			t.Errorf("left: %v", found)
		}
	}
	for _, kept := range []string{runnerWants + "/actions.runner.x.y.service", runnerWants + "/benchctl.service", "usr/lib/systemd/system/dbus.service", "etc/systemd/system/" + Target} {
		if _, err := os.Stat(filepath.Join(root, kept)); err != nil {
			t.Error(err)
		}
	}
}

func TestMirrorHosts(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for path, text := range map[string]string{
		"etc/apt/sources.list":                       "# deb http://commented.example/ x main\ndeb [arch=amd64] http://one.example/debian bookworm main\n",
		"etc/apt/sources.list.d/more.list":           "deb https://two.example:8443/x y z # http://no.example\n",
		"etc/apt/sources.list.d/debian.sources":      "Types: deb\nURIs: http://three.example/debian http://one.example/x\nSuites: bookworm\n",
		"etc/apt/sources.list.d/ignored.sources.bak": "URIs: http://old.example\n",
	} {
		put(t, root, map[string]fs.FileMode{path: 0o644})
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	hosts, err := mirrorHosts(root)
	if want := []string{"one.example", "three.example", "two.example"}; err != nil || !slices.Equal(hosts, want) {
		t.Errorf("got %v, %v", hosts, err)
	}
}

func TestMirrorProxyKnowsMirrorsAlone(t *testing.T) {
	t.Parallel()
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("packages at " + r.URL.Path))
	}))
	defer mirror.Close()
	proxy := newMirrorProxy([]string{"127.0.0.1"})
	front := httptest.NewServer(proxy)
	defer front.Close()
	address, _ := url.Parse(front.URL)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(address)}}
	for target, want := range map[string]int{
		mirror.URL + "/dists": http.StatusOK, "http://api.github.com/": http.StatusForbidden, "http://localhost/": http.StatusForbidden,
	} {
		resp, err := client.Get(target)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", target, resp.Status)
		}
	}
	if _, err := client.Get("https://github.com/"); err == nil {
		t.Error("a tunnel to github.com was opened")
	}
	if got := proxy.Refused(); !slices.Equal(got, []string{"api.github.com", "github.com", "localhost"}) {
		t.Errorf("refused %v", got)
	}
}
