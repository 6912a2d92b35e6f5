package rehearse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

func trim(data []byte) []byte { return bytes.TrimSpace(data) }

// shell opens a shell in the copy, for as long as a person likes.
func (s *stage) shell(ctx context.Context) error {
	pid, err := s.PID()
	if err != nil {
		return err
	}
	s.say("\nA shell in the copy; exit ends it, and the copy.")
	cmd := exec.CommandContext(ctx, "nsenter", "-t", fmt.Sprint(pid), "-a", "--", "/bin/bash", "-l")
	cmd.Env = []string{"TERM=" + os.Getenv("TERM"), "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GITHUB_TOKEN=" + token}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Out
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("cannot open a shell in the copy: %w", err)
	}
	return nil
}

// linger leaves the copy up until somebody interrupts.
func (s *stage) linger(ctx context.Context) {
	pid, err := s.PID()
	if err != nil {
		return
	}
	s.say("\nThe copy stays up. Look at it with\n    nsenter -t %d -a bash\nand end it with Ctrl-C.", pid)
	<-ctx.Done()
}
