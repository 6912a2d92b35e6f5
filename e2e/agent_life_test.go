//go:build e2e

package e2e

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// elsewhere is where an operator keeps a spec.
const elsewhere = "/root/mine.yaml"

// TestAgentComesAndGoes follows an agent from the apply that brings it to the
// one that takes it away, with all that may happen to its units in between. The
// runner's service never notices. The oldest systemd gets what may be different
// with it.
func TestAgentComesAndGoes(t *testing.T) {
	for _, release := range []lab.Release{lab.Debian13, lab.Ubuntu2204} {
		t.Run(release.Name, func(t *testing.T) {
			t.Parallel()
			options := []func(*lab.Options){networked}
			if release.Name == lab.Debian13.Name {
				options = append(options, prepared(t))
			}
			w := newWorld(t, release, options...)
			t.Cleanup(func() {
				if t.Failed() {
					r, _ := w.host.Look(context.Background(), "journalctl", "--no-pager", "-n", "60", "-u", "benchctl*")
					t.Log(r.Stdout)
				}
			})
			w.put(tokenFile, apiToken+"\n", 0o600)
			w.spec(plainSpec)
			w.apply(0)
			bare, life := w.hostTree(), w.life()
			for _, part := range []struct {
				name  string
				alike bool // with any systemd
				test  func(*world)
			}{
				{"comes", false, (*world).agentComes},
				{"keeps no secret about", false, (*world).agentKeepsSecrets},
				{"another schedule", true, (*world).agentReloads},
				{"its units drift", false, (*world).agentUnitDrifts},
				{"mends its own units", true, (*world).agentMendsItself},
				{"another benchctl", true, (*world).agentIsReplaced},
				{"another token", true, (*world).agentTakesANewToken},
				{"a reboot", false, (*world).agentBoots},
				{"goes", false, func(w *world) { w.agentGoes(bare) }},
				{"comes and goes by an edit", true, func(w *world) { w.agentGoesByItself(bare) }},
			} {
				if part.alike && release.Name != lab.Debian13.Name {
					continue
				}
				if !t.Run(part.name, func(t *testing.T) { part.test(w.in(t)) }) {
					return
				}
				if w.life() != life && part.name != "a reboot" {
					t.Error("the runner was restarted for the agent")
				}
				life = w.life()
			}
		})
	}
}

// hostTree is what the host keeps, but for what each pass writes down and what
// an operator has at home.
func (w *world) hostTree() lab.Tree { w.t.Helper(); return w.tree(append(notes, "/root")...) }

// agentSpecOf is a plain spec with an agent on a schedule.
func agentSpecOf(cron string) string {
	return plainSpec + "github: {tokenFile: " + tokenFile + "}\nschedule: {cron: \"" + cron + "\", splay: 0s}\n"
}

// yearly is a schedule that a test does not live to see.
const yearly = "0 0 1 1 *"

// agentComes by an apply of a spec that lies elsewhere.
func (w *world) agentComes() {
	w.put(elsewhere, agentSpecOf(yearly), 0o644)
	if got := changed(w.apply(0, "-f", elsewhere)); !slices.Equal(got, []string{"agent"}) {
		w.t.Errorf("apply changed %q", got)
	}
	w.benchctl(0, "diff")
	w.benchctl(0, "diff", "-f", elsewhere)
	before := w.hostTree()
	if got := changed(w.apply(0, "-f", elsewhere)); got != nil {
		w.t.Errorf("a second apply changed %q", got)
	}
	if touched := before.Touched(w.hostTree()); touched != nil {
		w.t.Errorf("a second apply touched\n%s", strings.Join(touched, "\n"))
	}
	for _, is := range []struct{ line, want string }{
		{"systemctl is-enabled benchctl benchctl-apply", "enabled\nstatic"},
		{"systemctl is-active benchctl benchctl-apply benchctl-relay.socket", "active\ninactive\nactive"},
		{"stat -c '%U %G %a' /etc/benchctl/runner.yaml /run/benchctl/relay", "root root 644\nroot root 600"},
		{"cmp " + elsewhere + " /etc/benchctl/runner.yaml && echo same", "same"},
		{"grep -c schedule /var/lib/benchctl/moved/etc/benchctl/runner.yaml", "0"}, // the operator's own is kept
		{"wc -l </proc/$(systemctl show -P MainPID benchctl)/net/route", "1"},      // a heading, and no way out
		{"grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/$(systemctl show -P MainPID benchctl)/status", "CapEff:\t0000000000080004\nNoNewPrivs:\t1\nSeccomp:\t2"},
	} {
		if got := w.look(is.line + " || true"); got != is.want {
			w.t.Errorf("%s: %q, want %q", is.line, got, is.want)
		}
	}
}

