package gate

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Summarize appends the report to the job's own summary, where there is one. The
// file is the job's and we are its user; a fifo in its place is not waited for.
func (g Gate) Summarize(r Report, p Policy) error {
	path := g.Getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write the job's summary: %w", err)
	}
	_, err = f.WriteString(r.Markdown(p))
	return errors.Join(err, f.Close())
}
