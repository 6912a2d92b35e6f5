package rehearse

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

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
		"/opt/a/b/c/runner/.credentials": 0o644, "/data/open": 0o644, "/usr/mail/me": 0o644,
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
	// Links that lead out of the copy, to the machine itself.
	put(t, root, map[string]fs.FileMode{"/var/": 0o755})
	for link, target := range map[string]string{"opt/linked": "opt/a/b/c/runner", "var/mail": "usr/mail"} {
		if err := os.Symlink(filepath.Join(root, target), filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
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