// agentRested starts the agent anew and waits for the one pass that it begins
// with, so that none is still to come.
func (w *world) agentRested() {
	w.t.Helper()
	enough := strconv.Itoa(w.passes() + 1)
	w.look("systemctl restart benchctl")
	w.reaches("test $(wc -l <"+history.Lines+") -ge "+enough+" && echo enough || true", "enough")
	w.reaches(agentStatus, "next pass")
}

// agentKeepsSecrets looks for its token everywhere but where systemd, and the
// operator, put it for root alone.
func (w *world) agentKeepsSecrets() {
	for _, look := range []string{
		"journalctl --sync; journalctl --no-pager -o export",
		"systemctl show --all '*'; systemctl cat benchctl benchctl-apply benchctl-relay benchctl-relay.socket",
		"cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline",
	} {
		r, err := w.host.Look(w.t.Context(), "sh", "-c", look)
		if err != nil || len(r.Stdout) < 100 {
			w.t.Errorf("%s: %v %+v", look, err, r)
		}
		leaks(w.t, look, []byte(r.Stdout), []string{apiToken})
	}
	found := slices.DeleteFunc(w.filesWith([]string{apiToken}), func(line string) bool {
		return strings.HasPrefix(line, "/credentials/benchctl.service/") // of /run
	})
	if len(found) > 0 {
		w.t.Errorf("its token is left in\n%s", strings.Join(found, "\n"))
	}
	if r, err := w.host.RunAs(w.t.Context(), "gha-runner", "cat", "/run/credentials/benchctl.service/github-token"); err != nil || r.Status == 0 {
		w.t.Errorf("the runner's user reads the agent's credentials: %v %+v", err, r)
	}
}

// agentReloads when the schedule changes; it goes on as the same process.
func (w *world) agentReloads() {
	w.agentRested()
	pid := w.agentPID()
	w.put(elsewhere, agentSpecOf("@every 26h"), 0o644)
	report := w.apply(0, "-f", elsewhere)
	if got := strings.Join(linesOf(report), "\n"); !strings.Contains(got, agentUnit+" [X-Benchctl] Schedule: "+yearly+" -> @every 26h") {
		w.t.Errorf("apply said\n%s", got)
	}
	w.reaches(agentStatus, "next pass "+w.look("date -d '+26 hours' +%a"))
	if w.agentPID() != pid {
		w.t.Error("a changed schedule restarted the agent")
	}
	w.put(elsewhere, agentSpecOf(yearly), 0o644)
	w.apply(0, "-f", elsewhere)
}

