package resources

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// systemPath is what follows the JDK on PATH, unless runner.env has a PATH.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// env is the runner's `.path` and `.env`: the PATH and the environment of every
// job. They are root's, because whoever writes them chooses what jobs run. The
// environment of benchctl itself never leaks into them; a proxy is named in
// runner.env. config.sh rewrites both each time it runs, and the Listener reads
// them only when it starts, hence Restart.
type env struct{ launch }

var _ reconcile.Dependent = env{}

func (e env) ID() reconcile.ID { return reconcile.ID{Kind: "env"} }

func (e env) Needs() []string { return []string{"user", "jdk", "tarball"} }

// Diff compares `.path` as a line and `.env` variable by variable.
func (e env) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	java, err := e.java(r)
	if err != nil && java != notYet {
		return nil, err
	}
	var changes []reconcile.Change
	for _, f := range e.files(java) {
		found, err := f.diff(r, e.spec.InstallDir)
		if err != nil {
			return nil, err
		}
		changes = append(changes, found...)
	}
	return changes, nil
}

// Apply writes the files that differ.
func (e env) Apply(_ context.Context, h host.Host) error {
	java, err := e.java(h)
	if err != nil {
		return fmt.Errorf("cannot put the JDK on the jobs' PATH: %w", err)
	}
	for _, f := range e.files(java) {
		found, err := f.diff(h, e.spec.InstallDir)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			continue
		}
		if err := f.write(h, e.spec.InstallDir); err != nil {
			return err
		}
	}
	return nil
}

func (e env) files(java string) []launchFile {
	return []launchFile{
		{name: ".path", text: e.pathText(java), parts: whole, effects: restarts},
		{name: ".env", text: e.envText(java), parts: variables, effects: restarts},
	}
}

// pathText is `.path`, one line. runsvc.sh exports it.
func (l launch) pathText(java string) string {
	path, ok := l.spec.Runner.Env["PATH"]
	if !ok {
		path = systemPath
	}
	if java != "" {
		path = java + "/bin:" + path
	}
	return path + "\n"
}

// envText is `.env`: NAME=VALUE lines, sorted; the runner knows no quoting.
func (l launch) envText(java string) string {
	vars := map[string]string{"LANG": "C.UTF-8"}
	maps.Copy(vars, l.spec.Runner.Env)
	delete(vars, "PATH") // it is in .path
	vars["ACTIONS_RUNNER_HOOK_JOB_STARTED"] = jobStarted.path()
	vars["ACTIONS_RUNNER_HOOK_JOB_COMPLETED"] = jobCompleted.path()
	if java != "" {
		vars["JAVA_HOME"] = java
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(&text, "%s=%s\n", name, vars[name])
	}
	return text.String()
}
