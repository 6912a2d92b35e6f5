package linux

import (
	"os"
	"path/filepath"
	"testing"
)

// How a file system is mounted is what process 1 sees: a service in a sandbox
// has all of the machine mounted read-only, and would take that for a fault.
func TestDiskIsMountedAsProcessOneSeesIt(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	for _, dir := range []string{"/proc/1", "/proc/self", "/srv/read only", "/srv/noexec/inner", "/srv/hidden"} {
		if err := os.MkdirAll(m.at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("noexec", m.at("/srv/link")); err != nil {
		t.Fatal(err)
	}
	write(t, m.at("/proc/self/mountinfo"), "1 0 8:1 / / ro,noexec - ext4 /dev/a ro\n")
	write(t, m.at("/proc/1/mountinfo"), `27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/a rw,errors=remount-ro
28 27 8:2 / /srv/read\040only rw,relatime - ext4 /dev/b ro
29 27 8:3 / /srv/noexec rw,nosuid,noexec shared:2 master:3 - tmpfs tmpfs rw
30 27 8:4 / /srv/hidden ro - ext4 /dev/c rw
31 27 8:5 / /srv/hidden rw - ext4 /dev/d rw
nonsense
`)
	for path, want := range map[string]struct {
		mount            string
		readOnly, noExec bool
	}{
		"/":                       {mount: "/"},
		"/srv":                    {mount: "/"},
		"/srv/read only/to/come":  {mount: "/srv/read only", readOnly: true},
		"/srv/read onlyish":       {mount: "/"},
		"/srv/noexec/inner":       {mount: "/srv/noexec", noExec: true},
		"/srv/link/inner/to/come": {mount: "/srv/noexec", noExec: true},
		"/srv/hidden":             {mount: "/srv/hidden"},
	} {
		d, err := m.Disk(path)
		if err != nil || d.Mount != want.mount || d.ReadOnly != want.readOnly || d.NoExec != want.noExec {
			t.Errorf("%s: %+v, %v, want %+v", path, d, err, want)
		}
		if d.Free == 0 {
			t.Errorf("%s: nothing is free", path)
		}
	}
	if err := os.RemoveAll(filepath.Dir(m.at("/proc/1/mountinfo"))); err != nil {
		t.Fatal(err)
	}
	if d, err := m.Disk("/srv"); err != nil || !d.ReadOnly || !d.NoExec {
		t.Errorf("with process 1 hidden: %+v, %v", d, err)
	}
}