// agentUnitDrifts breaks the units in each way in turn.
func (w *world) agentUnitDrifts() {
	const aside = "/var/lib/benchctl/moved"
	another := `test $(systemctl show -P MainPID benchctl) != $(cat /run/lab-pid)`
	same := `test $(systemctl show -P MainPID benchctl) = $(cat /run/lab-pid)`
	agent := []string{"agent"}
	for _, d := range []drift{
		{name: "unit edited", shell: `sed -i s/ProtectSystem=strict/ProtectSystem=no/ ` + agentUnitFile + `; systemctl daemon-reload`,
			finds: []string{"agent benchctl.service [Service] ProtectSystem: no -> strict"}, mends: agent,
			proves: another + ` && test "$(systemctl show -P ProtectSystem benchctl)" = strict`},
		{name: "a comment, a missing unit and a spec that anybody may write", shell: `echo '# hello' >>` + agentUnitFile + `
			rm /etc/systemd/system/benchctl-apply.service; chmod 666 /etc/benchctl/runner.yaml; systemctl daemon-reload`,
			finds: []string{
				"agent /etc/benchctl/runner.yaml owner and mode: 0:0 0666 -> 0:0 0644",
				"agent /etc/systemd/system/benchctl-apply.service: absent -> present",
				"agent " + agentUnitFile + ": other text (sha256:*) -> sha256:*",
			}, mends: agent},
		{name: "another command, and drop-ins", shell: `sed -i 's/ --unattended//' /etc/systemd/system/benchctl-apply.service
			f=/etc/systemd/system/benchctl-relay.service.d; mkdir -p $f; printf '[Service]\nUser=root\n' >$f/x.conf
			mkdir -p ` + agentUnitFile + `.d; printf '[Service]\nPrivateNetwork=no\n' >` + agentUnitFile + `.d/net.conf; systemctl daemon-reload`,
			finds: []string{
				"agent benchctl-apply.service [Service] ExecStart: * -> * --unattended -f /etc/benchctl/runner.yaml",
				"agent benchctl-relay.service drop-in: /etc/systemd/system/benchctl-relay.service.d/x.conf -> *",
				"agent benchctl.service drop-in: " + agentUnitFile + ".d/net.conf -> moved to " + aside + agentUnitFile + ".d/net.conf",
			},
			mends: agent, proves: another + ` && grep -q PrivateNetwork=no ` + aside + agentUnitFile + `.d/net.conf`},
		{name: "property set", shell: `systemctl set-property --runtime benchctl MemoryMax=1G`,
			finds: []string{"agent benchctl.service drop-in: /run/systemd/system.control/benchctl.service.d/50-MemoryMax.conf -> *"}, mends: agent},
		{name: "masked", shell: `rm ` + agentUnitFile + `; systemctl mask -q benchctl; systemctl daemon-reload`,
			finds: []string{"agent " + agentUnitFile + ": no plain file -> a plain file", "agent benchctl.service mask: masked -> not masked"}, mends: agent},
		{name: "masked until the reboot", shell: `systemctl mask -q --runtime benchctl-apply; systemctl daemon-reload`, // /etc comes before /run
			finds: nil, mends: nil, proves: `systemctl unmask -q --runtime benchctl-apply`},
		{name: "disabled, and without a relay", shell: `systemctl disable -q benchctl; systemctl stop benchctl-relay.socket`,
			finds: []string{"agent benchctl-relay.socket state: inactive -> listening", "agent benchctl.service enabled: disabled -> enabled"},
			mends: agent, proves: same},
		{name: "stopped with its relay", shell: `systemctl stop benchctl benchctl-relay.socket`,
			finds: []string{"agent benchctl-relay.socket state: inactive -> listening", "agent benchctl.service state: inactive (dead)* -> running"}, mends: agent},
		{name: "an older revision runs", shell: `cp ` + agentUnitFile + ` /root/unit; sed -i s/AGENT_REVISION=.*/AGENT_REVISION=older/ ` + agentUnitFile + `
			systemctl mask -q --runtime benchctl-apply; mv /etc/systemd/system/benchctl-apply.service /root/; systemctl daemon-reload; systemctl restart benchctl
			until systemctl show -P StatusText benchctl | grep -q 'next pass'; do sleep 0.1; done
			mv /root/benchctl-apply.service /etc/systemd/system/; systemctl unmask -q --runtime benchctl-apply
			cp /root/unit ` + agentUnitFile + `; systemctl daemon-reload`,
			finds: []string{"agent benchctl.service running revision: older -> *"}, mends: agent, proves: another},
	} {
		if !w.t.Run(d.name, func(t *testing.T) {
			w := w.in(t)
			w.agentRested()
			w.look("systemctl show -P MainPID benchctl >/run/lab-pid")
			w.drift(d)
		}) {
			return
		}
	}
}

// agentMendsItself: a pass of its own finds its units out of step, and the other
// unit mends them.
func (w *world) agentMendsItself() {
	w.agentRested()
	pid := w.agentPID()
	w.look(`sed -i s/Nice=10/Nice=-10/ ` + agentUnitFile + ` && systemctl daemon-reload && systemctl reload benchctl`)
	w.reaches("grep Nice= "+agentUnitFile, "Nice=10")
	w.reaches(`p=$(systemctl show -P MainPID benchctl); [ $p = 0 ] || [ $p = `+pid+` ] || echo another`, "another")
	w.reaches(agentStatus, "next pass")
	w.benchctl(0, "diff")
}

