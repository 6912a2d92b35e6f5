//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A refusal is something that benchctl must not do, and the sentence by which
// it says so: name, reason, next step. Nothing on the host may change.
type refusal struct {
	name string
	// before makes it so, as root; after takes it back.
	before, after string
	fault         standin.Fault         // at GitHub, if it has a mode
	change        func(s string) string // of the spec
	env           []string              // API credentials when nil
	says          []string              // * is any text
}

// with replaces a line of the spec.
func with(old, new string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, new, 1) }
}

// versionLine of the spec is where a runner's archive can be given.
const versionLine = `version: "` + runnerPin + `"`

// archive has the runner come from a file with its right digest.
func archive(path string, data []byte) func(string) string {
	return with(versionLine, fmt.Sprintf("%s\n  archive: %s\n  sha256: %x", versionLine, path, sha256.Sum256(data)))
}

// hostile are archives that would write outside the runner's directory.
func hostile(t *testing.T) map[string][]byte {
	t.Helper()
	archives := map[string][]byte{}
	for name, files := range map[string][]standin.File{
		"traversal": {{Path: "/../../../../etc/evil", Mode: 0o644, Data: "x"}},
		"link":      {{Path: "/bin", Link: "/etc"}, {Path: "/bin/evil", Mode: 0o644, Data: "x"}},
		"no-runner": {{Path: "/README", Mode: 0o644, Data: "x"}},
	} {
		data, err := standin.TarGz("", files)
		if err != nil {
			t.Fatal(err)
		}
		archives[name] = data
	}
	return archives
}

const (
	asset = "https://github.com/actions/runner/releases/download/v" + runnerPin + "/actions-runner-linux-x64-" + runnerPin + ".tar.gz"
	page  = "https://github.com/" + repository + "/settings/actions/runners"
)

// beforeUser can be refused on a host that has nothing yet.
var beforeUser = []refusal{
	{name: "malformed spec", change: with("version: 1", "version: 7\nusr: x"), says: []string{"*runner.yaml:1:10: *", "*runner.yaml:2:1: *"}},
	{name: "user is a person", before: `useradd -m -s /bin/bash alice`, change: with("user: gha-runner", "user: alice"),
		says: []string{"cannot take over the account alice: it belongs to a person (uid 1000); choose another user name in the spec, or *"}},
	{name: "user is a service's", change: with("user: gha-runner", "user: daemon"),
		says: []string{"cannot take over the account daemon: it was there before benchctl (uid 1, home /usr/sbin, *"}},
	{name: "disk is small", before: `mkdir -p /var/lib/gha-runner && mount -t tmpfs -o size=64M x /var/lib/gha-runner`, after: `umount /var/lib/gha-runner && rmdir /var/lib/gha-runner`,
		says: []string{"cannot put user.home (/var/lib/gha-runner) on the file system at /var/lib/gha-runner: only 0.1 GiB are free, and a runner needs 20; make room there, or choose another directory"}},
	{name: "disk is out of inodes", before: `mkdir -p /var/lib/gha-runner && mount -t tmpfs -o size=64G,nr_inodes=500 x /var/lib/gha-runner`, after: `umount /var/lib/gha-runner && rmdir /var/lib/gha-runner`,
		says: []string{"cannot put user.home (/var/lib/gha-runner) on *: only 49* inodes are free, and a runner needs 50000; make room there, or *"}},
	{name: "disk is noexec", before: `mkdir -p /var/lib/gha-runner && mount -t tmpfs -o size=64G,noexec x /var/lib/gha-runner`, after: `umount /var/lib/gha-runner && rmdir /var/lib/gha-runner`,
		says: []string{"cannot put user.home (/var/lib/gha-runner) on *: it is mounted noexec, and a job could run nothing there; *"}},
	{name: "home that anyone may swap", before: `install -d -m 777 /srv/open`, change: with("user: gha-runner", "user: {name: gha-runner, home: /srv/open/runner}"),
		says: []string{"cannot trust user.home (/srv/open/runner): /srv/open can be written by others than root *; choose a directory below /var/lib, *"}},
}

