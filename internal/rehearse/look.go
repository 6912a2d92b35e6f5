package rehearse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func trim(data []byte) []byte { return bytes.TrimSpace(data) }

// shell opens a shell in the copy, as a service of the copy and with the rights
// of one, for as long as a person likes.
func (s *stage) shell(ctx context.Context) error {
	pid, err := s.PID()
	if err != nil {
		return err
	}
	s.say("\nA shell in the copy; exit ends it, and the copy.")
	way := "--pipe"
	if f, ok := s.In.(*os.File); ok && isTerminal(f) {
		way = "--pty"
	}
	cmd := exec.CommandContext(ctx, "nsenter", "-t", fmt.Sprint(pid), "-a", "--", "systemd-run", "--quiet", "--wait", "--collect", way,
		"--setenv=TERM="+os.Getenv("TERM"), "--setenv=HOME=/root", "--setenv=GITHUB_TOKEN="+token, "/bin/bash", "-l")
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Out
	// It gives the terminal back as it was.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("cannot open a shell in the copy: %w", err)
	}
	return nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// linger leaves the copy up until somebody interrupts.
func (s *stage) linger(ctx context.Context) error {
	pid, err := s.PID()
	if err != nil {
		return err
	}
	s.say("\nThe copy stays up. Look at it from another terminal with\n    nsenter -t %d -a systemd-run -qt bash -l\nand end it with Ctrl-C.", pid)
	<-ctx.Done()
	return nil
}
