package linux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// maxOutput bounds what is kept of a command's output, in bytes.
const maxOutput = 4 << 20

// Run runs a command as a direct child, in a session of its own, with exactly
// the given environment, in whose PATH a bare name is looked up: ours may lack
// /usr/sbin (su does not add it), or begin with a directory of somebody else's.
func (m *Machine) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	m.before("run", cmd.Argv[0])
	path, err := find(cmd.Argv[0], cmd.Env)
	if err != nil {
		return host.Output{}, err
	}
	c := exec.CommandContext(ctx, path, cmd.Argv[1:]...)
	c.Dir = cmd.Dir
	c.Env = cmd.Env
	if c.Env == nil {
		c.Env = []string{}
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: credential(cmd.User)}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 5 * time.Second
	c.Stdin = bytes.NewReader(cmd.Stdin)
	progress := serially(cmd.Progress)
	stdout, stderr := &lines{progress: progress}, &lines{progress: progress}
	c.Stdout, c.Stderr = stdout, stderr
	err = c.Run()
	out := host.Output{Stdout: stdout.kept.Bytes(), Stderr: stderr.kept.Bytes()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return out, fmt.Errorf("%s was interrupted: %w", cmd.Argv[0], ctx.Err())
	case errors.As(err, &exit):
		return out, &host.CommandError{Argv: cmd.Argv, Status: exit.ExitCode(), Output: out}
	case err != nil:
		return out, fmt.Errorf("cannot run %s: %w", cmd.Argv[0], err)
	}
	return out, nil
}

// find returns the file of a program, looked up in the PATH of an environment.
func find(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, variable := range env {
		path, isPath := strings.CutPrefix(variable, "PATH=")
		if !isPath {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			at := filepath.Join(dir, name)
			if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return at, nil
			}
		}
	}
	return "", fmt.Errorf("cannot run %s: it is not installed", name)
}

func credential(a *host.Account) *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID)}
}

// serially lets two streams report to one listener.
func serially(progress func(string)) func(string) {
	if progress == nil {
		return nil
	}
	var mu sync.Mutex
	return func(line string) {
		mu.Lock()
		defer mu.Unlock()
		progress(line)
	}
}

// lines keeps output up to a bound and hands each whole line on.
type lines struct {
	kept     bytes.Buffer
	rest     []byte
	progress func(string)
}

func (l *lines) Write(p []byte) (int, error) {
	if room := maxOutput - l.kept.Len(); room > 0 {
		l.kept.Write(p[:min(room, len(p))])
	}
	if l.progress == nil {
		return len(p), nil
	}
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			l.rest = l.rest[max(0, len(l.rest)-4096):]
			return len(p), nil
		}
		l.progress(string(line))
		l.rest = rest
	}
}