// beforeTarball can be refused on a host that has the runner's user.
var beforeTarball = []refusal{
	{name: "unknown version", change: with(versionLine, `version: "2.999.0"`),
		says: []string{"cannot learn which digest runner 2.999.0 should have: cannot find the runner's release v2.999.0: GitHub has none of that name; check runner.version"}},
	{name: "wrong digest", change: with(versionLine, versionLine+"\n  sha256: "+strings.Repeat("1", 64)),
		says: []string{"cannot use " + asset + ": it has sha256 * and not 1111*; compare the spec's digest * with its publisher's, and *"}},
	{name: "archive cut off", fault: standin.Fault{Path: "/actions/runner/v*/*", Mode: standin.CutOff}, says: []string{"*actions-runner-linux-x64*; *"}},
	{name: "archive with a wrong byte", fault: standin.Fault{Path: "/actions/runner/v*/*", Mode: standin.WrongBytes}, says: []string{"*actions-runner-linux-x64*; *"}},
	{name: "GitHub down", fault: standin.Fault{Path: "/actions/runner/releases/download/*/*", Mode: standin.Unavailable}, says: []string{"*503*; *"}},
	{name: "no network", before: `cp /etc/hosts /run/hosts && sed 's/^127\.[0-9.]* \(.*github.*\)/127.254.254.254 \1/' /run/hosts >/etc/hosts`, after: `cat /run/hosts >/etc/hosts`,
		says: []string{"cannot learn which digest runner " + runnerPin + " should have: *: api.github.com refuses connections; check *"}},
	{name: "directory with something else", before: `touch DIR/thesis.tex`, after: `rm DIR/thesis.tex`,
		says: []string{"cannot install the runner in DIR: it holds something else (thesis.tex); choose another installDir, or move that away"}},
	{name: "little room to unpack", before: `mount -t tmpfs -o size=64M x DIR`, after: `umount DIR`,
		says: []string{"cannot unpack the runner: 0.1 GiB are free on the file system of DIR, and it takes 2; make room there, nothing was touched"}},
}

// beforeConfig can be refused on a host that has the runner's program.
var beforeConfig = []refusal{
	{name: "no credentials", env: []string{"X=x"}, says: []string{"cannot register the runner: there are no credentials; set GITHUB_TOKEN, or GH_RUNNER_TOKEN with a token from the page of new runners at https://github.com/" + repository + "; nothing was changed"}},
	{name: "a token nobody gave out", env: []string{"GH_RUNNER_TOKEN=AWRONGTOKEN"},
		says: []string{"cannot register " + runnerName + " at https://github.com/" + repository + ": GitHub does not accept the registration token: it is wrong or older than an hour, or *; get a new one from " + page + "/new, or *"}},
	{name: "API token refused", env: []string{"GITHUB_TOKEN=wrong"},
		says: []string{"cannot register the runner: cannot list the runners of " + repository + ": GitHub does not accept the credentials from GITHUB_TOKEN (401: Bad credentials): wrong, revoked or expired; make new ones"}},
	{name: "API token without the permission", fault: standin.Fault{Path: "/repos/*/*/actions/runners", Mode: standin.Forbidden},
		says: []string{"cannot register the runner: cannot list the runners of " + repository + ": the credentials from GITHUB_TOKEN may not do this (403: *); they need the repository permission `Administration: read` *"}},
	{name: "no such repository", fault: standin.Fault{Path: "/repos/*/*/actions/runners", Mode: standin.Missing},
		says: []string{"cannot register the runner: cannot list the runners of " + repository + ": GitHub answers 404: either *; check runner.url, and that the credentials have the repository permission *"}},
	{name: "token not minted", fault: standin.Fault{Method: "POST", Path: "/repos/*/*/actions/runners/registration-token", Mode: standin.Unprocessable},
		says: []string{"cannot get a registration token for " + repository + ": GitHub refuses it (422: Validation Failed: labels is not valid); correct that and run again"}},
	{name: "too many requests", fault: standin.Fault{Path: "/repos/*/*/actions/runners", Mode: standin.TooManyRequests, Delay: hour},
		says: []string{"cannot register the runner: cannot list the runners of " + repository + ": GitHub has had too many requests (429); run again after * UTC"}},
	{name: "primary limit", fault: standin.Fault{Path: "/repos/*/*/actions/runners", Mode: standin.PrimaryLimit, Delay: hour},
		says: []string{"cannot register the runner: cannot list the runners of " + repository + ": the rate limit of 5000 requests an hour is used up; run again after * UTC"}},
	{name: "secondary limit", fault: standin.Fault{Path: "/repos/*/*/actions/runners", Mode: standin.SecondaryLimit, Delay: hour},
		says: []string{"cannot register the runner: cannot list the runners of " + repository + ": GitHub asks for fewer requests (its secondary rate limit); run again after * UTC"}},
	{name: "API down", fault: standin.Fault{Path: "/repos/*/*/actions/runners", Mode: standin.Unavailable},
		says: []string{"cannot register the runner: cannot list the runners of " + repository + ": GitHub is in trouble (503: Service unavailable); see githubstatus.com and run again later"}},
	{name: "group of a repository", change: with(versionLine, versionLine+"\n  group: bench"), says: []string{"*runner.yaml:6:10: runner.group: a repository has no runner groups"}},
}