// agentIsReplaced by the one of an apply's own build, between two passes.
func (w *world) agentIsReplaced() {
	path, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.agentRested()
	pid := w.agentPID()
	w.put("/root/benchctl", string(data)+"another build", 0o755)
	r, err := w.host.Do(w.t.Context(), lab.Command{Argv: []string{"/root/benchctl", "apply", "--yes", "-o", "json"}})
	if err != nil {
		w.t.Fatal(err)
	}
	if got := changed(w.parse(r)); !slices.Equal(got, []string{"hooks/benchctl", "agent"}) {
		w.t.Errorf("apply of another build changed %q\n%s", got, r.Stderr)
	}
	if w.agentPID() == pid {
		w.t.Error("the agent is still the earlier build")
	}
	if state := w.look("systemctl show -p Result -p ExecMainStatus benchctl; cmp /proc/" + w.agentPID() + "/exe /root/benchctl"); state != "Result=success\nExecMainStatus=0" {
		w.t.Errorf("it did not end by itself: %s", state)
	}
	w.install(path)
	w.agentRested()
}

// agentTakesANewToken that an operator wrote over the old one.
func (w *world) agentTakesANewToken() {
	const next = "canary-api-token-of-tomorrow"
	w.hub.AcceptToken(next)
	w.agentRested()
	pid := w.agentPID()
	w.put(tokenFile, next+"\n", 0o600)
	w.apply(0)
	if w.agentPID() == pid {
		w.t.Error("the agent goes on with the old token")
	}
	if got := w.look("cat /run/credentials/benchctl.service/github-token"); got != next {
		w.t.Errorf("the agent has %q", got)
	}
	w.put(tokenFile, apiToken+"\n", 0o600)
	w.agentRested()
	w.apply(0)
}

// agentBoots with the host, after the runner, and finds it in step: nothing is
// started twice.
func (w *world) agentBoots() {
	if err := w.host.Reboot(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.reaches(agentStatus, "in step; next pass")
	if err := w.hub.WaitOnline(w.t.Context(), standin.Repo(repository), runnerName); err != nil {
		w.t.Error(err)
	}
	for line, want := range map[string]string{
		"systemctl show -P NRestarts " + runnerUnit:                    "0",
		"journalctl --sync; journalctl -q -b -o cat -u benchctl-apply": "",
		"systemctl is-active benchctl benchctl-relay.socket":           "active\nactive",
	} {
		if got := w.look(line + " || true"); got != want {
			w.t.Errorf("after a reboot, %s: %q, want %q", line, got, want)
		}
	}
}

// agentGoes by an apply of a spec without a schedule, and leaves nothing.
func (w *world) agentGoes(bare lab.Tree) {
	w.put(elsewhere, plainSpec, 0o644)
	report := w.apply(0, "-f", elsewhere)
	if got := changed(report); !slices.Equal(got, []string{"agent"}) || report.Results[0].ID.Kind != "agent" {
		w.t.Errorf("apply changed %q, and first looked at %s", got, report.Results[0].ID)
	}
	w.benchctl(0, "diff", "-f", elsewhere)
	w.look("mv /var/lib/benchctl/moved/etc/benchctl/runner.yaml /etc/benchctl/ && rm -r /var/lib/benchctl/moved")
	w.leftNothing(bare)
}

// agentGoesByItself when its operator takes the schedule out of the spec.
func (w *world) agentGoesByItself(bare lab.Tree) {
	w.spec(agentSpecOf(yearly))
	w.apply(0)
	w.spec(plainSpec)
	w.reaches("ls /etc/systemd/system/benchctl* 2>&1 || true", "No such file")
	w.reaches("systemctl is-active benchctl-apply || true", "inactive")
	w.benchctl(0, "diff")
	w.leftNothing(bare)
}

// leftNothing compares the host with what it was before there was an agent.
func (w *world) leftNothing(bare lab.Tree) {
	w.t.Helper()
	for path, found := range map[string]string{
		"files": strings.Join(bare.Changed(w.hostTree()), "\n"),
		"units": w.look("systemctl list-units --all --no-legend --plain 'benchctl*' | grep -v benchctl-resume || true"),
		"/run":  w.look("ls -d /run/benchctl/relay /run/benchctl/agent.lock /run/credentials/benchctl* 2>/dev/null || true"),
	} {
		if found != "" {
			w.t.Errorf("left of the agent among the %s:\n%s", path, found)
		}
	}
}
