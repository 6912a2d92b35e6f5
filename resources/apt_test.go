package resources

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Simulations as apt 2.6 and 3.0 print them.
const (
	planInstall = `Reading package lists...
Building dependency tree...
Inst libcurl3-gnutls (7.88.1-10+deb12u15 Debian:12.15/oldstable [amd64])
Inst git (1:2.39.5-0+deb12u3 Debian:12.15/oldstable [amd64])
Conf git (1:2.39.5-0+deb12u3 Debian:12.15/oldstable [amd64])
`
	planUpgrade = `Inst perl-base [5.36.0-7+deb12u1] (5.36.0-7+deb12u3 Debian:12.15/oldstable [amd64]) [perl:amd64 ]
Inst git (1:2.39.5-0+deb12u3 Debian:12.15/oldstable [amd64])
`
	planRemove = `Remv git [1:2.47.3-0+deb13u1]
Inst phoronix-test-suite [10.8.5] (10.8.6 local-deb [all])
`
	planDowngrade = `The following packages will be DOWNGRADED:
  phoronix-test-suite
Inst phoronix-test-suite [10.8.6] (10.8.5 local-deb [all])
Conf phoronix-test-suite (10.8.5 local-deb [all])
`
)

func TestPlanIsRefusedWhenItTouchesOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, plan, refused string
		own                 []string
	}{
		{"new packages only", planInstall, "", nil},
		{"an upgrade", planUpgrade, "change perl-base from 5.36.0-7+deb12u1 to 5.36.0-7+deb12u3", nil},
		{"a removal", planRemove, "remove git 1:2.47.3-0+deb13u1", []string{"phoronix-test-suite"}},
		{"a removal of what is asked for", "Remv git [1.0]\n", "remove git 1.0", []string{"git"}},
		{"its own version", planDowngrade, "", []string{"phoronix-test-suite"}},
		{"a downgrade of another", planDowngrade, "change phoronix-test-suite from 10.8.6 to 10.8.5", []string{"git"}},
		{"unpacking the same anew", "Inst git [1.0] (1.0 Debian:12 [amd64])\n", "", nil},
		{"purging", "Purg git [1.0]\n", "remove git 1.0", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := NewApt().permit(parseAptPlan(tt.plan), tt.own)
			if tt.refused == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tt.refused != "" && (err == nil || !strings.Contains(err.Error(), "apt would also "+tt.refused+";")) {
				t.Errorf("error %v, want it to name %q", err, tt.refused)
			}
			if err := (&Apt{AllowUpgrades: true}).permit(parseAptPlan(tt.plan), tt.own); err != nil {
				t.Errorf("refused although upgrades are allowed: %v", err)
			}
		})
	}
	if plan := parseAptPlan(planDowngrade); !plan.downgrades || parseAptPlan(planRemove).downgrades {
		t.Error("a downgrade was not told from an upgrade")
	}
}