const hour = 3600e9

// TestRefusals gives benchctl what it has to refuse, on a host that gets as
// far as each refusal needs.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13)
	w.refuses("user", beforeUser)
	w.spec(plainSpec)
	w.notRoot()
	w.noSystemd()
	w.benchctl(0, "apply", "--only=user")
	w.sh("install -d -g gha-runner -m 1770 " + boxDir) // as a failed apply leaves it
	w.refuses("tarball", beforeTarball)
	for name, data := range hostile(t) {
		w.put("/root/"+name+".tar.gz", string(data), 0o644)
		w.refuses("tarball", []refusal{{name: name, change: archive("/root/"+name+".tar.gz", data), says: []string{"cannot *" + name + ".tar.gz*; *"}}})
	}
	w.spec(plainSpec)
	w.benchctl(0, "apply", "--only=tarball")
	w.refuses("config", beforeConfig)
	w.namesake()
	w.expired()
	w.lockHeld()
}

// refuses tries each with apply, restricted to a kind.
func (w *world) refuses(kind string, all []refusal) {
	for _, f := range all {
		w.t.Run(f.name, func(t *testing.T) { w.in(t).refuse(kind, f) })
	}
}

func (w *world) refuse(kind string, f refusal) {
	w.t.Helper()
	if f.before != "" {
		w.sh(placed(f.before))
	}
	if f.after != "" {
		defer w.sh(placed(f.after))
	}
	spec := plainSpec
	if f.change != nil {
		spec = f.change(spec)
	}
	w.spec(spec)
	if f.fault.Mode != 0 {
		injected := w.hub.Fail(f.fault)
		defer func() {
			injected.Remove()
			if injected.Hits() == 0 {
				w.t.Error("nothing met the fault")
			}
			w.look("rm -f " + github.MemoryFile) // GitHub wanted to be left alone, and would be
		}()
	}
	env := f.env
	if env == nil {
		env = []string{"GITHUB_TOKEN=" + apiToken}
	}
	w.refused(f.says, env, "apply", "--yes", "--only="+kind)
}

// systemTrees are what apt alone writes to: four fifths of what there is to read.
var systemTrees = []string{"/usr/lib", "/usr/share"}

// refused runs benchctl, which has to end with 1 and say these lines, and to
// leave all that the host keeps as it was.
func (w *world) refused(says, env []string, args ...string) {
	w.t.Helper()
	before := w.tree(systemTrees...)
	r := w.benchctlAs(1, env, args...)
	w.says(r, says...)
	touched := slices.DeleteFunc(unnoted(before.Touched(w.tree(systemTrees...))), triedToRegister)
	if len(touched) > 0 {
		w.t.Errorf("%v was refused, and yet it touched:\n%s", args, strings.Join(touched, "\n"))
	}
}

// triedToRegister tells what benchctl notes before it registers, and what
// config.sh writes before GitHub refuses: none of it is a registration.
func triedToRegister(line string) bool {
	path, _, _ := strings.Cut(line, ":")
	return slices.Contains([]string{"/var/lib/benchctl", "/var/lib/benchctl/registration.json",
		boxDir + "/.env", boxDir + "/.path", boxDir + "/.credentials_rsaparams"}, path)
}

// says wants patterns among the lines that benchctl printed.
func (w *world) says(r lab.Result, patterns ...string) {
	w.t.Helper()
	for _, pattern := range patterns {
		found := false
		for line := range strings.Lines(r.Stdout + r.Stderr) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "benchctl: ")
			found = found || alike([]string{line}, []string{pattern})
		}
		if !found {
			w.t.Errorf("nowhere %q in\n%s%s", pattern, r.Stdout, r.Stderr)
		}
	}
}

// notRoot tries apply, and diff, as somebody else: one sentence each.
func (w *world) notRoot() {
	w.t.Helper()
	for _, verb := range []string{"apply", "diff"} {
		r, err := w.host.RunAs(w.t.Context(), "nobody", "/usr/local/bin/benchctl", verb)
		if err != nil || r.Status != 1 || r.Stdout != "" || strings.Count(r.Stderr, "\n") != 1 {
			w.t.Errorf("%s as nobody: %v, status %d\n%s%s", verb, err, r.Status, r.Stdout, r.Stderr)
		}
		w.says(r, "cannot "+verb+" as user *root*sudo*")
	}
}

