//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// A drift is one way in which a host gets out of step. UNIT and DIR stand for
// the runner's, and * for any text.
type drift struct {
	name string
	// shell breaks the host, as root; else breaks does.
	shell  string
	breaks func(*world)
	finds  []string // all that diff may say
	mends  []string // all that apply may change
	// proves, if set, is shell that has to succeed afterwards.
	proves string
}

const (
	unitFile   = "/etc/systemd/system/UNIT"
	configFile = boxHome + "/.phoronix-test-suite/user-config.xml"
	listens    = " -> listening"
	registered = runnerName + " at https://github.com/" + repository
	// shadowIsWhole holds while nobody wrote, or took away, what a link led to.
	shadowIsWhole = `grep -q ^root: /etc/shadow && test "$(stat -c %U:%a /etc/shadow)" = root:640`
)

var accountDrifts = []drift{
	{name: "shell", shell: `usermod -s /bin/bash gha-runner`,
		finds: []string{"user shell: /bin/bash -> /usr/sbin/nologin"}, mends: []string{"user"}},
	{name: "password", shell: `echo gha-runner:x | chpasswd`,
		finds: []string{"user password: not locked -> locked"}, mends: []string{"user"}},
	{name: "primary group", shell: `usermod -g adm gha-runner`,
		finds: []string{"user group: adm -> gha-runner"}, mends: []string{"user", "service"}},
	{name: "group", shell: `usermod -aG adm gha-runner`,
		finds: []string{"user groups: adm -> none"}, mends: []string{"user", "service"}},
	{name: "home opened", shell: `chmod 777 ` + boxHome,
		finds: []string{"user home directory: root:gha-runner 0777 -> root:gha-runner 1770"}, mends: []string{"user"}},
}

var unitDrifts = []drift{
	{name: "unit edited", shell: `sed -i s/ProtectSystem=strict/ProtectSystem=no/ ` + unitFile + `; systemctl daemon-reload`,
		finds: []string{"service [Service] ProtectSystem: no -> strict"}, mends: []string{"service"}},
	{name: "drop-in added", shell: `mkdir -p ` + unitFile + `.d; printf '[Service]\nNice=5\n' >` + unitFile + `.d/nice.conf; systemctl daemon-reload`,
		finds: []string{"service drop-in: " + unitFile + ".d/nice.conf -> moved to /var/lib/benchctl/moved" + unitFile + ".d/nice.conf"},
		mends: []string{"service"}, proves: `grep -q Nice=5 /var/lib/benchctl/moved` + unitFile + `.d/nice.conf`},
	{name: "drop-in not read yet", shell: `mkdir -p ` + unitFile + `.d; printf '[Service]\nNice=5\n' >` + unitFile + `.d/late.conf`,
		finds: []string{"service daemon-reload: needed -> done", "service drop-in: " + unitFile + ".d/late.conf -> moved to /var/lib/benchctl/moved" + unitFile + ".d/late.conf"},
		mends: []string{"service"}},
	{name: "property set", shell: `systemctl set-property --runtime UNIT MemoryMax=1G`,
		finds: []string{"service drop-in: /run/systemd/system.control/UNIT.d/50-MemoryMax.conf -> moved to /var/lib/benchctl/moved/run/systemd/system.control/UNIT.d/50-MemoryMax.conf"},
		mends: []string{"service"}},
	{name: "service stopped", shell: `systemctl stop UNIT`,
		finds: []string{"service state: inactive (dead)*" + listens}, mends: []string{"service"}},
	{name: "service disabled", shell: `systemctl disable -q UNIT`,
		finds: []string{"service enabled: disabled -> enabled"}, mends: []string{"service"}},
	{name: "service masked", shell: `rm ` + unitFile + `; systemctl mask -q UNIT; systemctl daemon-reload`,
		finds: []string{"service " + unitFile + ": no plain file -> a plain file", "service mask: masked -> not masked"}, mends: []string{"service"}},
	{name: "unit gone", shell: `systemctl stop UNIT; rm ` + unitFile + `; systemctl daemon-reload`,
		finds: []string{"service " + unitFile + ": absent -> present", "service enabled: * -> *", "service state: inactive (dead)*" + listens}, mends: []string{"service"}},
	{name: "older revision runs", shell: `cp ` + unitFile + ` /root/unit; sed -i s/BENCHCTL_REVISION=.*/BENCHCTL_REVISION=older/ ` + unitFile + `
		systemctl daemon-reload; systemctl restart UNIT; cp /root/unit ` + unitFile + `; systemctl daemon-reload`,
		finds: []string{"service running revision: older -> *"}, mends: []string{"service"}},
	{name: "older PATH runs", shell: `cp -p DIR/.path /root/path; echo /usr/bin:/bin >DIR/.path; systemctl restart UNIT
		until journalctl -q -u UNIT | grep -qF .path=/usr/bin:/bin; do sleep 0.1; done; cp -p /root/path DIR/.path`,
		finds: []string{"service running PATH: /usr/bin:/bin -> *"}, mends: []string{"service"}},
}

