package resources

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// accounts makes useradd and usermod do to the machine's files what they do to
// a real host's; anything else is an error.
func accounts(m *hosttest.Machine) {
	entry := host.Account{UID: 998, GID: 998}
	write := func() {
		m.WriteFile("/etc/passwd", fmt.Sprintf("root:x:0:0:root:/root:/bin/bash\n%s:x:%d:%d::%s:%s\n", entry.Name, entry.UID, entry.GID, entry.Home, entry.Shell))
		m.WriteFile("/etc/shadow", entry.Name+":!:1::::::\n")
		groups := entry.Name + ":x:998:\n"
		for _, g := range entry.Groups {
			groups += g + ":x:50:" + entry.Name + "\n"
		}
		m.WriteFile("/etc/group", groups)
	}
	m.OnRun = func(cmd host.Command) (host.Output, error) {
		entry.Name = cmd.Argv[len(cmd.Argv)-1]
		for i, arg := range cmd.Argv {
			switch arg {
			case "--home", "--home-dir":
				entry.Home = cmd.Argv[i+1]
			case "--shell":
				entry.Shell = cmd.Argv[i+1]
			case "--gid":
				entry.GID = 998
			case "--groups":
				entry.Groups = strings.FieldsFunc(cmd.Argv[i+1], func(r rune) bool { return r == ',' })
			case "useradd", "usermod", "--system", "--no-create-home", "--user-group", "--lock":
			}
		}
		write()
		return host.Output{}, nil
	}
}

// newUserHost is a host in whose tree the tester's own directories stand for
// root's.
func newUserHost(t *testing.T) *hosttest.Machine {
	t.Helper()
	m := hosttest.New(t, "-- etc/passwd --\nroot:x:0:0:root:/root:/bin/bash\n-- etc/group --\nroot:x:0:\nstaff:x:50:\n-- etc/shadow --\nroot:*:1::::::\n-- var/lib/ --\n")
	accounts(m)
	return m
}

func TestUserFromNothing(t *testing.T) {
	t.Parallel()
	m := newUserHost(t)
	s := laneSpec()
	s.User.Groups = []string{"staff"}
	u := user{s}
	wantOnly(t, diffOf(t, m, u), "account", "absent", "system account gha-runner with home /var/lib/gha-runner")
	settle(t, m, u)
	want := []string{"useradd", "--system", "--no-create-home", "--home-dir", "/var/lib/gha-runner", "--shell", "/usr/sbin/nologin", "--user-group", "--groups", "staff", "gha-runner"}
	if len(m.Ran) != 1 || !slices.Equal(m.Ran[0], want) {
		t.Errorf("ran %q", m.Ran)
	}
	info, err := m.Lstat("/var/lib/gha-runner")
	if err != nil || octal(info.Mode) != "1770" || info.UID != 0 || info.GID != 998 {
		t.Errorf("the home is %+v, %v", info, err)
	}
}

func TestUserDrift(t *testing.T) {
	t.Parallel()
	const home = "/var/lib/gha-runner"
	for name, c := range map[string]struct {
		breaks            func(*hosttest.Machine) error
		field, have, want string
	}{
		"shell":    {edit("/etc/passwd", "/usr/sbin/nologin", "/bin/bash"), "shell", "/bin/bash", "/usr/sbin/nologin"},
		"home":     {edit("/etc/passwd", home, "/tmp"), "home", "/tmp", home},
		"groups":   {edit("/etc/group", "gha-runner:x:998:\n", "gha-runner:x:998:\nsudo:x:27:ana,gha-runner\n"), "groups", "sudo", "none"},
		"group":    {edit("/etc/passwd", ":998:998:", ":998:50:"), "group", "50", "gha-runner"},
		"password": {edit("/etc/shadow", ":!:", ":$y$hash:"), "password", "not locked", "locked"},
		"home's mode": {func(m *hosttest.Machine) error { return os.Chmod(m.Path(home), 0o777) },
			"home directory", "root:gha-runner 0777", "root:gha-runner 1770"},
		"home gone": {func(m *hosttest.Machine) error { return os.Remove(m.Path(home)) },
			"home directory", "absent", "root:gha-runner 1770"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newUserHost(t)
			u := user{laneSpec()}
			settle(t, m, u)
			if err := c.breaks(m); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, diffOf(t, m, u), c.field, c.have, c.want)
			settle(t, m, u)
		})
	}
}