// What apt and dpkg really print, and what becomes of it.
func TestAptErrorsAreSentences(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		printed, want string
		stale         bool
	}{
		{"E: Unable to locate package nonsuch\n", "cannot install nonsuch: no source of apt has a package called nonsuch (E: Unable to locate package nonsuch);", true},
		{"E: Package 'nonsuch' has no installation candidate\n", "no source of apt has nonsuch to install", true},
		{"E: Failed to fetch http://mirror.example/x.deb  Temporary failure resolving 'mirror.example'\n", "the name mirror.example cannot be resolved", false},
		{"W: Failed to fetch http://127.0.0.1:9/InRelease  Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)\n", "127.0.0.1:9 cannot be reached", false},
		{"E: Failed to fetch http://m/x.deb  404  Not Found [IP: 1.2.3.4 80]\n", "no longer has a file that apt's lists name", true},
		{"E: Failed to fetch http://m/x.deb  Hash Sum mismatch\n", "not what the mirror's signed lists say", true},
		{"E: You don't have enough free space in /var/cache/apt/archives/.\n", "the disk is full", false},
		{"E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 12 (apt)\n", "another program holds /var/lib/dpkg/lock-frontend", false},
		{"W: GPG error: http://m stable InRelease: The following signatures couldn't be verified because the public key is not available: GOODSIG 9414CF650C731EDD\nE: The repository 'http://m stable InRelease' is not signed.\n", "not signed by the key that was pinned", false},
		{"W: OpenPGP signature verification failed: http://m stable InRelease: Sub-process /usr/bin/sqv returned an error code (1)\nE: The repository 'http://m stable InRelease' is not signed.\n", "not signed by the key that was pinned", false},
		{"  No good signature from required signer: 5D795B81E78EBD67D34085A716B313E2056E5015\n", "not signed by the key that was pinned", false},
		{"dpkg: error processing package hello (--configure):\n installed hello package post-installation script subprocess returned error exit status 1\n", "the package hello could not be set up", false},
		{"E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem. \n", "dpkg was interrupted", false},
		{"something new\n", "apt-get ended with status 100: something new", false},
	} {
		err := aptError([]string{"install", "nonsuch"}, &host.CommandError{Argv: []string{"apt-get"}, Status: 100, Output: host.Output{Stdout: []byte("Reading package lists...\n" + tt.printed)}})
		if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "cannot install nonsuch: ") || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%q became %q, want %q in it", tt.printed, err, tt.want)
		}
		if staleLists(err) != tt.stale {
			t.Errorf("%q: stale lists %v, want %v", tt.printed, !tt.stale, tt.stale)
		}
	}
}

// A script plays apt: what it answers to the n-th command that contains a text.
type script map[string][]string

func (s script) run(cmd host.Command) (host.Output, error) {
	line := strings.Join(cmd.Argv, " ")
	for key, answers := range s {
		if !strings.Contains(line, key) || len(answers) == 0 {
			continue
		}
		s[key] = answers[1:]
		out := host.Output{Stdout: []byte(answers[0])}
		if strings.HasPrefix(answers[0], "E: ") {
			return out, &host.CommandError{Argv: cmd.Argv, Status: 100, Output: out}
		}
		return out, nil
	}
	return host.Output{}, nil
}

// verbs are what apt was asked to do, without its options.
func verbs(m *hosttest.Machine) (said []string) {
	for _, argv := range m.Ran {
		switch {
		case slices.Contains(argv, "-s"):
			said = append(said, "simulate")
		case slices.Contains(argv, "update"):
			said = append(said, "update")
		case slices.Contains(argv, "install"):
			said = append(said, "install")
		default:
			said = append(said, argv[0])
		}
	}
	return said
}