// hostileDrifts are what a job could write that means to lead root astray.
var hostileDrifts = []drift{
	{name: "another unit's name", shell: `echo ssh.service >DIR/.service`,
		finds: []string{"service .service: ssh.service -> UNIT"}, mends: []string{"service"}},
	{name: "a path for a name", shell: `echo ../../x >DIR/.service`,
		finds: []string{"service .service: ../../x -> UNIT"}, mends: []string{"service"}},
	{name: "a link for a name", shell: `ln -sf /etc/shadow DIR/.service`,
		finds: []string{"service .service: no plain file -> a plain file"}, mends: []string{"service"}, proves: shadowIsWhole},
	{name: "another runner's id", breaks: (*world).borrowID,
		finds: []string{"config registration: id * here, *other* -> " + registered}, mends: []string{"config", "service"}},
	{name: "settings are a link", shell: `ln -sf /etc/shadow DIR/.runner`,
		finds: []string{"config registration: unusable here: .runner is no plain file of reasonable size -> " + registered},
		mends: []string{"config", "service"}, proves: shadowIsWhole},
	{name: "settings are no JSON", shell: `echo '{"agentId":' >DIR/.runner`,
		finds: []string{"config registration: unusable here: .runner is not the JSON that config.sh writes -> " + registered}, mends: []string{"config", "service"}},
	{name: "settings without end", shell: `truncate -s 8G DIR/.runner`,
		finds: []string{"config registration: unusable here: .runner is no plain file of reasonable size -> " + registered}, mends: []string{"config", "service"}},
	{name: "key is a link", shell: `ln -sf /etc/shadow DIR/.credentials_rsaparams`,
		finds: []string{"config registration: unusable here: .credentials_rsaparams is no plain file -> " + registered},
		mends: []string{"config", "service"}, proves: shadowIsWhole},
	{name: "settings of PTS are a link", shell: `ln -sf /etc/shadow ` + configFile,
		finds:  []string{"pts user-config.xml: not a plain file -> batch mode, no uploads, no prompts"},
		mends:  []string{"pts"},
		proves: shadowIsWhole + ` && test -f ` + configFile + ` && ! test -L ` + configFile},
}

var startDrifts = []drift{
	{name: ".env edited", shell: `echo LD_PRELOAD=/tmp/x.so >>DIR/.env`,
		finds: []string{"env .env LD_PRELOAD: /tmp/x.so -> absent"}, mends: []string{"env", "service"}},
	{name: "hook edited", shell: `echo true >>/usr/local/lib/benchctl/job-started.sh`,
		finds: []string{"hooks /usr/local/lib/benchctl/job-started.sh: other text (sha256:*) -> sha256:*"}, mends: []string{"hooks"}},
	{name: "governor of one policy", shell: `echo powersave >/sys/devices/system/cpu/cpufreq/policy1/scaling_governor`,
		finds: []string{"cpufreq policy1: powersave -> performance"}, mends: []string{"cpufreq"}},
}

