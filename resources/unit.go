package resources

import (
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// revisionVariable is where a running process says what it was started with.
const revisionVariable = "BENCHCTL_REVISION"

// unitTemplate is the runner's unit. What a Listener ends with says little: it
// exits with 0 when its registration is gone, hence Restart=always, with a bound
// so that a runner that can never work ends as failed. An ephemeral one is
// meant to end after its job, and is started again once it is registered anew.
// The main process alone gets the signal to stop (KillMode=mixed), because it
// knows how to end the Listener; a job that runs out of memory takes no other
// process with it.
var unitTemplate = template.Must(template.New("unit").Parse(`# Written by benchctl, which undoes changes made here: say it in the spec instead.
[Unit]
Description=GitHub Actions runner {{.Runner}} of {{.URL}}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=1h
StartLimitBurst=20

[Service]
Type=exec
User={{.User}}
WorkingDirectory={{.Dir}}
Environment={{.RevisionVariable}}={{.Revision}}
Environment=RUNNER_PERFLOG={{.PerfLog}}
ExecStartPre=+{{.Binary}} ready
ExecStart={{.Dir}}/runsvc.sh
SyslogIdentifier=actions-runner
Restart={{.Restart}}
RestartSec=30s
KillMode=mixed
TimeoutStartSec=3min
TimeoutStopSec=90s
OOMPolicy=continue
{{range .Sandbox}}{{.}}
{{end}}{{range .CPUs}}{{.}}
{{end}}{{range .Directives}}{{.}}
{{end}}
[Install]
WantedBy=multi-user.target

[X-Benchctl]
Runner={{.Runner}}
RunnerTemplate={{.RunnerTemplate}}
`))

// RunnerUnit is the unit that a spec means on a host: its name and its text.
// binary is where benchctl lies there.
func RunnerUnit(r host.Reader, s *spec.Spec, binary string) (name, text string, err error) {
	l := launch{spec: s, binary: binary}
	revision, err := l.revision(r)
	if err != nil {
		return "", "", err
	}
	text, err = l.unit(r, revision)
	return unitName(s.Runner.URL, runnerName(r, s)), text, err
}

// unit renders the runner's unit with a revision.
func (l launch) unit(r host.Reader, revision string) (string, error) {
	s := l.spec
	runner := runnerName(r, s)
	perfLog := jobs.PerfDir(unitName(s.Runner.URL, runner))
	restart := "always"
	if s.Runner.Ephemeral {
		restart = "on-failure"
	}
	var text strings.Builder
	err := unitTemplate.Execute(&text, map[string]any{
		"Runner":           runner,
		"RunnerTemplate":   s.Runner.Name,
		"URL":              unitText(s.Runner.URL.Text),
		"User":             s.User.Name,
		"Dir":              unitText(s.InstallDir),
		"RevisionVariable": revisionVariable,
		"Revision":         revision,
		"PerfLog":          perfLog,
		"Binary":           l.binary,
		"Restart":          restart,
		"Sandbox":          l.sandboxLines(perfLog),
		"CPUs":             cpuLines(s.Service.CPUs),
		"Directives":       directiveLines(s.Service.Directives),
	})
	return text.String(), err
}

// cpuLines keep the jobs on some CPUs: by the control group, which a job cannot
// widen, and by affinity, for hosts whose cpuset controller is not to be had.
func cpuLines(cpus string) []string {
	if cpus == "" {
		return nil
	}
	return []string{"AllowedCPUs=" + cpus, "CPUAffinity=" + cpus}
}

// directiveLines come last, as a drop-in would; the spec refuses those that the
// rest of benchctl relies on, and those that are more than a line: what is set again is replaced,
// a list is added to, and an empty value begins a list anew.
func directiveLines(directives map[string]string) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(directives)) {
		lines = append(lines, name+"="+directives[name])
	}
	return lines
}

// unitText keeps systemd from reading a % as a specifier.
func unitText(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// unitWords is a list of paths as systemd splits one.
func unitWords(paths []string) string {
	words := make([]string, len(paths))
	for i, p := range paths {
		words[i] = unitText(p)
	}
	return strings.Join(words, " ")
}
