package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hook runs the hook that the worker's environment names, as bash -e PATH with
// the path unquoted. It ends with the job's cancellation only if it started before.
func (j *job) hook(variable string) error {
	path := os.Getenv(variable)
	if path == "" {
		return nil
	}
	if !strings.HasSuffix(path, ".sh") {
		return fmt.Errorf("%s is not a valid path to a script. Make sure it ends in '.sh', '.ps1' or '.js'.", path)
	}
	if !exists(path) {
		return fmt.Errorf("File doesn't exist: %s", path)
	}
	return j.step(context.WithoutCancel(j.ctx), append([]string{"bash", "-e"}, strings.Fields(path)...)...)
}

// step runs one command in the workspace; job variables do not reach hooks, so
// only the script sees Env and what GITHUB_ENV and GITHUB_PATH were given.
func (j *job) step(ctx context.Context, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 2 * time.Second
	cmd.Stdout, cmd.Stderr, cmd.Env = &j.log, &j.log, j.env
	if argv[1] == "-e" && len(argv) > 2 && argv[2] == "-c" {
		cmd.Env = append(j.env, j.exported()...)
	}
	for _, entry := range j.env {
		if dir, ok := strings.CutPrefix(entry, "GITHUB_WORKSPACE="); ok {
			cmd.Dir = dir
		}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid), []byte("500"), 0)
	err := cmd.Wait()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return fmt.Errorf("Process completed with exit code %d.", ended.ExitCode())
	}
	return err
}

// exported is what the script sees beyond the hooks' environment.
func (j *job) exported() []string {
	var env []string
	for name, value := range j.Env {
		env = append(env, name+"="+value)
	}
	given, _ := os.ReadFile(j.files["GITHUB_ENV"])
	for line := range strings.SplitSeq(string(given), "\n") {
		if name, _, ok := strings.Cut(line, "="); ok && name != "NODE_OPTIONS" {
			env = append(env, line)
		}
	}
	paths, _ := os.ReadFile(j.files["GITHUB_PATH"])
	if dirs := strings.Fields(string(paths)); len(dirs) > 0 {
		env = append(env, "PATH="+strings.Join(dirs, ":")+":"+os.Getenv("PATH"))
	}
	return env
}

// reap kills what the job left behind: every process that still carries its
// tracking id. A daemon that cleared it lives on.
func (j *job) reap() {
	mark := []byte("RUNNER_TRACKING_ID=github_" + j.JobID + "\x00")
	procs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range procs {
		data, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(data, mark) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