// fullDrifts happen to a host with everything.
var fullDrifts = []drift{
	{name: ".path without the JDK", shell: `sed -i 's,^[^:]*:,,' DIR/.path`,
		finds: []string{"env .path: /usr/local/sbin:* -> /usr/lib/jvm/*/bin:/usr/local/sbin:*"}, mends: []string{"env", "service"}},
	{name: "knob", shell: `echo 3 >/proc/sys/kernel/perf_event_paranoid`,
		finds: []string{"sysctl/kernel.perf_event_paranoid value: 3 -> 1"}, mends: []string{"sysctl/kernel.perf_event_paranoid"}},
	{name: "program of the runner replaced", shell: `cp --remove-destination /bin/true DIR/bin/Runner.Worker`,
		finds: []string{"tarball bin.2.336.0/Runner.Worker: size *, changed * -> as unpacked, size *"}, mends: []string{"tarball", "service"}},
	{name: "program of the runner is another's", shell: `chown gha-runner DIR/config.sh`,
		finds: []string{"tarball config.sh owner and mode: * -> root:root 0755"}, mends: []string{"tarball"}},
	{name: "PTS purged", shell: `DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge phoronix-test-suite`,
		finds: []string{"pts version: absent -> 10.8.6"}, mends: []string{"pts", "service"}},
	{name: "settings of PTS", shell: `sed -i 's,<UploadResults>FALSE,<UploadResults>TRUE,' ` + configFile,
		finds: []string{"pts BatchMode/UploadResults: TRUE -> FALSE"}, mends: []string{"pts"}},
	{name: "half-configured package", breaks: halfConfigured,
		finds: []string{"packages torn: half-configured -> installed"}, mends: []string{"packages", "service"}},
	{name: "JDK broken", shell: `rm /usr/lib/jvm/java-21-openjdk-*/bin/java`,
		finds: []string{"jdk /usr/lib/jvm/java-21-openjdk-*: no bin/java -> 21"}, mends: []string{"jdk", "service"}},
	{name: ".runner deleted", shell: `rm DIR/.runner`,
		finds: []string{"config registration: absent here; GitHub has a runner " + runnerName + " with id *, online -> " + registered},
		mends: []string{"config", "service"}},
	{name: "label removed at GitHub", breaks: func(w *world) { w.hub.SetLabels(w.runnerID(), "x86_64") },
		finds: []string{"config labels: self-hosted, linux, x86_64, X64 -> self-hosted, linux, x86_64, skainet-bench-linux-x86, X64"},
		mends: []string{"config"}},
	{name: "registration deleted at GitHub", breaks: (*world).deleteLive,
		finds: []string{"config registration: absent -> " + registered, "service state: activating (auto-restart)*" + listens},
		mends: []string{"config", "service"}},
	{name: "registration deleted at GitHub while stopped", breaks: (*world).deleteStopped,
		finds: []string{"config registration: deleted at GitHub (id *) -> " + registered, "service state: activating (auto-restart)*" + listens},
		mends: []string{"config", "service"}},
}

// needrestartDrifts are Ubuntu's: needrestart restarts services by itself.
var needrestartDrifts = []drift{
	{name: "needrestart installed", shell: `DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq -y --no-install-recommends install needrestart`,
		finds: []string{"service /etc/needrestart/conf.d/benchctl.conf: absent -> present"}, mends: []string{"service"},
		proves: `perl -c /etc/needrestart/conf.d/benchctl.conf`},
	{name: "needrestart's file edited", shell: `echo '# mine' >>/etc/needrestart/conf.d/benchctl.conf`,
		finds: []string{"service /etc/needrestart/conf.d/benchctl.conf: other text (sha256:*) -> sha256:*"}, mends: []string{"service"}},
}

// drifts breaks a host in step in one way at a time, and wants diff to name that
// and nothing else, and apply to mend that and nothing else.
func (w *world) drifts(kinds ...[]drift) {
	for _, d := range slices.Concat(kinds...) {
		w.t.Run("drift/"+d.name, func(t *testing.T) { w.in(t).drift(d) })
	}
}

