//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

const worldUnit = "actions.runner.SKaiNET-developers-SKaiNET.bench7-bench.service"

// TestServiceDriftOnRealSystemd breaks the service in one way at a time. Diff
// has to name it, and apply to mend it, so that the next diff finds nothing.
func TestServiceDriftOnRealSystemd(t *testing.T) {
	for _, release := range []lab.Release{lab.Ubuntu2204, lab.Debian13} {
		t.Run(release.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, release)
			w.spec(plainSpec)
			w.benchctl(0, "apply", "--allow-upgrades") // a root as old as its release
			for _, c := range []struct{ name, script, want string }{
				{"edited", `sed -i s/ProtectSystem=strict/ProtectSystem=no/ /etc/systemd/system/$UNIT`, "service [Service] ProtectSystem: no -> strict"},
				{"drop-in, not read yet", `mkdir -p /etc/systemd/system/$UNIT.d; printf '[Service]\nNice=5\n' >/etc/systemd/system/$UNIT.d/nice.conf`,
					"service drop-in: /etc/systemd/system/" + worldUnit + ".d/nice.conf -> moved to /var/lib/benchctl/moved/etc/systemd/system/" + worldUnit + ".d/nice.conf"},
				{"set-property", `systemctl set-property --runtime $UNIT MemoryMax=1G`,
					"service drop-in: /run/systemd/system.control/" + worldUnit + ".d/50-MemoryMax.conf -> moved to /var/lib/benchctl/moved/run/systemd/system.control/" + worldUnit + ".d/50-MemoryMax.conf"},
				{"stopped", `systemctl stop $UNIT`, "service state: inactive (dead), last said: "},
				{"disabled", `systemctl disable -q $UNIT`, "service enabled: disabled -> enabled"},
				{"masked", `rm /etc/systemd/system/$UNIT; systemctl mask -q $UNIT; systemctl daemon-reload`, "service mask: masked -> not masked"},
				{"gone", `systemctl stop $UNIT; rm /etc/systemd/system/$UNIT; systemctl daemon-reload`, "service /etc/systemd/system/" + worldUnit + ": absent -> present"},
				{"renamed by a job", `echo ssh.service >` + boxDir + `/.service`, "service .service: ssh.service -> " + worldUnit},
				{"an older revision runs", `cp /etc/systemd/system/$UNIT /root/unit; sed -i s/BENCHCTL_REVISION=.*/BENCHCTL_REVISION=older/ /etc/systemd/system/$UNIT
					systemctl daemon-reload; systemctl restart $UNIT; cp /root/unit /etc/systemd/system/$UNIT; systemctl daemon-reload`, "service running revision: older -> "},
				{"an older PATH runs", `cp -p ` + boxDir + `/.path /root/path; echo /usr/bin:/bin >` + boxDir + `/.path; systemctl restart $UNIT
					until journalctl -q -u $UNIT | grep -qF .path=/usr/bin:/bin; do sleep 0.1; done; cp -p /root/path ` + boxDir + `/.path`,
					"service running PATH: /usr/bin:/bin -> "},
				{".path", `echo /usr/bin >` + boxDir + `/.path`, "env .path: /usr/bin -> "},
				{".env", `echo LD_PRELOAD=/tmp/x.so >>` + boxDir + `/.env`, "env .env LD_PRELOAD: /tmp/x.so -> absent"},
				{"a hook", `echo true >>/usr/local/lib/benchctl/job-started.sh`, "hooks /usr/local/lib/benchctl/job-started.sh: other text"},
				{"shell", `usermod -s /bin/bash gha-runner`, "user shell: /bin/bash -> /usr/sbin/nologin"},
				{"password", `echo gha-runner:x | chpasswd`, "user password: not locked -> locked"},
				{"group", `usermod -aG adm gha-runner`, "user groups: adm -> none"},
				{"home opened", `chmod 777 /var/lib/gha-runner`, "user home directory: 0:"},
			} {
				w.sh("UNIT=" + worldUnit + "; " + c.script)
				found := w.differs(t.Context())
				if !slices.ContainsFunc(found, func(line string) bool { return strings.HasPrefix(line, c.want) }) {
					t.Errorf("%s: diff says %q, want %q", c.name, found, c.want)
				}
				if len(found) > 1 {
					t.Logf("%s: diff says also %q", c.name, found)
				}
				w.benchctl(0, "apply", "--yes")
				if left := w.differs(t.Context()); left != nil {
					t.Errorf("%s: after apply diff says %q", c.name, left)
				}
			}
		})
	}
}