// What cannot be seen is neither locked nor open.
func TestPasswordThatCannotBeSeen(t *testing.T) {
	t.Parallel()
	m := newUserHost(t)
	u := user{laneSpec()}
	settle(t, m, u)
	if err := errors.Join(os.Remove(m.Path("/etc/shadow")), edit("/etc/passwd", "/usr/sbin/nologin", "/bin/sh")(m)); err != nil {
		t.Fatal(err)
	}
	changes, err := u.Diff(t.Context(), m)
	if !errors.Is(err, reconcile.ErrUnknown) || !strings.Contains(err.Error(), "/etc/shadow, which cannot be read; run as root") {
		t.Errorf("the error is %v", err)
	}
	wantOnly(t, changes, "shell", "/bin/sh", "/usr/sbin/nologin")
}

// An account that drifted into another group is mended, and what belongs to its
// own group is not given to the other meanwhile.
func TestTarballStaysWithTheAccountsOwnGroup(t *testing.T) {
	t.Parallel()
	m, tb := runnerHost(t)
	mustApply(t, m, tb)
	if err := edit("/etc/passwd", ":990:990:", ":990:50:")(m); err != nil {
		t.Fatal(err)
	}
	if changes := mustDiff(t, m, tb); len(changes) > 0 {
		t.Errorf("it follows the account: %+v", changes)
	}
	tb.Existing = true
	if got := fieldsOf(mustDiff(t, m, tb)); !slices.Contains(got, "installDir") {
		t.Errorf("an existing account is as it is; changes: %q", got)
	}
}

func edit(path, old, new string) func(*hosttest.Machine) error {
	return func(m *hosttest.Machine) error {
		text := m.Text(path)
		if !strings.Contains(text, old) {
			return fmt.Errorf("%s has no %q: %s", path, old, text)
		}
		m.WriteFile(path, strings.Replace(text, old, new, 1))
		return nil
	}
}

func TestAccountsOfOthersAreNotTakenOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ passwd, says string }{
		"a person":             {"gha-runner:x:1000:1000:Ana:/home/ana:/bin/bash", "belongs to a person (uid 1000)"},
		"a person, by shell":   {"gha-runner:x:1001:1001::/var/lib/gha-runner:/usr/sbin/nologin", "belongs to a person"},
		"a service":            {"gha-runner:x:110:115::/var/lib/postgresql:/bin/bash", "was there before benchctl"},
		"a locked service":     {"gha-runner:x:33:33:www-data:/var/www:/usr/sbin/nologin", "was there before benchctl"},
		"root by another name": {"gha-runner:x:0:0::/var/lib/gha-runner:/usr/sbin/nologin", "root by another name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newUserHost(t)
			m.WriteFile("/etc/passwd", c.passwd+"\n")
			m.WriteFile("/etc/shadow", "gha-runner:!:1::::::\n")
			_, err := user{laneSpec()}.Diff(t.Context(), m)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want %q", err, c.says)
			}
		})
	}
}