func TestListsAreFetchedOnlyWhenNeeded(t *testing.T) {
	t.Parallel()
	unknown := "E: Unable to locate package git\n"
	for _, tt := range []struct {
		name string
		apt  script
		want string
		err  string
	}{
		{"known", script{"-s": {planInstall}}, "simulate install", ""},
		{"unknown until fetched", script{"-s": {unknown, planInstall}}, "simulate update simulate install", ""},
		{"unknown after all", script{"-s": {unknown, unknown}}, "simulate update simulate", "no source of apt has a package called git"},
		{"gone from the mirror", script{"-s": {planInstall, planInstall}, "--no-remove": {"E: Failed to fetch x 404  Not Found", ""}}, "simulate install update simulate install", ""},
		{"no mirror", script{"-s": {unknown, unknown}, " update": {"W: Failed to fetch http://m/InRelease  Could not connect to m:80 (1.2.3.4)."}}, "simulate update simulate", "m:80 cannot be reached"},
		{"refused", script{"-s": {planUpgrade}}, "simulate", "--allow-upgrades"},
		{"disk full", script{"-s": {planInstall}, "--no-remove": {"E: Write error - write (28: No space left on device)"}}, "simulate install", "the disk is full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := hosttest.New(t, "")
			m.WriteFile(dpkgStatusFile, dpkg())
			m.OnRun = tt.apt.run
			err := NewApt().install(t.Context(), m, aptInstall{args: []string{"git"}})
			if got := strings.Join(verbs(m), " "); got != tt.want {
				t.Errorf("apt was asked to %q, want %q", got, tt.want)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func TestAptRunsWithoutQuestions(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	m.WriteFile(dpkgStatusFile, dpkg())
	var envs [][]string
	m.OnRun = func(cmd host.Command) (host.Output, error) {
		envs = append(envs, cmd.Env)
		return host.Output{Stdout: []byte(planDowngrade)}, nil
	}
	err := NewApt().install(t.Context(), m, aptInstall{args: []string{"./x.deb"}, own: []string{"phoronix-test-suite"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range envs {
		for _, want := range []string{"DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1", "LC_ALL=C.UTF-8"} {
			if !slices.Contains(env, want) {
				t.Errorf("apt ran without %s", want)
			}
		}
	}
	last := m.Ran[len(m.Ran)-1]
	for _, want := range []string{"-y", "--no-install-recommends", "--no-remove", "--allow-downgrades", "Dpkg::Options::=--force-confold"} {
		if !slices.Contains(last, want) {
			t.Errorf("apt-get ran without %s: %q", want, last)
		}
	}
}

// lock makes process 4211 hold dpkg's lock.
func lock(t *testing.T, m *hosttest.Machine) {
	t.Helper()
	m.WriteFile("/proc/locks", "1: OFDLCK ADVISORY  WRITE -1 fe:00:811026 0 EOF\n2: POSIX  ADVISORY  WRITE 77 00:4b:1 0 EOF\n3: POSIX  ADVISORY  WRITE 4211 00:4b:789295 0 EOF\n")
	m.WriteFile("/proc/77/fd/", "")
	m.WriteFile("/proc/4211/cmdline", "/usr/bin/python3\x00/usr/bin/unattended-upgrade\x00--download-only\x00")
	m.WriteFile("/proc/4211/fd/", "")
	if err := os.Symlink("/var/lib/dpkg/lock-frontend", m.Path("/proc/4211/fd/5")); err != nil {
		t.Fatal(err)
	}
}

func TestLockHolderIsNamed(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	m.WriteFile(dpkgStatusFile, dpkg())
	if who, held := aptLockedBy(m); held {
		t.Fatalf("nobody holds the lock, and %s is named", who)
	}
	lock(t, m)
	apt := NewApt()
	apt.lockWait = 0
	var said []string
	ctx := reconcile.WithProgress(t.Context(), func(line string) { said = append(said, line) })
	err := apt.install(ctx, m, aptInstall{args: []string{"git"}})
	if err == nil || !strings.Contains(err.Error(), "unattended-upgrade (pid 4211) has held apt's lock") {
		t.Errorf("error %v, want the holder in it", err)
	}
	if len(m.Ran) > 0 {
		t.Errorf("ran %q although the lock is held", m.Ran)
	}

	apt.lockWait = time.Hour
	m.OnRun = script{"-s": {planInstall}}.run
	ctx = reconcile.WithProgress(t.Context(), func(line string) {
		said = append(said, line)
		os.Remove(m.Path("/proc/locks"))
	})
	if err := apt.install(ctx, m, aptInstall{args: []string{"git"}}); err != nil {
		t.Errorf("after the lock was released: %v", err)
	}
	if !slices.Contains(said, "waiting for unattended-upgrade (pid 4211), which is changing packages") {
		t.Errorf("said %q", said)
	}
}

func TestHalfDonePackagesAreDriftUnlessSomebodyIsAtIt(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	m.WriteFile(dpkgStatusFile, dpkg()+stanza("hello", "install ok half-configured", "amd64", "2.10"))
	m.WriteFile(dpkgUpdates+"/0001", "")
	var c dpkgCache
	d, err := c.read(m)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := brokenChanges(m, d)
	if got := say(changes); got != "dpkg: interrupted -> idle; hello: half-configured -> installed" || err != nil {
		t.Errorf("diff says %q, %v", got, err)
	}
	lock(t, m)
	if changes, err := brokenChanges(m, d); len(changes) > 0 || !errors.Is(err, reconcile.ErrUnknown) {
		t.Errorf("while dpkg is at work: %q, %v; want unknown", say(changes), err)
	}
}
