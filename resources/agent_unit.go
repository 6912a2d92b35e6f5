package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/template"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/relay"
)

// agentRevision is where the agent says which text of its unit it runs by. It
// gives way when the unit on disk has another one.
const agentRevision = "BENCHCTL_AGENT_REVISION"

// relayPath is the relay's socket.
const relayPath = "/run/benchctl/relay"

// agentTemplates are the agent's units by name.
//
// The agent ends by itself to give way to a newer one, hence Restart=always, and
// with status 1 when it cannot begin, which trying again does not mend. It comes
// after the runner, which says soon whether it listens. $$ leaves the variable
// to the shell, whose kill is the only one that each host has.
var agentTemplates = map[string]*template.Template{
	agentUnit: agentTemplate(`[Unit]
Description=benchctl agent: looks whether this host is in step
Wants=network-online.target ` + relaySocket + `
After=network-online.target ` + relaySocket + ` {{.Runner}}
StartLimitIntervalSec=0

[Service]
Type=notify
Environment=` + agentRevision + `={{.Revision}}
Environment=` + relay.SocketEnv + `=` + relayPath + `
ExecStart={{.Binary}} agent{{.Files}}
ExecReload=/bin/sh -c 'kill -HUP $$MAINPID'
SyslogIdentifier=benchctl
Restart=always
RestartSec=2s
RestartPreventExitStatus=1
KillMode=mixed
TimeoutStopSec=30s
Nice=10
StateDirectory=benchctl
StateDirectoryMode=0700
RuntimeDirectory=benchctl
RuntimeDirectoryPreserve=yes
{{range .Credentials}}LoadCredential={{.}}
{{end}}{{range .Sandbox}}{{.}}
{{end}}
[Install]
WantedBy=multi-user.target
{{with .Schedule}}
[X-Benchctl]
Schedule={{.Cron}}
Splay={{.Splay}}
MaxDefer={{.MaxDefer}}
{{range $.Sources}}` + sourceKey + `={{.}}
{{end}}{{end}}`),
	applyUnit: agentTemplate(`[Unit]
Description=benchctl: makes this host what its spec says
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart={{.Binary}} apply --unattended{{.Files}}
# 3 is an apply that was put off: a job runs.
SuccessExitStatus=3
SyslogIdentifier=benchctl
KillMode=mixed
TimeoutStopSec=2min
{{range .Credentials}}LoadCredential={{.}}
{{end}}`),
	// systemd does not open a socket while its service runs: they end together.
	relayUnit: agentTemplate(`[Unit]
Description=benchctl: the agent's way to GitHub
PartOf=` + relaySocket + `
CollectMode=inactive-or-failed
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={{.Binary}} relay{{range .Places}} {{.}}{{end}}
SyslogIdentifier=benchctl-relay
LogLevelMax=warning
{{range .RelaySandbox}}{{.}}
{{end}}`),
	relaySocket: agentTemplate(`[Unit]
Description=benchctl: the agent's way to GitHub
StartLimitIntervalSec=0

[Socket]
ListenStream=` + relayPath + `
SocketMode=0600
RemoveOnStop=yes
`),
}

func agentTemplate(text string) *template.Template {
	return template.Must(template.New("agent").Parse("# {{.Origin}}\n" + text))
}

// units are the agent's units as they must be, the agent itself last, and its
// revision.
func (a agent) units(r host.Reader) (units []ownUnit, revision string, err error) {
	if revision, err = a.revision(r); err != nil {
		return nil, "", err
	}
	for _, name := range slices.Backward(agentUnits) {
		text, err := a.unit(r, name, revision)
		if err != nil {
			return nil, "", err
		}
		units = append(units, newOwnUnit(name, text))
	}
	return units, revision, nil
}

// unit renders a unit with a revision.
func (a agent) unit(r host.Reader, name, revision string) (string, error) {
	s := a.spec
	var text strings.Builder
	err := agentTemplates[name].Execute(&text, map[string]any{
		"Origin":       "Written by benchctl, which undoes changes made here: say it in the spec instead.",
		"Binary":       a.binary,
		"Files":        a.execFiles(),
		"Sources":      a.sources,
		"Revision":     revision,
		"Runner":       unitName(s.Runner.URL, runnerName(r, s)),
		"Credentials":  a.credentialLines(),
		"Sandbox":      append(rowLines(agentSandbox), metricsLines(s)...),
		"RelaySandbox": rowLines(relaySandbox),
		"Places":       a.places(r),
		"Schedule":     s.Schedule,
	})
	return text.String(), err
}

// revision is a digest of everything that an agent is started with. What a
// running one reads anew is not part of it: the schedule, which stands in a
// section that systemd ignores.
func (a agent) revision(r host.Reader) (string, error) {
	text, err := a.unit(r, agentUnit, "")
	if err != nil {
		return "", err
	}
	text, _, _ = strings.Cut(text, "\n[X-")
	text += fmt.Sprintf("mended %d\n", readAgentNotes(r).Mended)
	for _, c := range a.credentials() {
		info, err := r.Lstat(c.file)
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("cannot hand the agent its credentials: there is no file %s; write the secret there, as root, with mode 0600, or correct github in the spec", c.file)
		}
		if err != nil {
			return "", fmt.Errorf("cannot hand the agent its credentials: %w", err)
		}
		// A new secret in the file reaches only an agent that starts anew.
		text += fmt.Sprintf("%d %d %d\n", info.Inode, info.Size, info.Mtime.UnixNano())
	}
	return sum([]byte(text))[:16], nil
}

// A credential is a file that systemd hands to a unit under a name.
type credential struct{ name, file string }

// credentials are those of the spec, under the names that internal/github looks
// for below $CREDENTIALS_DIRECTORY.
func (a agent) credentials() []credential {
	var found []credential
	if file := a.spec.GitHub.TokenFile; file != "" {
		found = append(found, credential{"github-token", file})
	}
	if app := a.spec.GitHub.App; app != nil {
		found = append(found, credential{"github-app-key", app.KeyFile})
	}
	return found
}

func (a agent) credentialLines() []string {
	var lines []string
	for _, c := range a.credentials() {
		lines = append(lines, c.name+":"+unitText(c.file))
	}
	return lines
}

// places are where the agent has business, as HOST:PORT: GitHub's API, where the
// spec is, whoever is told, and the proxies of the runner, by which it gets there.
func (a agent) places(r host.Reader) []string {
	s := a.spec
	places := []string{relay.Place(s.Runner.URL.API), "api.github.com:443"}
	for _, name := range a.sources {
		places = append(places, relay.Place(name))
	}
	if n := s.Notify; n != nil {
		places = append(places, relay.Place(n.Webhook))
		if text, err := r.ReadFile(n.WebhookFile); err == nil {
			places = append(places, relay.Place(strings.TrimSpace(string(text))))
		}
	}
	places = append(places, relay.Proxies(func(name string) string { return s.Runner.Env[name] })...)
	places = slices.DeleteFunc(places, func(p string) bool { return p == "" })
	slices.Sort(places)
	return slices.Compact(places)
}