// noSystemd tries apply where nothing of systemd is to be seen.
func (w *world) noSystemd() {
	w.t.Helper()
	before := w.tree(systemTrees...)
	r, err := w.host.Look(w.t.Context(), "unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && GITHUB_TOKEN=x exec /usr/local/bin/benchctl apply --yes")
	if err != nil || r.Status != 1 {
		w.t.Errorf("apply without systemd: %v, status %d", err, r.Status)
	}
	w.says(r, "*systemd*")
	if touched := unnoted(before.Touched(w.tree(systemTrees...))); len(touched) > 0 {
		w.t.Errorf("apply without systemd touched the host:\n%s", strings.Join(touched, "\n"))
	}
}

// namesake wants another host's runner of the same name left alone.
func (w *world) namesake() {
	w.t.Run("runner of that name on another host", func(t *testing.T) {
		w := w.in(t)
		id := w.hub.AddRunner(standin.Repo(repository), runnerName)
		w.refuse("config", refusal{says: []string{
			"cannot register " + runnerName + " at https://github.com/" + repository + ": GitHub has a runner " + runnerName + " with id *, offline, which this host did not make; " +
				"give runner.name another value, delete that runner on " + page + ", or replace it with --take-over"}})
		if w.runnerID() != id {
			t.Error("another host's runner was replaced")
		}
		// A registration token cannot see it; config.sh then meets it.
		w.refuse("config", refusal{env: []string{"GH_RUNNER_TOKEN=" + w.hub.RegistrationToken(standin.Repo(repository))}, says: []string{
			"cannot register " + runnerName + " *: GitHub has a runner called " + runnerName + " already, and nothing shows that it is this host's; *--take-over"}})
		if w.runnerID() != id {
			t.Error("another host's runner was replaced")
		}
		w.hub.DeleteRunner(id)
	})
}

// expired registers with a pasted token that is older than an hour.
func (w *world) expired() {
	w.t.Run("expired registration token", func(t *testing.T) {
		token := w.hub.RegistrationToken(standin.Repo(repository))
		w.hub.ExpireTokens()
		w.in(t).refuse("config", refusal{env: []string{"GH_RUNNER_TOKEN=" + token}, says: []string{
			"cannot register *: GitHub does not accept the registration token: it is wrong or older than an hour, *; get a new one from " + page + "/new, *"}})
	})
}

// holdsLock takes apt's lock until the file /run/release is there.
const holdsLock = `use Fcntl qw(F_SETLK F_WRLCK); open(F, ">", "/var/lib/dpkg/lock-frontend");
my $lock = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $lock) or die $!; sleep 1 until -e "/run/release";`

// lockHeld has another program hold apt's lock: apply says who, a second
// benchctl says who is before it, and ^C ends the wait with nothing changed.
func (w *world) lockHeld() {
	w.t.Run("apt's lock and ours are held", func(t *testing.T) {
		w := w.in(t)
		w.spec(plainSpec)
		w.put("/root/hold.pl", holdsLock, 0o644)
		w.sh("systemd-run -q --collect perl /root/hold.pl; until grep -q POSIX /proc/locks; do sleep 0.1; done")
		before := w.tree(systemTrees...)
		first := make(chan lab.Result)
		go func() {
			r, err := w.host.Run(t.Context(), "sh", "-c", "exec benchctl apply --yes --only=packages >/run/first 2>&1")
			if err != nil {
				t.Error(err)
			}
			first <- r
		}()
		w.sh("until grep -qs 'waiting for perl' /run/first; do sleep 0.1; done")
		second := w.benchctl(1, "apply", "--only=packages")
		w.says(second, "*benchctl apply, process *, since *; wait for it to end, or end it")
		w.sh(`kill -INT $(sed -n 's/.* process \([0-9]*\),.*/\1/p' /run/benchctl/lock)`)
		r := <-first
		if r.Status != 1 {
			t.Errorf("interrupted apply ends with %d", r.Status)
		}
		r.Stdout = w.sh("cat /run/first")
		w.says(r, "packages: waiting for perl (pid *), which is changing packages", "cannot change packages: perl (pid *) holds apt's lock, and the wait was cut short *; apply again when it is done")
		touched := slices.DeleteFunc(unnoted(before.Touched(w.tree(systemTrees...))), func(line string) bool {
			return strings.HasPrefix(line, "/var/cache/apt/") || strings.HasPrefix(line, "/var/log/apt/") // apt was asked for its plan
		})
		if len(touched) > 0 {
			t.Errorf("waiting touched the host:\n%s", strings.Join(touched, "\n"))
		}
		w.sh("touch /run/release")
	})
}
