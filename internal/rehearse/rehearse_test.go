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

// copyOf is what the copy of a tree would hold.
func copyOf(t *testing.T, s *screen) *os.Root {
	t.Helper()
	for _, dir := range s.dirs {
		entries, _ := os.ReadDir(filepath.Join(s.root, dir))
		for _, entry := range entries {
			if err := os.RemoveAll(filepath.Join(s.root, dir, entry.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	root, err := os.OpenRoot(s.root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestTheCopyHoldsNoSecret(t *testing.T) {
	t.Parallel()
	const home = "/var/lib/gha-runner"
	secrets := map[string]fs.FileMode{
		"/etc/ssh/ssh_host_ed25519_key": 0o600, "/etc/shadow-": 0o640, "/etc/apt/auth.conf": 0o644, "/etc/apt/auth.conf.d/esm": 0o644,
		"/etc/benchctl/token": 0o600, "/etc/benchctl/open-token": 0o644, "/etc/ppp/chap-secrets": 0o640,
		"/var/lib/benchctl/originals.json": 0o644, "/var/lib/mysql/data": 0o640, "/var/lib/closed/open": 0o644, "/var/log/apt/term.log": 0o640,
		"/opt/app/secret": 0o600, "/usr/local/etc/key": 0o600, "/opt/nfs/file": 0o644, "/var/cache/site/x": 0o644, "/var/log/boot.log": 0o600,
		"/opt/actions-runner/.credentials_rsaparams": 0o600, "/opt/actions-runner/.credentials": 0o644, "/opt/actions-runner/.env": 0o644,
		home + "/actions-runner/.credentials": 0o644, home + "/actions-runner/bin/Runner.Listener": 0o755, home + "/.netrc": 0o644,
		home + "/.phoronix-test-suite/test-results/x": 0o644,
		"/home/ana/.ssh/id_ed25519":                   0o600, "/home/ci/.aws/credentials": 0o644, "/home/ci/notes": 0o644, "/home/list": 0o644, "/root/x": 0o644,
		"/data/runner/.credentials": 0o644,
	}
	kept := map[string]fs.FileMode{
		"/etc/passwd": 0o644, "/etc/apt/sources.list": 0o644, "/var/lib/dpkg/lock": 0o640, "/var/lib/dpkg/status": 0o644,
		"/usr/bin/sudo": 0o4711, "/etc/sudoers": 0o440, home + "/.phoronix-test-suite/user-config.xml": 0o644,
		"/opt/actions-runner/bin/Runner.Listener": 0o755, "/home/ci/": 0o700, home + "/": 0o1770,
	}
	root := t.TempDir()
	put(t, root, secrets)
	put(t, root, kept)
	put(t, root, map[string]fs.FileMode{"/var/lib/closed/": 0o700})
	for path, text := range map[string]string{"/etc/shadow": "root:$y$canary:19000:0:99999:7:::\nsys:*:1::::::\nme:!$y$canary:1::::::\n"} {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	// A runner behind a link that leads out of the copy, to the machine itself.
	if err := os.Symlink(filepath.Join(root, "data/runner"), filepath.Join(root, "opt/linked")); err != nil {
		t.Fatal(err)
	}
	s := &screen{root: root, homes: []string{home, "/home/ci"}, skip: []string{"/opt/nfs"}}
	if err := s.raise("/etc/benchctl/open-token", ""); err != nil {
		t.Fatal(err)
	}
	at := copyOf(t, s)
	if n, err := s.lower(at); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	for path := range secrets {
		if _, err := at.Lstat(path[1:]); err == nil {
			t.Errorf("%s is in the copy", path)
		}
	}
	for path := range kept {
		if _, err := at.Lstat(strings.Trim(path, "/")); err != nil {
			t.Errorf("%s is not in the copy", path)
		}
	}
	shadow, _ := at.ReadFile("etc/shadow")
	if string(shadow) != "root:$none$:19000:0:99999:7:::\nsys:*:1::::::\nme:!$none$:1::::::\n" {
		t.Errorf("shadow is %q", shadow)
	}
}

// A file that a link would lead to on this machine is never removed there.
func TestLinksDoNotLeadOutOfTheCopy(t *testing.T) {
	t.Parallel()
	machine, root := t.TempDir(), t.TempDir()
	put(t, machine, map[string]fs.FileMode{"/runner/.credentials": 0o644, "/system/multi-user.target": 0o644})
	put(t, root, map[string]fs.FileMode{"/etc/systemd/": 0o755, "/opt/": 0o755})
	for link, target := range map[string]string{"/opt/runner": "/runner", "/etc/systemd/system": "/system"} {
		if err := os.Symlink(machine+target, root+link); err != nil {
			t.Fatal(err)
		}
	}
	at, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	s := &screen{root: root, files: []string{"/opt/runner/.credentials"}}
	if _, err := s.lower(at); err == nil {
		t.Error("a file that could not be taken out of the copy was passed over")
	}
	if quieten(at) == nil {
		t.Error("units were written through a link")
	}
	for _, path := range []string{"/runner/.credentials", "/system/multi-user.target"} {
		if data, err := os.ReadFile(machine + path); err != nil || string(data) != "canary" {
			t.Errorf("%s of the machine itself: %q, %v", path, data, err)
		}
	}
}

func TestHomesThatCarryTheSystemStay(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put(t, root, map[string]fs.FileMode{"/usr/bin/sh": 0o755, "/var/lib/dpkg/status": 0o644, "/var/lib/other/x": 0o644, "/var/lib/key": 0o600})
	for _, home := range []string{"/", "/usr", "/usr/games", "/var/lib", "/nonexistent"} {
		s := &screen{root: root, homes: []string{home}}
		if err := s.raise(); err != nil {
			t.Errorf("%s: %v", home, err)
		}
		if !slices.Contains(s.files, "/var/lib/key") {
			t.Errorf("with the home %s, /var/lib/key is in the copy", home)
		}
		for _, dir := range []string{"/usr/bin", "/var/lib/dpkg", "/var/lib/other"} {
			if s.hides(dir) {
				t.Errorf("with the home %s, %s is hidden", home, dir)
			}
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
	})
	at, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	if err := quieten(at); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"etc/systemd/system/*.wants/[^a]*", "etc/systemd/system/[^m]*.wants", "usr/lib/systemd/system/*.wants", "etc/systemd/system/*.requires",
		"usr/lib/systemd/system-generators", "etc/init.d", "usr/share/dbus-1/system-services"} {
		if found, _ := filepath.Glob(filepath.Join(root, pattern)); len(found) > 0 {
			t.Errorf("left: %v", found)
		}
	}
	for _, kept := range []string{runnerWants + "/actions.runner.x.y.service", "usr/lib/systemd/system/dbus.service", "etc/systemd/system/" + Target} {
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