func (w *world) drift(d drift) {
	w.t.Helper()
	if d.shell != "" {
		w.sh(placed(d.shell))
	} else {
		d.breaks(w)
	}
	life := w.life()
	if found := w.differs(w.t.Context()); !alike(found, d.finds) {
		w.t.Errorf("diff finds %q\nwant %q", found, d.finds)
	}
	report := w.apply(0)
	if got := changed(report); !slices.Equal(got, d.mends) {
		w.t.Errorf("apply changed %q, want %q\n%q", got, d.mends, linesOf(report))
	}
	if left := w.differs(w.t.Context()); left != nil {
		w.t.Errorf("after apply diff finds %q", left)
	}
	if !slices.Contains(d.mends, "service") && w.life() != life {
		w.t.Error("apply restarted the runner for nothing")
	}
	if d.proves != "" {
		w.sh(placed(d.proves))
	}
}

var placeholders = strings.NewReplacer("UNIT", runnerUnit, "DIR", boxDir)

func placed(text string) string { return placeholders.Replace(text) }

// alike compares lines with patterns in which * is any text.
func alike(lines, patterns []string) bool {
	return slices.EqualFunc(lines, patterns, func(line, pattern string) bool {
		p := strings.ReplaceAll(regexp.QuoteMeta(placed(pattern)), `\*`, ".*")
		return regexp.MustCompile("^" + p + "$").MatchString(line)
	})
}

// runnerID is the host's registration.
func (w *world) runnerID() int64 {
	w.t.Helper()
	r, found := w.hub.Runner(standin.Repo(repository), runnerName)
	if !found {
		w.t.Fatal("GitHub knows no " + runnerName)
	}
	return r.ID
}

// deleteLive ends the registration while the Listener is connected: it is told,
// wipes its configuration, and ends.
func (w *world) deleteLive() {
	w.t.Helper()
	w.hub.DeleteRunner(w.runnerID())
	w.awaitDead()
	w.sh("! test -e " + boxDir + "/.runner")
}

// deleteStopped ends it behind the Listener's back, which then meets a 404 and
// keeps its configuration.
func (w *world) deleteStopped() {
	w.t.Helper()
	w.sh("systemctl stop " + runnerUnit)
	w.hub.DeleteRunner(w.runnerID())
	w.sh("systemctl start " + runnerUnit)
	w.awaitDead()
	w.sh("test -e " + boxDir + "/.runner")
}

// awaitDead waits until the Listener has ended by itself; systemd tries another
// half a minute later.
func (w *world) awaitDead() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	r, err := w.host.Run(ctx, "sh", "-c", "while systemctl -q is-active "+runnerUnit+"; do sleep 0.1; done")
	if err != nil || r.Status != 0 {
		w.t.Fatalf("the Listener goes on without a registration: %v %+v", err, r)
	}
}

// borrowID makes the runner's settings those of a runner of another host, which
// has to stay.
func (w *world) borrowID() {
	w.t.Helper()
	scope := standin.Repo(repository)
	id := w.hub.AddRunner(scope, "other")
	w.sh(fmt.Sprintf(`sed -i 's/"agentId": *[0-9]*/"agentId": %d/' %s/.runner && grep -q '"agentId": *%[1]d' %[2]s/.runner`, id, boxDir))
	w.t.Cleanup(func() {
		if r, found := w.hub.Runner(scope, "other"); !found || r.ID != id {
			w.t.Error("the other host's runner is gone")
		}
		w.hub.DeleteRunner(id)
	})
}

// halfConfigured leaves a package whose own script failed the first time.
func halfConfigured(w *world) {
	w.t.Helper()
	deb, err := standin.Deb{Name: "torn", Version: "1.0", Arch: "all", Description: "fails at first",
		Scripts: map[string]string{"postinst": "#!/bin/sh\ntest -e /root/torn.failed && exit\ntouch /root/torn.failed\nexit 1\n"}}.Build()
	if err != nil {
		w.t.Fatal(err)
	}
	w.put("/root/torn.deb", string(deb), 0o644)
	w.sh("dpkg -i /root/torn.deb >/dev/null 2>&1 || true")
}