func TestExistingAccountIsLeftAlone(t *testing.T) {
	t.Parallel()
	m := newUserHost(t)
	s := laneSpec()
	s.User = spec.User{Name: "ana", Home: "/home/ana", Existing: true}
	if _, err := (user{s}).Diff(t.Context(), m); err == nil || !strings.Contains(err.Error(), "nobody has that name") {
		t.Errorf("without the account: %v", err)
	}
	m.WriteFile("/etc/passwd", "ana:x:1000:1000::/home/ana:/bin/bash\n")
	if changes := diffOf(t, m, user{s}); changes != nil {
		t.Errorf("changes %+v", changes)
	}
	s.InstallDir = "/home/ana/actions-runner"
	m.WriteFile("/home/ana/", "")
	if err := os.Chown(m.Path("/home/ana"), 1000, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := (user{s}).Diff(t.Context(), m); err == nil || !strings.Contains(err.Error(), "belongs to uid 1000") {
		t.Errorf("a runner in a person's home: %v", err)
	}
	// As the error says: root's entries then stay where they are.
	if err := errors.Join(os.Chown(m.Path("/home/ana"), 0, 1000), os.Chmod(m.Path("/home/ana"), os.ModeSticky|0o770)); err != nil {
		t.Fatal(err)
	}
	if changes := diffOf(t, m, user{s}); changes != nil {
		t.Errorf("changes %+v", changes)
	}
}

func TestGroupWithMembersIsNotTakenOver(t *testing.T) {
	t.Parallel()
	m := newUserHost(t)
	m.WriteFile("/etc/group", "gha-runner:x:500:mallory\n")
	if err := (user{laneSpec()}).Apply(t.Context(), m); err == nil || !strings.Contains(err.Error(), "mallory") {
		t.Errorf("the error is %v", err)
	}
}

// diskHost is a machine whose file systems are as a test says.
type diskHost struct {
	host.Reader
	disk host.Disk
}

func (d diskHost) Disk(string) (host.Disk, error) { return d.disk, nil }

func TestPlacesWhereNoRunnerCanLive(t *testing.T) {
	t.Parallel()
	roomy := host.Disk{Mount: "/srv", Free: 100 << 30, Inodes: 1 << 20, FreeInodes: 1 << 20}
	for name, c := range map[string]struct {
		disk func(*host.Disk)
		says string
	}{
		"enough":            {func(*host.Disk) {}, ""},
		"no inodes counted": {func(d *host.Disk) { d.Inodes, d.FreeInodes = 0, 0 }, ""},
		"noexec":            {func(d *host.Disk) { d.NoExec = true }, "noexec"},
		"read-only":         {func(d *host.Disk) { d.ReadOnly = true }, "read-only"},
		"full":              {func(d *host.Disk) { d.Free = 5 << 30 }, "only 5.0 GiB are free, and a runner needs 20"},
		"no inodes":         {func(d *host.Disk) { d.FreeInodes = 10 }, "only 10 inodes"},
	} {
		disk := roomy
		c.disk(&disk)
		_, err := user{laneSpec()}.Diff(t.Context(), diskHost{newUserHost(t), disk})
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: the error is %v, want %q", name, err, c.says)
		}
	}
}

func TestDirectoriesAboveBelongToRoot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breaks func(*hosttest.Machine) error
		says   string
	}{
		"writable by all": {func(m *hosttest.Machine) error { return os.Chmod(m.Path("/var/lib"), 0o1777) }, "/var/lib can be written by others"},
		"another's":       {func(m *hosttest.Machine) error { return os.Chown(m.Path("/var"), 1000, 0) }, "/var belongs to uid 1000"},
		"through a link": {func(m *hosttest.Machine) error {
			return errors.Join(os.Remove(m.Path("/var/lib")), os.Symlink("../data", m.Path("/var/lib")),
				os.Mkdir(m.Path("/data"), 0o755), os.Chmod(m.Path("/data"), 0o777))
		}, "/data can be written by others"},
		"a file": {func(m *hosttest.Machine) error {
			return errors.Join(os.Remove(m.Path("/var/lib")), os.WriteFile(m.Path("/var/lib"), nil, 0o644))
		}, "/var/lib is no directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newUserHost(t)
			if err := c.breaks(m); err != nil {
				t.Fatal(err)
			}
			_, err := user{laneSpec()}.Diff(t.Context(), m)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want %q", err, c.says)
			}
		})
	}
}
